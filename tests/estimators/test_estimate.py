# SPDX-License-Identifier: MIT
"""The dispatcher: same names from all methods, attributes carried over, exact results in the same shape."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from helpers.datasets import bare

from edgphys.errors import UnknownNameError
from edgphys.estimators import estimate, estimates_from_exact
from edgphys.observables import DIAGNOSTICS, ESTIMATES


def test_all_methods_give_the_same_variables(gaussian_chains, gaussian_weighted):
    chain = estimate(gaussian_chains(2, 100, 0.2, seed=0, method="hmc", definitions='{"energy": "my own"}'))
    weighted = estimate(gaussian_weighted(100, seed=0, method="edg"))
    exact = estimates_from_exact({"energy": 0.5}, {"temperature": 1.0})
    names = {*ESTIMATES, *(f"{name}_err" for name in ESTIMATES), *DIAGNOSTICS}
    for table in (chain, weighted, exact):
        assert set(table.data_vars) == names
        assert all(table[name].dims == () and table[name].dtype == np.float64 for name in names)
        assert all(table[name].attrs["definition"] for name in names)
        assert (table.attrs["kind"], table.attrs["schema_version"]) == ("estimates", 1)
        assert set(json.loads(table.attrs["definitions"])) >= names
    assert chain.attrs["method"] == "hmc"
    assert chain["energy"].attrs["definition"] == "my own"
    assert "joint" in weighted["ess"].attrs["space"]
    assert (weighted.attrs["n_sites"], weighted.attrs["estimate_seed"]) == (1, 0)


def test_samples_are_left_as_they_are(gaussian_weighted):
    samples = gaussian_weighted(100, seed=1)
    copy = samples.copy(deep=True)
    estimate(samples)
    xr.testing.assert_identical(samples, copy)


def test_transposed_chains_give_the_same(gaussian_chains):
    samples = gaussian_chains(2, 100, 0.2, seed=2)
    xr.testing.assert_identical(bare(estimate(samples)), bare(estimate(samples.transpose("draw", "chain"))))


def test_exact_results_have_no_error():
    table = estimates_from_exact(
        {"log_z": 3.0, "correlation_length": np.nan}, {"temperature": 2.0, "system": "ising"}
    )
    assert (float(table.log_z), float(table.log_z_err)) == (3.0, 0.0)
    assert (float(table.free_energy), float(table.free_energy_err)) == (-6.0, 0.0)
    assert np.isnan(table.correlation_length_err)
    assert np.isnan(table.energy)
    assert (table.attrs["method"], table.attrs["system"]) == ("exact", "ising")


def test_exact_result_of_unknown_name_is_refused():
    with pytest.raises(UnknownNameError, match=r"got .'enthalpy'"):
        estimates_from_exact({"enthalpy": 1.0}, {})


def test_what_are_no_samples_is_refused():
    with pytest.raises(TypeError, match=r"xarray.Dataset, got dict"):
        estimate({})
    with pytest.raises(ValueError, match=r"log_weight_joint, or .chain, draw., got dims .'draw'"):
        estimate(xr.Dataset({"energy": ("draw", np.zeros(3))}))
