# SPDX-License-Identifier: MIT
"""One sweep: random words, decisions with their probability, transitions by their matrix."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.chains import all_spins, boltzmann, chi_square_p
from helpers.multispin import make_system
from helpers.stats import assert_off, assert_z
from numba import njit

from edgphys.mcmc.ising.bits import sweep as bits_sweep
from edgphys.mcmc.ising.bits.multispin import IsingMultispin
from edgphys.mcmc.ising.bits.simd import load, splat, static, store
from edgphys.mcmc.ising.flip_probabilities import LAZY

_ONE, _ZERO, _ONES = np.uint64(1), np.uint64(0), np.uint64(2**64 - 1)
static_four = static(4)


@njit
def _words_of_sfc64(state, out):
    lanes = static_four
    a, b = load(state, _ZERO, lanes), load(state, np.uint64(4), lanes)
    c, counter = load(state, np.uint64(8), lanes), load(state, np.uint64(12), lanes)
    for i in range(out.shape[0]):
        word, a, b, c, counter = bits_sweep.sfc64(a, b, c, counter, splat(_ONE, lanes))
        store(out, np.uint64(4 * i), word)


def test_random_words_are_those_of_numpy():
    generators = [np.random.SFC64(seed) for seed in range(4)]
    state = np.stack([g.state["state"]["state"] for g in generators], axis=1).ravel()
    out = np.empty((50, 4), np.uint64)
    _words_of_sfc64(state, out)
    np.testing.assert_array_equal(out, np.stack([g.random_raw(50) for g in generators], axis=1))


def transition_matrix(system, rule):
    """One sweep in the order of the sampler, from the rule written out once more."""
    _, energy = boltzmann(system)
    states = np.arange(len(energy))
    matrix = np.eye(len(energy))
    for site in IsingMultispin(system, {"words": 1}).layout.order:
        flipped = states ^ (1 << site)
        cost = system.beta * (energy[flipped] - energy)
        accept = 1 / (1 + np.exp(cost)) if rule == "heat_bath" else LAZY * np.exp(np.minimum(0.0, -cost))
        step = np.diag(1 - accept)
        step[states, flipped] = accept
        matrix = matrix @ step
    return matrix


def sweep_counts(system, rule, n_repeats):
    """How often each replica of a group goes from each state to each other in one sweep."""
    sampler = IsingMultispin(system, {"rule": rule})
    state, n = sampler.start(0, np.random.SeedSequence(5)), system.n_sites
    counts = np.zeros((2**n, 2**n), np.int64)
    for row, spins in zip(counts, all_spins(n), strict=True):
        start = np.repeat(np.append(np.where(spins[sampler.layout.order] > 0, _ONES, _ZERO), _ZERO), 4)
        for _ in range(n_repeats):
            state.configuration[:] = start
            sampler.warm_up(state, 0, 1, 1)
            bits = (1 - sampler.unpack(state).astype(int)) // 2
            row += np.bincount(bits @ (1 << np.arange(n)), minlength=2**n)
    return counts


@pytest.mark.statistical
@pytest.mark.parametrize(
    "coupling, field, rule",
    [(1.0, 0.0, "metropolis"), (-0.7, 0.0, "metropolis"), (-0.7, 0.4, "metropolis"), (1.0, 0.3, "heat_bath")],
)
def test_sweep_follows_its_matrix(coupling, field, rule):
    system = make_system("chain", (4,), True, 1.5, coupling, field)
    probability, _ = boltzmann(system)
    matrix = transition_matrix(system, rule)
    np.testing.assert_allclose(probability @ matrix, probability, rtol=1e-11)
    assert matrix.min() > 0  # every state from every state in one sweep
    counts = sweep_counts(system, rule, 80)
    assert chi_square_p(counts, matrix) > 1e-4
    wrong = make_system("chain", (4,), True, 1.55, coupling, field)
    assert chi_square_p(counts, transition_matrix(wrong, rule)) < 1e-8


@pytest.mark.statistical
@pytest.mark.parametrize("words", [1, 4])
def test_decisions_have_their_probability_and_are_independent(words):
    """From all spins up, sites of the first colour flip independently with probability 15/16 exp(-8 beta).

    Sums over the replicas of a site, and over the sites of a group in one replica (which share random words),
    must be binomial.
    """
    system, n_repeats = make_system("square", (32, 32), temperature=3.0), 24
    sampler = IsingMultispin(system, {"words": words})
    state, n = sampler.start(0, np.random.SeedSequence(3)), sampler.chains_per_state
    flips = np.empty((n_repeats, n, 512))
    for repeat in range(n_repeats):
        state.configuration[:-words] = _ONES
        (block,), shared = sampler._engine.tables(state, sampler._temperature)
        _first_colour((block,), shared)
        flips[repeat] = sampler.unpack(state)[:, sampler.layout.order[:512]] < 0
    p = LAZY * np.exp(-8 / 3.0)
    assert_z(flips.mean(), np.sqrt(p * (1 - p) / flips.size), p, max_err=4e-4)
    wrong = LAZY * np.exp(-8 / 3.0 / 1.01)
    assert_off(flips.mean(), np.sqrt(p * (1 - p) / flips.size), wrong, least=6.5, max_err=4e-4)
    groups = flips.reshape(n_repeats, n, -1, 8).sum(3)
    batches = flips.reshape(n_repeats, n, -1, 64).sum(3)
    for sums, size in ((flips.sum(1), n), (groups, 8), (batches, 64)):
        variance = size * p * (1 - p)
        kurtosis = (1 - 6 * p * (1 - p)) / variance
        assert_z(
            ((sums - size * p) ** 2).mean(),
            variance * np.sqrt((2 + kurtosis) / sums.size),
            variance,
            max_err=variance,
        )


@njit
def _first_colour(blocks, shared):
    bits_sweep.update_blocks(blocks, 0, shared)
