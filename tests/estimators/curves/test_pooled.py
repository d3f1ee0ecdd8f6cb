# SPDX-License-Identifier: MIT
"""Pooled sums: unbiased for any number of draws, at nodes and between; what control variates do."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.stats import assert_off, assert_z

from edgphys.estimators.curves.pooled import LEAST_DRAWS, Pool

BETAS = np.linspace(1.0, 3.0, 6)
BETWEEN = 1.7
EXACT = {beta: np.array([beta**-0.5, 0.5 * beta**-1.5]) for beta in (BETAS[1], BETWEEN)}


def gaussian(betas, n, rng, *, noise=0.0, wrong=0.0, ignore=None):
    """x, log weights and x^2/2 of draws of exp(-beta x^2 / 2), Z = beta^(-1/2) (dx / sqrt(2 pi)).

    Drawn at beta + wrong; `ignore`: all weights are those of this beta.
    """
    law = betas[:, None] + wrong
    half = 0.5 * rng.standard_normal((len(betas), n)) ** 2 / law
    target = betas[:, None] if ignore is None else ignore
    log_weights = -0.5 * np.log(law) + (law - target) * half
    return half, log_weights + noise * rng.standard_normal(half.shape) - noise**2 / 2


def pool_of(half, log_weights, betas=BETAS):
    return Pool(log_weights, betas[:, None, None] * half)


def means(n, n_sets, seed, **options):
    """Z and int x^2/2 exp(-U) at a node and between, over the exact values, from many small sets of draws."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(n_sets):
        half, log_weights = gaussian(BETAS, n, rng, **options)
        pool = pool_of(half, log_weights)
        found.append([pool.rows(beta * half, half[None]).mean(1) / EXACT[beta] for beta in EXACT])
    return np.array(found).reshape(n_sets, -1)


@pytest.mark.statistical
@pytest.mark.parametrize("options", [{"noise": 0.3}, {"noise": 0.5, "wrong": 0.2}])
def test_sums_are_unbiased_for_few_draws(options):
    found = means(LEAST_DRAWS, 400, 1, **options)
    for column in found.T:
        assert_z(column.mean(), column.std() / 20, 1.0, n_tests=8, max_err=0.02)


@pytest.mark.statistical
def test_weights_of_one_coupling_everywhere_are_found_biased():
    found = means(LEAST_DRAWS, 100, 2, noise=0.3, ignore=2.0)
    assert_off(found[:, 0].mean(), found[:, 0].std() / 10, 1.0, least=10, max_err=0.02)


@pytest.mark.statistical
def test_errors_of_rows_are_the_spread_over_sets():
    rng, scores = np.random.default_rng(3), []
    for _ in range(200):
        half, log_weights = gaussian(BETAS, 100, rng, noise=0.3)
        rows = pool_of(half, log_weights).rows(BETWEEN * half, half[None])
        scores.append((rows.mean(1) - EXACT[BETWEEN]) / (rows.std(1) / 10))
    # 200 values of unit variance: their mean square scatters by 0.1
    np.testing.assert_allclose(np.mean(np.square(scores), axis=0), 1.0, atol=0.4)


def plain_error(pool, energies):
    """Error of Z without control variates."""
    rows = np.exp(pool.log_base - energies).sum(0)
    return rows.std() / len(rows) ** 0.5


@pytest.mark.parametrize(("noise", "gain"), [(0.02, 2.0), (0.05, 1.3)])
def test_control_variates_carry_what_precise_weights_know(noise, gain):
    """Below the error of pooled sums alone, and of the best node alone."""
    half, log_weights = gaussian(BETAS, 2000, np.random.default_rng(4), noise=noise)
    pool = pool_of(half, log_weights)
    for k, beta in enumerate(BETAS):
        (rows,) = pool.rows(beta * half, np.empty((0, *half.shape)))
        err, own = rows.std() / 2000**0.5, np.exp(log_weights[k]).std() / 2000**0.5
        assert err < 1.05 * own
    (rows,) = pool.rows(BETWEEN * half, np.empty((0, *half.shape)))
    assert gain * rows.std() / 2000**0.5 < plain_error(pool, BETWEEN * half)


@pytest.mark.statistical
def test_perfect_weights_are_no_degenerate_case():
    """Their log Z has no error at a node, and small honest ones between."""
    half, log_weights = gaussian(BETAS, 400, np.random.default_rng(5))
    for beta, exact in EXACT.items():
        rows = pool_of(half, log_weights).rows(beta * half, half[None])
        for row, known in zip(rows, exact, strict=True):
            assert_z(row.mean(), row.std() / 20, known, n_tests=4, max_err=0.003)


def test_one_node_is_the_plain_mean():
    half, log_weights = gaussian(BETAS[:1], 50, np.random.default_rng(6), noise=0.5)
    (rows,) = pool_of(half, log_weights, BETAS[:1]).rows(BETAS[0] * half, np.empty((0, 1, 50)))
    np.testing.assert_allclose(rows, np.exp(log_weights[0]), rtol=1e-12)


def test_the_derivative_along_the_curve_is_an_identity():
    half, log_weights = gaussian(BETAS, 60, np.random.default_rng(7), noise=0.4)
    pool, step = pool_of(half, log_weights), 1e-5
    low, high = (pool.rows(b * half, half[None]).mean(1)[0] for b in (BETWEEN - step, BETWEEN + step))
    minus = -pool.rows(BETWEEN * half, half[None]).mean(1)[1]
    assert (high - low) / (2 * step) == pytest.approx(minus, rel=1e-7)


def test_sums_do_not_depend_on_the_scale_of_weights():
    half, log_weights = gaussian(BETAS, 40, np.random.default_rng(8), noise=0.4)
    rows = pool_of(half, log_weights).rows(BETWEEN * half, half[None])
    large = pool_of(half, log_weights + 900.0).rows(BETWEEN * half + 900.0, half[None])
    np.testing.assert_allclose(large, rows, rtol=1e-9, atol=1e-12)


def test_weights_of_zero_are_allowed_and_a_node_without_any_other_is_not():
    half, log_weights = gaussian(BETAS, 40, np.random.default_rng(9))
    log_weights[1, ::3] = -np.inf
    assert np.isfinite(pool_of(half, log_weights).rows(BETWEEN * half, half[None])).all()
    log_weights[1, :20] = -np.inf
    with pytest.raises(ValueError, match="log_weight_joint must be finite for some draws in each half of"):
        pool_of(half, log_weights)
    with pytest.raises(ValueError, match="draw must hold at least 16 draws of every node, got 15"):
        pool_of(half[:, :15], log_weights[:, :15])
