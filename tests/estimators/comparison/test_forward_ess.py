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


def test_forward_ess_takes_chains(ar1):
    """The value is that of all draws; the error knows of their correlation, and bad chains are flagged."""
    rng = np.random.default_rng(0)
    logs = 0.5 * ar1((4, 4000), 0.9, rng)
    flat, independent = forward_ess(logs.ravel()), forward_ess(rng.permutation(logs.ravel()))
    for chains in (logs, xr.DataArray(logs, dims=("chain", "draw"))):
        table = forward_ess(chains)
        assert float(table.forward_ess) == float(flat.forward_ess) and table.attrs["warning"] == ""
        # The result is even in them to leading order: tau_int is that of their squares, 4.8.
        assert 2.2 < float(table.forward_ess_err / independent.forward_ess_err) < 4.0
    assert "r_hat" in forward_ess(logs + np.arange(4)[:, None]).attrs["warning"]
    assert "r_hat" not in forward_ess(logs[:, :15]).attrs["warning"]  # too few for chains


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
