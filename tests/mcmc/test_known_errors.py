# SPDX-License-Identifier: MIT
"""Errors known from other codes: random words that lose bits, one seed for all, error bars of 95 %.

Integers: in numba uint64 with int64 is int64 or float64, by version, so one untyped constant takes the sign
bit or eleven bits from every word. Seeds: workers with one seed repeat each other, and their error bar is too
small by the root of their number. Bars: a half-width of 95 % covers 95 %, one standard error 68 %.
"""

from __future__ import annotations

import itertools
from collections import Counter

import numba
import numpy as np
import pytest
from helpers.calibration import assert_covers
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.estimators import estimate
from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.mcmc import run
from edgphys.mcmc.random.xoshiro import new_state, next_word, random_site, uniform
from edgphys.systems import Ising

N_WORDS = 1000
MASK = 2**64 - 1


class ReferenceXoshiro:
    """xoshiro256++ in Python integers, which have no width to overflow or promote."""

    def __init__(self, words):
        self.words = [int(word) for word in words]

    def next(self):
        s0, s1, s2, s3 = self.words
        word = (rotated((s0 + s3) & MASK, 23) + s0) & MASK
        shifted = (s1 << 17) & MASK
        s2, s3 = s2 ^ s0, s3 ^ s1
        s1, s0 = s1 ^ s2, s0 ^ s3
        self.words = [s0, s1, s2 ^ shifted, rotated(s3, 45)]
        return word


def rotated(word, k):
    return ((word << k) & MASK) | (word >> (64 - k))


def edge_states():
    """A spawned state, and ones whose sums and shifts reach the top bit at once."""
    ones = np.full(4, MASK, np.uint64)
    top = np.array([2**63, 2**63, 2**63 + 1, 2**63], np.uint64)
    return [new_state(np.random.SeedSequence(7)), ones, top, np.array([1, 0, 0, 0], np.uint64)]


@pytest.mark.parametrize("state", edge_states())
def test_words_are_those_of_big_integers(state):
    rng, reference = state.copy(), ReferenceXoshiro(state)
    words = [next_word(rng) for _ in range(N_WORDS)]
    expected = [reference.next() for _ in range(N_WORDS)]
    assert [int(word) for word in words] == expected
    assert [int(word) for word in rng] == reference.words
    assert rng.dtype == np.uint64


def test_words_by_way_of_a_promotion_would_be_seen():
    reference = ReferenceXoshiro(edge_states()[0])
    words = [reference.next() for _ in range(N_WORDS)]
    assert np.mean([int(float(word)) == word for word in words]) < 0.01  # float64 keeps 53 of 64 bits
    signed = np.array(words, np.uint64).astype(np.int64) >> 11  # the sign bit is copied down
    assert 0.4 < np.mean(signed == [word >> 11 for word in words]) < 0.6


def test_every_kernel_stays_in_unsigned_64_bit():
    rng = new_state(np.random.SeedSequence(1))
    next_word(rng), random_site(rng, 10), uniform(rng)
    assert {s.return_type for s in next_word.nopython_signatures} == {numba.uint64}
    assert {s.return_type for s in random_site.nopython_signatures} == {numba.uint64}
    assert {s.return_type for s in uniform.nopython_signatures} == {numba.float64}


def test_untyped_constant_promotes():
    """The control: what the typed constants prevent."""

    @numba.njit
    def mixed(word, k):
        return word + k

    word = np.uint64(2**63 + 1)
    result = mixed(word, 1)
    assert mixed.nopython_signatures[0].return_type != numba.uint64
    assert int(result) != int(word) + 1


def test_uniform_is_the_top_53_bits():
    state = edge_states()[0]
    rng, reference = state.copy(), ReferenceXoshiro(state)
    values = [uniform(rng) for _ in range(N_WORDS)]
    assert values == [(reference.next() >> 11) * 2.0**-53 for _ in range(N_WORDS)]
    assert all(0.0 <= value < 1.0 for value in values)
    lowest = [int(value * 2**53) & 1 for value in values]  # the 53rd bit is a coin too
    assert_z(np.mean(lowest), 0.5 / np.sqrt(N_WORDS), 0.5, max_err=0.02)
    # the largest word there is stays below 1, which rounding all 64 bits to float64 would not
    assert (MASK >> 11) * 2.0**-53 < 1.0 == MASK * 2.0**-64


