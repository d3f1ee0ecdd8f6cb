# SPDX-License-Identifier: MIT
"""Extrapolation in the time step: of polynomials, of exact results, of too few steps."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import edgphys as ep
from edgphys.errors import DatasetError

STEPS = np.array([8.0, 12.0, 16.0, 24.0])


def table(values, errors, methods=("wolff", "exact")):
    rows = {"energy": (("method", "n_slices"), values), "energy_err": (("method", "n_slices"), errors)}
    attrs = {"kind": "scan", "couplings": json.dumps(["n_slices"]), "definitions": "{}"}
    return xr.Dataset(rows, {"n_slices": STEPS, "method": list(methods)}, attrs)


def test_a_parabola_in_the_step_is_found_and_exact_results_stay():
    line, errors = -3.0 + 2.0 / STEPS**2, np.array([0.01, 0.01, 0.02, 0.03])
    found = ep.extrapolate_time_step(table([line, np.full(4, -3.0)], [errors, np.zeros(4)]))
    np.testing.assert_allclose(found["energy"], -3.0, atol=1e-10)
    assert found["energy_err"].values[1] == 0.0 and found["energy_chi2"].values[0] < 1e-15
    # The error is that of least squares: by hand, of the weighted line.
    x, w = 1 / STEPS**2, 1 / errors**2
    err = np.sqrt((w @ x**2) / (w.sum() * (w @ x**2) - (w @ x) ** 2))
    assert found["energy_err"].values[0] == pytest.approx(err)
    assert json.loads(found.attrs["couplings"]) == []


def test_chi2_tells_of_a_missing_term_and_more_terms_mend_it():
    curved = -3.0 + 2.0 / STEPS**2 + 4000.0 / STEPS**4
    given = table([curved, np.full(4, np.nan)], [np.full(4, 0.01), np.full(4, np.nan)])
    assert ep.extrapolate_time_step(given)["energy_chi2"].values[0] > 100
    found = ep.extrapolate_time_step(given, n_terms=2)
    assert found["energy"].values[0] == pytest.approx(-3.0, abs=1e-8) and np.isnan(found["energy"].values[1])


def test_errors_cover():
    """Pulls of 400 noisy lines have variance 1; with errors a third too small they have not."""
    rng, errors = np.random.default_rng(0), np.full(4, 0.01)
    noisy = 1.0 + 5.0 / STEPS**2 + rng.normal(size=(400, 4)) * errors
    found = ep.extrapolate_time_step(table(noisy, np.tile(errors, (400, 1)), tuple(range(400))))
    pulls = (found["energy"] - 1.0) / found["energy_err"]
    assert 0.8 < np.var(pulls) < 1.2 < np.var(1.5 * pulls)


def test_too_few_steps_are_refused():
    with pytest.raises(DatasetError, match="n_slices of at least 3 values, got 2"):
        ep.extrapolate_time_step(table([STEPS, STEPS], [STEPS, STEPS]).isel(n_slices=[0, 1]), n_terms=2)
