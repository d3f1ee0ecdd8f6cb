# SPDX-License-Identifier: MIT
"""Replicas of a group: independent, and each at its own temperature."""

from __future__ import annotations

import types

import numpy as np
import pytest
import scipy.stats
from helpers.chains import all_spins, boltzmann
from helpers.multispin import make_system
from helpers.stats import assert_off, assert_z
from numba import njit

from edgphys.mcmc.ising.bits import sweep as bits_sweep
from edgphys.mcmc.ising.bits.multispin import IsingMultispin, MultispinReplicas
from edgphys.mcmc.ising.bits.simd import shift_right, static


@pytest.mark.slow
@pytest.mark.statistical
def test_each_replica_at_its_own_temperature():
    """Energies and magnetizations at eight temperatures, before and after all of them change places."""
    temperatures = np.array([1.6, 1.9, 2.2, 2.5, 2.8, 3.2, 4.0, 6.0])
    system = make_system("square", (4, 4))
    replicas = MultispinReplicas(system, 1 / temperatures)
    state = replicas.start(np.random.SeedSequence(8))
    rows = {0: [], 1: []}
    for part in rows:
        replicas.sweep(state, 400)
        for _ in range(400):
            replicas.sweep(state, 2)
            rows[part].append(replicas.measure(state)[:2])
        replicas.assign(state, replicas.temperatures(state)[::-1].copy())
    for part, number in ((0, np.arange(256) % 8), (1, (np.arange(256) % 8)[::-1])):
        energy = np.mean(rows[part], axis=0)[0]
        square = np.mean(np.square(rows[part]), axis=0)[1]
        for k, temperature in enumerate(temperatures):
            probability, levels = boltzmann(make_system("square", (4, 4), temperature=temperature))
            magnetization = all_spins(16).mean(1)
            for values, exact in ((energy, levels), (square, magnetization**2)):
                chosen = values[number == k]
                err = chosen.std(ddof=1) / np.sqrt(len(chosen))
                exact = probability @ exact
                # A factor for Student's t of 31 degrees of freedom at the limit of assert_z.
                assert_z(chosen.mean(), 1.25 * err, exact, n_tests=32, max_err=0.2)
        wrong = (
            energy[number == 3].mean() - boltzmann(make_system("square", (4, 4), temperature=2.2))[1].min()
        )
        assert wrong > 0


def test_one_temperature_each_gives_the_bits_of_one_temperature_for_all():
    system = make_system("square", (4, 6), temperature=3.0)
    replicas = MultispinReplicas(system, np.full(5, system.beta))
    state = replicas.start(np.random.SeedSequence(8))
    sampler = IsingMultispin(system, {})
    other = sampler.start(0, np.random.SeedSequence(8))
    replicas.sweep(state, 25)
    sampler.warm_up(other, 0, 25, 25)
    np.testing.assert_array_equal(state.configuration, other.configuration)
    np.testing.assert_array_equal(state.rng, other.rng)


def cross_correlations(system, advance, n_groups, n_draws, thin, n_warmup):
    """Mean correlation of the energies of two replicas, one number a group of 64."""
    result = []
    for group in range(n_groups):
        sampler = IsingMultispin(system, {"words": 1})
        state = sampler.start(0, np.random.SeedSequence([12, group]))
        advance(sampler, state, n_warmup)
        energies = []
        for _ in range(n_draws):
            advance(sampler, state, thin)
            energies.append(sampler._engine.measure(state.configuration[None])[0, 0])
        result.append(energies)
    deviation = np.array(result) - np.mean(result)  # (group, draw, replica)
    total, n = deviation.sum(2), deviation.shape[2]
    pairs = ((total**2).mean(1) - (deviation**2).sum(2).mean(1)) / (n * (n - 1))
    return pairs / deviation.var()


def honest_sweeps(sampler, state, n):
    sampler.warm_up(state, 0, n, n)


@njit
def _one_mask_for_all(a, b, c, counter, one):
    """SFC64 with its first bit copied to all others."""
    word, a, b, c, counter = bits_sweep.sfc64(a, b, c, counter, one)
    first = shift_right(word, _63_places)
    return ~(first + ~(one ^ one)), a, b, c, counter


_63_places = static(63)


def rebuilt(kernel, **changes):
    """The kernel compiled anew with other functions in place of those it calls."""
    python = kernel.py_func
    return njit(types.FunctionType(python.__code__, python.__globals__ | changes))


def mean_err(correlations):
    """Mean over the groups; its error, times a factor for Student's t at the limit of assert_z."""
    n = len(correlations)
    err = correlations.std(ddof=1) / np.sqrt(n)
    return correlations.mean(), err * scipy.stats.t.isf(0.5e-4, n - 1) / scipy.stats.norm.isf(0.5e-4)


@pytest.mark.statistical
def test_replicas_are_independent():
    system = make_system("square", (32, 32), temperature=2.27)
    assert_z(*mean_err(cross_correlations(system, honest_sweeps, 12, 60, 10, 200)), 0.0, max_err=0.003)


@pytest.mark.statistical
def test_one_mask_for_all_bits_is_caught():
    system = make_system("square", (32, 32), temperature=2.27)
    decide = rebuilt(bits_sweep._decide, sfc64=_one_mask_for_all)
    update = rebuilt(bits_sweep._update, _decide=decide)

    def advance(sampler, state, n):
        (block,), shared = sampler._engine.tables(state, sampler._temperature)
        for _ in range(n):
            for colour in (0, 1):
                update(block, colour, shared)

    correlations = cross_correlations(system, advance, 6, 60, 10, 200)
    assert_off(*mean_err(correlations), 0.0, least=4.0, max_err=1.0)
    assert correlations.mean() > 0.05


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("temperature", [2.0, 2.27])
def test_replicas_are_independent_to_a_thousandth(temperature):
    system = make_system("square", (32, 32), temperature=temperature)
    assert_z(*mean_err(cross_correlations(system, honest_sweeps, 48, 300, 20, 500)), 0.0, max_err=5e-4)


def test_bad_temperatures_are_refused():
    replicas = MultispinReplicas(make_system("square", (4, 4)), [0.3, 0.4], words=1)
    state = replicas.start(np.random.SeedSequence(1))
    with pytest.raises(ValueError, match=r"must be 64 numbers in 0\.\.1, got"):
        replicas.assign(state, np.full(64, 2))
