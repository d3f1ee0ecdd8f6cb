# SPDX-License-Identifier: MIT
"""Logarithmic binning against the closed form of AR(1) bins, and its plateau where there is one or none."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.calibration import exact_tau
from helpers.stats import assert_off, assert_z
from hypothesis import given, settings
from hypothesis import strategies as st

from edgphys.errors import ShortChainError
from edgphys.estimators import log_binning
from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.estimators.chains.binning import MIN_BINS


def exact_level_err(a, bin_size, n):
    """Error of the mean of n draws if bins were independent: sqrt(variance of a bin * bin_size / n)."""
    b = bin_size
    variance = ((1 + a) / (1 - a) - 2 * a * (1 - a**b) / (b * (1 - a) ** 2)) / b
    return np.sqrt(variance * b / n)


@pytest.mark.statistical
@pytest.mark.parametrize(("a", "n_chains"), [(0.0, 1), (0.7, 1), (0.9, 8), (-0.5, 1)])
def test_every_level_is_that_of_ar1(ar1, a, n_chains):
    n = 2**18
    result = log_binning(ar1((n_chains, n // n_chains), a, np.random.default_rng(1)))
    assert result.converged and result.bin_sizes[-1] * MIN_BINS == n
    for size, err, err_err in zip(result.bin_sizes, result.errs, result.err_errs, strict=True):
        # neighbouring bins are correlated, so the error of an error is up to sqrt(2 tau_int / B) longer
        spread = err_err * np.sqrt(max(1.0, 2 * exact_tau(a) / size))
        assert_z(err, spread, exact_level_err(a, size, n), n_tests=60, max_err=0.2 * err)
    exact = np.sqrt(2 * exact_tau(a) / n)
    assert_z(result.err, result.err_err, exact, n_tests=4, max_err=0.1 * exact)
    assert_z(result.tau_int, result.tau_int_err, exact_tau(a), n_tests=4, max_err=0.2 * exact_tau(a))
    if a != 0.0:
        # single draws taken as independent
        assert_off(result.errs[0], result.err_errs[0], exact, least=100.0, max_err=exact)


@pytest.mark.statistical
def test_pinned_to_the_gamma_method(ar1):
    x = ar1((4, 50_000), 0.8, np.random.default_rng(2)) ** 2
    binned, gamma = log_binning(x), gamma_method(x)
    assert binned.mean == gamma.mean
    assert abs(binned.err - gamma.err) < 3 * np.hypot(binned.err_err, gamma.err_err)


def test_plateau_is_refused_on_short_and_slow_series(ar1):
    rng = np.random.default_rng(3)
    short = log_binning(ar1((1, 2000), 0.95, rng))
    assert not short.converged and short.level == len(short.errs) - 1
    # a slow mode of a tenth of the amplitude, with tau_int 1000: the fast one has its plateau long before
    fast = rng.standard_normal((1, 2**17))
    with_slow = log_binning(fast + 0.1 * ar1((1, 2**17), 0.999, rng))
    assert log_binning(fast).converged
    assert not with_slow.converged and with_slow.err > 2 * with_slow.errs[0]
    drift = log_binning(fast + np.linspace(0, 1, 2**17))
    assert not drift.converged


@pytest.mark.statistical
def test_plateau_is_rarely_refused_on_long_series(ar1):
    rng = np.random.default_rng(4)
    found = [log_binning(ar1((1, 2**14), 0.3, rng)).converged for _ in range(300)]
    assert np.mean(found) > 0.95


def test_levels_are_the_direct_sums():
    x = np.random.default_rng(5).standard_normal((3, 77))
    result = log_binning(x)
    assert result.bin_sizes.tolist() == [1, 2, 4]
    assert result.n_bins.tolist() == [231, 114, 57]
    bins = x[:, :76].reshape(3, 19, 4).mean(axis=2).ravel()
    err = bins.std(ddof=1) / np.sqrt(57) * np.sqrt(228 / 231)
    np.testing.assert_allclose(result.errs[2], err, rtol=1e-12)
    np.testing.assert_allclose(result.errs[0], x.std(ddof=1) / np.sqrt(231), rtol=1e-12)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_log_binning_equivariant_under_affine_maps(scale, offset):
    x = np.cumsum(np.random.default_rng(6).standard_normal((2, 300)), axis=1) * 0.1
    plain, mapped = log_binning(x), log_binning(offset - scale * x)
    np.testing.assert_allclose(mapped.errs, scale * plain.errs, rtol=1e-6)
    np.testing.assert_allclose(mapped.tau_ints, plain.tau_ints, rtol=1e-6)


def test_chains_are_not_joined():
    x = np.random.default_rng(7).standard_normal((40, 16)) + 3.0 * np.arange(40)[:, None]
    result = log_binning(x)
    assert result.bin_sizes[-1] == 16 and result.n_bins[-1] == 40  # whole chains, the last level
    assert result.errs[-1] == pytest.approx(x.mean(axis=1).std(ddof=1) / np.sqrt(40), rel=1e-12)


def test_constant_series_has_an_unknown_error():
    result = log_binning(np.full((2, 100), 0.1))
    assert np.isnan([result.err, result.tau_int]).all() and not result.converged


def test_alternating_series_has_an_error_of_zero_from_bins_of_two_on():
    result = log_binning(np.tile([1.0, -1.0], 2**15))
    assert result.errs[0] > 0 and np.all(result.errs[1:] == 0.0)
    assert result.converged and result.tau_int == 0.0


def test_short_chain_is_refused():
    with pytest.raises(ShortChainError, match="at least 16 draws per chain, got 15"):
        log_binning(np.ones((50, 15)))
