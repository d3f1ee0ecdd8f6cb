# SPDX-License-Identifier: MIT
"""Normal numbers by the ziggurat against the normal law: moments, bulk, layer edges, tail, independence."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from helpers.stats import assert_z

from edgphys.mcmc.random import normal
from edgphys.mcmc.random.xoshiro import new_state

N = 2_000_000
# E x^k and Var x^k.
MOMENTS = {1: (0.0, 1.0), 2: (1.0, 2.0), 3: (0.0, 15.0), 4: (3.0, 96.0), 6: (15.0, 10_170.0)}


@pytest.fixture(scope="module")
def x():
    out = np.empty(N)
    normal.fill_normal(new_state(np.random.SeedSequence(14)), out)
    return out


@pytest.mark.statistical
def test_moments(x):
    for power, (mean, variance) in MOMENTS.items():
        err = np.sqrt(variance / N)
        assert_z((x**power).mean(), err, mean, n_tests=len(MOMENTS), max_err=0.1)
    assert abs((1.02 * x).var() - 1.0) / np.sqrt(2.0 / N) > 8  # what the test can see


@pytest.mark.statistical
def test_bulk(x):
    assert scipy.stats.kstest(x[:200_000], "norm").pvalue > 1e-4
    assert scipy.stats.kstest(1.03 * x[:200_000], "norm").pvalue < 1e-8


@pytest.mark.statistical
def test_layer_edges_and_tail_where_mistakes_of_the_method_would_sit(x):
    edges = np.array([-normal._R, *-normal._X[[2, 64, 200]], 0, *normal._X[[200, 64, 2]], normal._R])
    p = np.diff(scipy.stats.norm.cdf([-np.inf, *edges, np.inf]))

    def p_value(numbers):
        counts = np.histogram(numbers, [-np.inf, *edges, np.inf])[0]
        return scipy.stats.chisquare(counts, numbers.size * p / p.sum()).pvalue

    assert p_value(x) > 1e-4
    assert p_value(np.where(np.abs(x) > normal._X[2], 0.97 * x, x)) < 1e-8
    beyond = np.abs(x[np.abs(x) > normal._R])
    tail = scipy.stats.kstest(beyond, lambda v: 1 - scipy.stats.norm.sf(v) / scipy.stats.norm.sf(normal._R))
    assert beyond.size > 300 and tail.pvalue > 1e-4


@pytest.mark.statistical
def test_neighbours_in_the_stream_are_independent(x):
    for numbers in (x, np.abs(x)):
        r = np.corrcoef(numbers[:-1], numbers[1:])[0, 1]
        assert_z(r, 1 / np.sqrt(N), 0.0, n_tests=2, max_err=0.001)


def test_an_array_is_filled_to_the_same_numbers_in_pieces(x):
    """State in, state out: nothing is kept between two calls."""
    rng, pieces = new_state(np.random.SeedSequence(14)), [np.empty(n) for n in (1, 2, 997)]
    for piece in pieces:
        normal.fill_normal(rng, piece)
    np.testing.assert_array_equal(np.concatenate(pieces), x[:1000])
