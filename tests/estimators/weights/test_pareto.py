# SPDX-License-Identifier: MIT
"""Tail index on weights with a known tail, and pinned to arviz."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from edgphys.estimators.weights.pareto import pareto_k, pareto_k_limit


@pytest.mark.statistical
@pytest.mark.parametrize("k", [0.2, 0.5, 1.0])
def test_tail_index_of_pareto_weights(k):
    u = np.random.default_rng(0).uniform(size=200_000)
    # the fit uses about 1300 draws: error (1 + k) / sqrt(1300)
    assert abs(pareto_k(-k * np.log(u)) - k) < 4 * (1 + k) / np.sqrt(1300)


@pytest.mark.parametrize(("n", "spread"), [(100, 1.0), (5000, 0.3), (5000, 3.0)])
def test_pinned_to_arviz(n, spread):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz

        log_weights = spread * np.random.default_rng(1).standard_normal(n)
        _, oracle = arviz.psislw(log_weights.copy())
    assert pareto_k(log_weights) == pytest.approx(float(oracle), abs=1e-6)


def test_no_tail_no_index():
    assert np.isnan(pareto_k(np.zeros(1000)))
    assert np.isnan(pareto_k(np.arange(20.0)))


def test_index_is_invariant_under_a_constant():
    log_weights = np.random.default_rng(2).standard_normal(1000)
    assert pareto_k(log_weights) == pytest.approx(pareto_k(log_weights - 5000.0), abs=1e-9)


def test_limit_is_never_above_07():
    assert pareto_k_limit(10**9) == 0.7
    assert pareto_k_limit(100) == pytest.approx(0.5)
    assert 0 < pareto_k_limit(2) < 0.1
