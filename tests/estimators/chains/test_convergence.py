# SPDX-License-Identifier: MIT
"""R-hat and the halves test on chains that agree, disagree, drift or do not move."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from edgphys.estimators.chains.convergence import halves_limit, halves_z, r_hat


def test_r_hat_is_small_for_chains_that_agree(ar1):
    x = ar1((4, 4000), 0.5, np.random.default_rng(0))
    assert 0.99 < r_hat(x) < 1.01
    assert r_hat(np.exp(x)) == pytest.approx(r_hat(x), abs=5e-3)  # ranks: only folding sees a monotone map


def test_r_hat_sees_a_shift_and_a_spread(ar1):
    x = ar1((4, 2000), 0.5, np.random.default_rng(1))
    assert r_hat(x + np.array([[0], [0], [0], [1]])) > 1.05
    assert r_hat(x * np.array([[1], [1], [1], [3]])) > 1.05


def split_r_hat(x):
    """Eqs. (3) and (4) of arXiv:1903.08008 with each chain cut into halves."""
    half = x.shape[1] // 2
    parts = np.concatenate([x[:, :half], x[:, -half:]])
    within, between = parts.var(axis=1, ddof=1).mean(), half * parts.mean(axis=1).var(ddof=1)
    return np.sqrt(((half - 1) / half * within + between / half) / within)


def normalised(x):
    """Eq. (14): normal quantiles of (rank - 3/8) / (S + 1/4), ties at their mean rank."""
    ranks = scipy.stats.rankdata(x).reshape(x.shape)
    return scipy.stats.norm.ppf((ranks - 0.375) / (x.size + 0.25))


@pytest.mark.parametrize("shape", [(4, 500), (2, 16), (8, 100)])
def test_r_hat_is_the_larger_of_bulk_and_folded_tail(ar1, shape):
    for scale in (1.0, np.linspace(1, 3, shape[0])[:, None], np.ones(shape)):
        x = np.round(scale * ar1(shape, 0.5, np.random.default_rng(5)), 1)  # with ties
        bulk = split_r_hat(normalised(x))
        tail = split_r_hat(normalised(np.abs(x - np.median(x))))  # section 4.2: folding sees a spread
        assert r_hat(x) == pytest.approx(max(bulk, tail), rel=1e-12)
        if np.size(scale) == shape[0] and shape[1] == 500:
            assert tail > 1.05 > bulk  # ranks alone do not see it


def test_r_hat_survives_infinite_variance():
    x = np.random.default_rng(6).standard_cauchy((4, 2000))
    assert r_hat(x) < 1.01
    x[3] += 2.0
    assert r_hat(x) > 1.05
    assert split_r_hat(x) < 1.01  # without ranks nothing is seen


def test_r_hat_of_one_chain_compares_its_parts(ar1):
    x = ar1((1, 4000), 0.5, np.random.default_rng(2))
    assert r_hat(x) < 1.01
    assert r_hat(x + np.linspace(0, 3, 4000)) > 1.05


def test_r_hat_of_what_does_not_move():
    assert np.isnan(r_hat(np.ones((3, 100))))
    assert r_hat(np.ones((3, 100)) * np.arange(3)[:, None]) == np.inf


@pytest.mark.statistical
def test_halves_z_is_standard_normal(ar1):
    rng = np.random.default_rng(3)
    z = []
    for _ in range(200):
        x = ar1((2, 4000), 0.8, rng)
        z.append(halves_z(x))
    assert abs(np.mean(z)) < 4 / np.sqrt(200)
    assert abs(np.var(z) - 1) < 4 * np.sqrt(2 / 200) + 0.05  # the error has an error
    assert np.max(np.abs(z)) < 4.5


def test_halves_see_a_warm_up(ar1):
    x = ar1((4, 4000), 0.5, np.random.default_rng(4)) + 3 * np.exp(-np.arange(4000) / 400)
    assert abs(halves_z(x)) > halves_limit(6)


def test_halves_of_a_constant_agree():
    assert halves_z(np.ones((2, 100))) == 0.0
    assert halves_z(np.repeat([[0.0, 1.0]], 50, axis=1)) == -np.inf


def test_halves_of_few_draws_are_not_judged():
    assert np.isnan(halves_z(np.ones((2, 31))))
