# SPDX-License-Identifier: MIT
"""Chains of unequal length: as pyerrors has them, and no padding in any number that is made of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from helpers.products import OF_CHAINS, OF_DRAWS, chains
from hypothesis import given, settings
from hypothesis import strategies as st

import edgphys as ep
from edgphys.dataset.padding import DRAWN, padded, side_by_side
from edgphys.edg.reference import reference_configurations
from edgphys.errors import ArgumentValueError, DatasetError, ShortChainError
from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.estimators.chains.binning import log_binning
from edgphys.estimators.chains.convergence import halves_z, r_hat

PRODUCTS = {
    **OF_DRAWS,
    **OF_CHAINS,
    "reweight": lambda s: ep.reweight(s, temperature=[1.0, 1.1], n_resamples=3),
    "density_of_states": lambda s: ep.density_of_states(s, bins=6),
}


def run(first, last, n_draws, seed):
    return chains().isel(chain=slice(first, last), draw=slice(n_draws)).assign_attrs(seed=seed)


def two_runs():
    return [run(0, 2, 200, 1), run(2, 4, 500, 2)]


def spoilt(merged):
    """Numbers that would be seen in place of the padding."""
    there = merged[DRAWN]
    return merged.map(lambda values: values.where(there, 7.0).transpose(*values.dims), keep_attrs=True)


@pytest.mark.parametrize("name", PRODUCTS)
def test_padding_enters_no_number(name):
    merged = ep.dataset.merge(two_runs())
    result = PRODUCTS[name](merged)
    other = PRODUCTS[name](spoilt(merged))
    xr.testing.assert_equal(result, other)
    assert result.attrs.get("warning") == other.attrs.get("warning")
    # other numbers there, or chains cut to the shortest, are another result
    for wrong in (spoilt(merged).drop_vars(DRAWN), merged.drop_vars(DRAWN).isel(draw=slice(200))):
        assert not result.drop_attrs().equals(PRODUCTS[name](wrong).drop_attrs())


@pytest.mark.parametrize("name", PRODUCTS)
def test_chains_of_one_length_are_the_same_with_padding_behind_them_all(name):
    plain = run(0, 4, 200, 1)
    xr.testing.assert_allclose(PRODUCTS[name](padded(plain, 210)), PRODUCTS[name](plain), rtol=1e-10)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(n=st.lists(st.integers(16, 600), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_gamma_method_is_that_of_pyerrors(n, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on import
        import pyerrors
    rng = np.random.default_rng(seed)
    series = [np.convolve(rng.standard_normal(m + 8), np.ones(8) / 8, "valid")[:m] for m in n]
    # pyerrors takes deviations from the mean of each chain, we from that of all: make them equal
    series = [3.0 + chain - chain.mean() for chain in series]
    oracle = pyerrors.Obs(series, [f"e|r{k}" for k in range(len(n))])
    oracle.gamma_method(S=1.5)
    ours, window = gamma_method(side_by_side(series)), oracle.e_windowsize["e"]
    assert ours.window == window
    np.testing.assert_allclose(ours.mean, oracle.value, rtol=1e-12)
    np.testing.assert_allclose([ours.err, ours.err_err], [oracle.dvalue, oracle.ddvalue], rtol=1e-10)
    # pyerrors corrects Gamma(0) for the bias 1/n, here it is C/n (eq. 49)
    tau_int, size = oracle.e_tauint["e"], sum(n)
    bare = tau_int * (1 + 1 / size) / (1 + (2 * window + 1) / size)
    np.testing.assert_allclose(ours.tau_int, tau_int * (1 + 1 / size) / (1 + 2 * bare / size), rtol=1e-10)
    if len(set(n)) > 1:
        zeros = gamma_method(np.nan_to_num(side_by_side(series)))
        cut = gamma_method(np.stack([chain[: min(n)] for chain in series]))
        assert abs(zeros.err / oracle.dvalue - 1) > 1e-10 and abs(cut.err / oracle.dvalue - 1) > 1e-10


def test_halves_of_equal_length_are_those_of_arviz(ar1):
    x = ar1((3, 401), 0.6, np.random.default_rng(0)) + np.arange(3)[:, None] * 0.3
    odd = side_by_side([x[0], np.delete(x[1], 200), np.delete(x[2], 200)])  # arviz drops the middle draw
    np.testing.assert_allclose(r_hat(odd), r_hat(x), rtol=1e-12)
    np.testing.assert_allclose(halves_z(odd), halves_z(x), rtol=0.05)


def test_chains_that_disagree_are_seen_whatever_their_length(ar1):
    rng = np.random.default_rng(1)
    long, short = ar1((5000,), 0.5, rng), ar1((300,), 0.5, rng)
    assert r_hat(side_by_side([long, short])) < 1.01 < r_hat(side_by_side([long, short + 1.0]))
    drift = np.linspace(0.0, 1.0, 300)
    assert (
        abs(halves_z(side_by_side([long[:400], short])))
        < 3.0
        < abs(halves_z(side_by_side([long[:400] + np.linspace(0.0, 1.0, 400), short + drift])))
    )


def test_binning_drops_no_chain(ar1):
    series = ar1((2, 6000), 0.5, np.random.default_rng(2))
    uneven = side_by_side([series[0, :2000], series[0, 2000:], series[1]])
    one, other = log_binning(series), log_binning(uneven)
    assert other.n_bins[0] == 12_000 and abs(other.err / one.err - 1) < 0.1
    assert not np.isnan(other.errs).any()


def test_short_chains_and_empty_ones_are_refused():
    merged = ep.dataset.merge(two_runs())
    for start in (190, 200):
        with pytest.raises(ShortChainError, match=f"16 draws per chain, got {200 - start}"):
            ep.estimate(merged.isel(draw=slice(start, None)))


def test_what_has_no_place_for_unequal_chains_refuses_them():
    merged = ep.dataset.merge(two_runs())
    with pytest.raises(DatasetError, match="chains of equal length, got 200 to 500 draws"):
        ep.to_inference_data(merged)
    assert ep.to_inference_data(merged.isel(draw=slice(200)))["posterior"].sizes["draw"] == 200
    with pytest.raises(ArgumentValueError, match="chains of equal length, got 200 to 500 draws"):
        reference_configurations(merged, ep.DoubleWell())
