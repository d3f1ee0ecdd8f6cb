# SPDX-License-Identifier: MIT
"""Forward sample size of normal distributions, which has a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from helpers.stats import assert_z

from edgphys.estimators import forward_ess


@pytest.mark.statistical
@pytest.mark.parametrize("width", [1.2, 1.5])
def test_forward_ess_of_normals(width):
    """p = N(0, 1), q = N(0, s^2): 1 / E_p[w/Z] = sqrt(2 s^2 - 1) / s^2."""
    x = np.random.default_rng(0).standard_normal(20000)
    log_weights = -(x**2) / 2 + x**2 / (2 * width**2) + 17.0
    table = forward_ess(log_weights)
    exact = math.sqrt(2 * width**2 - 1) / width**2
    assert_z(float(table.forward_ess), float(table.forward_ess_err), exact, max_err=0.01)
    assert abs(float(table.forward_ess) - exact**2) > 5 * float(table.forward_ess_err)


def test_forward_ess_sees_a_dropped_mode():
    """q has one of two equal modes: its own draws say ESS 1, those of the reference do not."""
    assert float(forward_ess(np.repeat([0.0, 30.0], 100)).forward_ess) < 1e-10
    assert np.isfinite(forward_ess(np.array([0.0, 2000.0, 0.0])).forward_ess)


def test_forward_ess_takes_chains():
    logs = np.random.default_rng(0).standard_normal((4, 50))
    flat = forward_ess(logs.ravel())
    for chains in (logs, xr.DataArray(logs, dims=("chain", "draw"))):
        xr.testing.assert_identical(forward_ess(chains), flat)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: forward_ess([np.nan, 0.0]), ValueError, "^log_weights must be .*, got 1 of 2 not finite$"),
        (lambda: forward_ess("a"), TypeError, "^log_weights must be at least two finite numbers, got 'a'$"),
        (lambda: forward_ess([np.nan, 0.0]), ValueError, "at least two finite numbers"),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
