# SPDX-License-Identifier: MIT
"""Autocorrelation times of primary and derived quantities: exact for Gaussian AR(1) series, and pyerrors'."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import xarray as xr
from helpers.calibration import exact_tau
from helpers.datasets import bare
from helpers.stats import assert_off, assert_z

from edgphys.errors import ShortChainError
from edgphys.estimators import autocorrelation_times, estimate

DERIVED = ("specific_heat", "susceptibility", "binder_cumulant")
EXACT_TAU = {
    "magnetization": exact_tau,
    "energy": lambda rho: exact_tau(rho**2),
    "susceptibility": lambda rho: exact_tau(rho**2),
    "binder_cumulant": lambda rho: exact_tau(rho**4),
    "specific_heat": lambda rho: (1.5 * exact_tau(rho**4) + 2.0 * exact_tau(rho**2)) / 3.5,
}


@pytest.mark.slow
@pytest.mark.statistical
def test_derived_times_of_gaussian_ar1(gaussian_chains):
    """Hermite polynomials H_k of x decorrelate like rho^(k t).

    Energy and susceptibility project on H_2, the Binder cumulant on H_4, the specific heat, (E - 1/2)^2 =
    H_4/4 + H_2 + 1/2, on both with variances 24/16 and 2. The error is that over 20 repeats: tau_int_err is
    too small for H_4, whose rare large values dominate.
    """
    rho, n_repeats = 0.8, 20
    runs = [autocorrelation_times(gaussian_chains(4, 20_000, rho, seed=k)) for k in range(n_repeats)]
    tau = {name: np.array([float(run.tau_int.sel(quantity=name)) for run in runs]) for name in EXACT_TAU}
    for name, exact in EXACT_TAU.items():
        err = tau[name].std(ddof=1) / np.sqrt(n_repeats)
        assert_z(tau[name].mean(), err, exact(rho), n_tests=5, max_err=0.06 * exact(rho))
    quoted = np.mean([run.tau_int_err.sel(quantity="energy") for run in runs])
    assert 0.6 < quoted / tau["energy"].std(ddof=1) < 1.6  # 4 standard errors of a spread of 20
    # the time of a primary in place of the projection's
    err = tau["binder_cumulant"].std(ddof=1) / np.sqrt(n_repeats)
    assert_off(tau["binder_cumulant"].mean(), err, exact_tau(rho**2), least=30.0, max_err=0.2)


def test_agrees_with_estimate(gaussian_chains):
    samples = gaussian_chains(4, 3000, 0.6, seed=1)
    times, table = autocorrelation_times(samples), estimate(samples)
    kinds = dict(zip(times["quantity"].values, times["kind"].values, strict=True))
    assert {name for name, kind in kinds.items() if kind == "derived"} == set(DERIVED)
    assert {name for name, kind in kinds.items() if kind == "primary"} == set(samples.data_vars)
    for name in (*DERIVED, "energy", "abs_magnetization", "phi2"):
        row = times.sel(quantity=name)
        assert float(row.err) == pytest.approx(float(table[f"{name}_err"]), rel=1e-12)
        assert float(row.estimate) == pytest.approx(float(table[name]), rel=1e-9, abs=1e-12)
    by_name = json.loads(table.attrs["tau_int_by_name"])
    assert set(by_name) == set(kinds)
    for name, tau in by_name.items():
        assert tau == pytest.approx(float(times.tau_int.sel(quantity=name)), abs=6e-4)
    assert bare(times).attrs == {**samples.attrs, "kind": "times", "warning": ""}
    assert all(
        times[name].dtype == np.float64 and times[name].attrs["definition"] for name in times.data_vars
    )


@pytest.mark.parametrize("n_chains", [1, 3])
def test_pinned_to_pyerrors(gaussian_chains, n_chains):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyerrors
    samples = gaussian_chains(n_chains, 6000, 0.7, seed=2)
    for name in samples.data_vars:
        # pyerrors takes deviations from the mean of each chain, we from that of all: make them equal
        samples[name] = samples[name] - samples[name].mean("draw") + samples[name].mean()
    names = [f"e|r{k}" for k in range(n_chains)]
    energy, square, m2, m4 = (
        pyerrors.Obs(list(values), names)
        for values in (
            samples.energy.values,
            samples.energy.values**2
            - (samples.energy.values**2).mean(axis=1, keepdims=True)
            + (samples.energy.values**2).mean(),
            samples.magnetization_2.values,
            samples.magnetization_4.values,
        )
    )
    oracles = {"energy": energy, "susceptibility": m2, "binder_cumulant": 1 - m4 / (3 * m2**2)}
    if n_chains == 1:
        oracles["specific_heat"] = square - energy**2
    times = autocorrelation_times(samples)
    for name, oracle in oracles.items():
        oracle.gamma_method(S=1.5)
        row = times.sel(quantity=name)
        assert float(row.err) == pytest.approx(oracle.dvalue, rel=1e-8), name
        assert float(row.err_err) == pytest.approx(oracle.ddvalue, rel=1e-8), name
        assert int(row.window) == oracle.e_windowsize["e"]
        # Gamma(0) is corrected for its bias C/n here, by 1/n there
        assert float(row.tau_int) == pytest.approx(oracle.e_tauint["e"], rel=6 * float(row.tau_int) / 6000)
        # theirs, eq. (42), is above ours for Gaussian series and below for their powers, see `gamma_method`
        assert 0.75 < float(row.tau_int_err) / oracle.e_dtauint["e"] < 2.5


def test_binning_stands_beside(gaussian_chains):
    times = autocorrelation_times(gaussian_chains(2, 30_000, 0.5, seed=3))
    assert times.binning_converged.mean() > 0.8  # each level is a test at 1 %
    assert np.all(times.closed == 1.0)
    np.testing.assert_allclose(times.binning_err, times.err, rtol=0.25)
    short = autocorrelation_times(gaussian_chains(2, 300, 0.5, seed=3))
    assert np.all(short.binning_converged == 0.0)


def test_derived_quantity_without_a_value_is_nan(gaussian_chains):
    samples = gaussian_chains(1, 200, 0.0, seed=4)
    samples["correlator_zero"] = samples["magnetization_2"]
    samples["correlator_min"] = samples["magnetization_2"] + 10.0  # the ratio is below 1
    row = autocorrelation_times(samples).sel(quantity="correlation_length")
    assert np.isnan(row.tau_int) and np.isnan(row.err) and np.isnan(row.estimate)


def test_what_are_no_chains_is_refused(gaussian_chains):
    with pytest.raises(TypeError, match=r"must be an xarray.Dataset, got list"):
        autocorrelation_times([])
    with pytest.raises(ValueError, match=r"must have the dims .chain, draw., got .'draw'"):
        autocorrelation_times(xr.Dataset({"energy": ("draw", np.zeros(20))}))
    with pytest.raises(ShortChainError, match="got 15"):
        autocorrelation_times(gaussian_chains(2, 15, 0.0, seed=5))
