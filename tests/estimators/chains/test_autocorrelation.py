# SPDX-License-Identifier: MIT
"""Gamma method against AR(1) series, for which mean, error and tau_int are known, and against pyerrors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.stats
from helpers.stats import assert_z
from hypothesis import given, settings
from hypothesis import strategies as st

from edgphys.errors import ShortChainError
from edgphys.estimators.chains.autocorrelation import autocovariance, gamma_method


def exact_tau(rho):
    return 0.5 * (1 + rho) / (1 - rho)


def assert_coverage(z, n_tests=1):
    """Fraction of |z| < 1 against 68.3 %, by its binomial error; truncating the window costs up to 2 %."""
    inside, expected = np.mean(np.abs(z) < 1), 0.6827
    limit = scipy.stats.norm.isf(0.5e-4 / n_tests) * np.sqrt(expected * (1 - expected) / len(z)) + 0.02
    assert abs(inside - expected) < limit, f"coverage {inside:.3f}, expected {expected:.3f} +- {limit:.3f}"


@pytest.mark.statistical
@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_tau_int_of_ar1(ar1, rho):
    results = [gamma_method(series) for series in ar1((50, 1, 20_000), rho, np.random.default_rng(1))]
    tau = np.array([result.tau_int for result in results])
    quoted = np.mean([result.tau_int_err for result in results])
    noise = max(tau.std(ddof=1) / np.sqrt(50), 1e-3)
    # truncation leaves a bias of a fraction of one error bar per series, of order 1 % here
    assert abs(tau.mean() - exact_tau(rho)) < 4 * noise + 0.01 * exact_tau(rho)
    assert noise < 0.02 * exact_tau(rho)
    if rho > 0:  # the error of tau_int is that over many series
        assert 0.7 < quoted / tau.std(ddof=1) < 1.4
    assert all(result.closed for result in results)


@pytest.mark.statistical
def test_error_of_ar1_is_the_exact_one(ar1):
    rho, n = 0.8, 100_000
    result = gamma_method(ar1((4, n // 4), rho, np.random.default_rng(2)))
    exact = np.sqrt(2 * exact_tau(rho) / n)
    assert_z(result.err, result.err_err, exact, max_err=0.03 * exact)
    assert_z(result.mean, result.err, 0.0, max_err=0.02)


@pytest.mark.statistical
@pytest.mark.parametrize("n_chains", [1, 4])
def test_one_sigma_bars_cover(ar1, n_chains):
    series = ar1((200, n_chains, 8000 // n_chains), 0.9, np.random.default_rng(3))
    results = [gamma_method(one) for one in series]
    assert_coverage(np.array([result.mean / result.err for result in results]), n_tests=2)


@pytest.mark.statistical
def test_one_sigma_bars_cover_over_many_chains(ar1):
    rng = np.random.default_rng(4)
    results = [gamma_method(ar1((2, 10_000), 0.9, rng)) for _ in range(1000)]
    z = np.array([result.mean / result.err for result in results])
    assert_coverage(z)
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / len(z)) + 0.04


@pytest.mark.statistical
def test_bars_without_autocorrelation_do_not_cover(ar1):
    series = ar1((200, 1, 4000), 0.9, np.random.default_rng(5))[:, 0]
    naive = series.mean(axis=1) / (series.std(axis=1, ddof=1) / np.sqrt(series.shape[1]))
    assert np.mean(np.abs(naive) < 1) < 0.3


@pytest.mark.parametrize("n_chains", [1, 3])
def test_pinned_to_pyerrors(ar1, n_chains):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on import
        import pyerrors
    series = 2.0 + ar1((n_chains, 3000), 0.7, np.random.default_rng(6))
    # pyerrors takes deviations from the mean of each chain, we from that of all: make them equal
    series += 2.0 - series.mean(axis=1, keepdims=True)
    oracle = pyerrors.Obs(list(series), [f"e|r{k}" for k in range(n_chains)])
    oracle.gamma_method(S=1.5)
    ours = gamma_method(series)
    np.testing.assert_allclose(ours.mean, oracle.value, rtol=1e-12)
    np.testing.assert_allclose(ours.err, oracle.dvalue, rtol=1e-10)
    np.testing.assert_allclose(ours.err_err, oracle.ddvalue, rtol=1e-10)
    assert ours.window == oracle.e_windowsize["e"]
    # tau_int in the same convention; pyerrors corrects Gamma(0) for the bias 1/n, here it is C/n (eq. 49)
    np.testing.assert_allclose(ours.tau_int, oracle.e_tauint["e"], rtol=3 * 2 * ours.tau_int / series.size)


def test_autocovariance_is_the_direct_sum(ar1):
    x = ar1((2, 50), 0.5, np.random.default_rng(7))
    direct = [np.sum(x[:, : 50 - t] * x[:, t:]) / (2 * (50 - t)) for t in range(25)]
    np.testing.assert_allclose(autocovariance(x, 25), direct, atol=1e-13)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_gamma_method_equivariant_under_affine_maps(scale, offset):
    x = np.cumsum(np.random.default_rng(8).standard_normal((2, 300)), axis=1) * 0.1
    plain, mapped = gamma_method(x), gamma_method(offset - scale * x)
    np.testing.assert_allclose(mapped.err, scale * plain.err, rtol=1e-6)
    np.testing.assert_allclose(mapped.tau_int, plain.tau_int, rtol=1e-6)


def test_constant_series_has_an_unknown_error():
    result = gamma_method(np.full((2, 100), 0.1))
    assert np.isnan([result.err, result.err_err, result.tau_int, result.tau_int_err]).all()
    assert not result.closed


def test_anticorrelated_series_keeps_the_error_of_independent_draws(ar1):
    x = ar1((1, 5000), -0.9, np.random.default_rng(9))
    result = gamma_method(x)
    assert result.tau_int == pytest.approx(0.5, rel=1e-2)
    assert result.err == pytest.approx(x.std() / np.sqrt(5000), rel=1e-2)


def test_chains_that_disagree_have_a_long_tau_int():
    x = np.random.default_rng(10).standard_normal((2, 1000)) + np.array([[0.0], [3.0]])
    result = gamma_method(x)
    assert result.tau_int > 100
    assert result.err > 0.5  # two chains three apart know their mean to no better than that


def test_short_chain_is_refused_with_what_there_is():
    with pytest.raises(ShortChainError, match="at least 16 draws per chain, got 15") as caught:
        gamma_method(np.cumsum(np.ones((3, 15)), axis=1))
    assert 0.5 < caught.value.tau_int < 15
