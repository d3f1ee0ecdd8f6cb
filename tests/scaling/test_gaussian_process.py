# SPDX-License-Identifier: MIT
"""Smooth functions through values: the density against scipy's normal law, limits of the regression."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from edgphys.scaling import gaussian_process as gp

KERNEL = gp.Kernel(1.3, 0.7, 0.05)
X = np.linspace(-2.0, 2.0, 7)


def test_likelihood_is_that_of_a_normal_law():
    noise = np.diag(np.linspace(0.01, 0.05, 7))
    y = np.sin(X)
    expected = multivariate_normal.logpdf(y, np.zeros(7), KERNEL.of_values(X, noise))
    assert gp.log_likelihood(X, y, noise, KERNEL) == pytest.approx(expected, abs=1e-10)


def test_likelihood_of_a_singular_covariance_is_minus_infinity():
    twice = np.zeros(2)
    assert gp.log_likelihood(twice, twice, np.zeros((2, 2)), gp.Kernel(1.0, 1.0, 0.0)) == -np.inf


@pytest.mark.parametrize(("noise", "share"), [(1e-10, 1.0), (1.0, 0.5), (1e6, 0.0)])
def test_values_count_by_their_errors(noise, share):
    """One value y of error s, an amplitude 1: the function there is y / (1 + s^2)."""
    found = gp.smooth(np.zeros(1), np.ones(1), np.full((1, 1), noise), gp.Kernel(1.0, 1.0, 0.0), np.zeros(1))
    assert found[0] == pytest.approx(share, abs=1e-5)


def test_fitted_kernel_is_more_probable_than_its_neighbours():
    rng = np.random.default_rng(0)
    noise = 1e-4 * np.eye(7)
    y = np.sin(X) + 1e-2 * rng.standard_normal(7)
    best = gp.fitted(X, y, noise)
    at_best = gp.log_likelihood(X, y, noise, best)
    for factor in (0.8, 1.25):
        for other in (
            gp.Kernel(best.amplitude * factor, best.length, best.roughness),
            gp.Kernel(best.amplitude, best.length * factor, best.roughness),
        ):
            assert gp.log_likelihood(X, y, noise, other) < at_best