def test_sites_are_the_upper_half_of_the_word():
    state = edge_states()[0]
    for n_sites in (7, 2**20 + 3, 2**32 - 1):
        rng, reference = state.copy(), ReferenceXoshiro(state)
        sites = [int(random_site(rng, n_sites)) for _ in range(N_WORDS)]
        assert sites == [((reference.next() >> 32) * n_sites) >> 32 for _ in range(N_WORDS)]
        assert max(sites) < n_sites


SYSTEM = Ising(lattices.build("square", (6, 6)), temperature=2.6)


def cross_correlations(energy):
    """Of all pairs of chains: correlation coefficient, and its error from the Gamma method of the product."""
    d = (energy - energy.mean()) / energy.std()
    results = [gamma_method(d[a] * d[b]) for a, b in itertools.combinations(range(len(d)), 2)]
    return [(result.mean, result.err) for result in results]


def mean_correlation(pairs):
    """All pairs at once, which see a small common part (they are uncorrelated, if not independent)."""
    return np.mean([v for v, _ in pairs]), np.sqrt(np.sum([e**2 for _, e in pairs])) / len(pairs)


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ["metropolis", "wolff"])
def test_chains_of_one_run_are_uncorrelated(algorithm):
    samples = run(SYSTEM, algorithm, 8, 10_000, seed=17)
    energy = samples["energy"].values
    assert len({row.tobytes() for row in energy}) == 8
    pairs = cross_correlations(energy)
    for value, err in (*pairs, mean_correlation(pairs)):
        assert_z(value, err, 0.0, n_tests=len(pairs) + 1, max_err=0.03)


@pytest.mark.statistical
def test_one_seed_for_all_workers_is_seen():
    workers = [run(SYSTEM, "metropolis", 1, 4000, seed=17)["energy"].values for _ in range(4)]
    for value, err in cross_correlations(np.concatenate(workers)):
        assert_off(value, err, 0.0, least=30.0, max_err=0.1)
    # a small common part too: 3 % of the variance
    rng = np.random.default_rng(18)
    shared = rng.standard_normal((8, 10_000)) + 0.18 * rng.standard_normal(10_000)
    assert_off(*mean_correlation(cross_correlations(shared)), 0.0, least=12.0, max_err=0.03)


def test_seeds_of_chains_do_not_overlap_between_runs():
    """Child c of a seed is no child of its neighbours, as adding the number of the worker would have it."""
    states = Counter(
        new_state(child).tobytes() for seed in range(20) for child in np.random.SeedSequence(seed).spawn(16)
    )
    assert max(states.values()) == 1
    added = Counter(
        new_state(np.random.SeedSequence(seed + k)).tobytes() for seed in range(20) for k in range(16)
    )
    assert max(added.values()) > 1


@pytest.mark.parametrize("algorithm", ["metropolis", "wolff"])
def test_number_of_threads_changes_no_number(algorithm):
    alone = run(SYSTEM, algorithm, 5, 200, seed=19, n_threads=1)
    for n_threads in (2, 5, 9):
        other = run(SYSTEM, algorithm, 5, 200, seed=19, n_threads=n_threads)
        assert all(alone[name].values.tobytes() == other[name].values.tobytes() for name in alone.data_vars)
    if algorithm == "metropolis":  # without anything tuned over all chains, nor does their number
        fewer = run(SYSTEM, algorithm, 3, 200, seed=19)
        np.testing.assert_array_equal(alone["energy"][:3], fewer["energy"])


@pytest.mark.statistical
def test_error_of_a_chain_is_one_standard_error():
    """1000 pieces of long chains against the exact energy, as `estimate` quotes it."""
    exact = SYSTEM.exact_results()["energy"]
    samples = run(SYSTEM, "metropolis", 8, 50_000, seed=20)
    pieces = samples["energy"].values.reshape(1000, 1, 400)
    results = [gamma_method(piece) for piece in pieces]
    z = np.array([(result.mean - exact) / result.err for result in results])
    assert_covers(z)
    assert 0.9 < np.mean(np.abs(z / 1.96) < 1) < 1.0
    table = estimate(samples[["energy"]])
    one = gamma_method(samples["energy"].values)
    assert float(table.energy_err) == pytest.approx(one.err, rel=1e-12)
    assert_z(float(table.energy), float(table.energy_err), exact, max_err=0.1)
