# SPDX-License-Identifier: MIT
"""Distances of normal distributions: closed forms of Wasserstein, MMD and forward sample size."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from helpers.stats import assert_z

from edgphys.errors import UnknownNameError
from edgphys.estimators.profiles.distances import forward_ess, mmd, wasserstein


def normal(n, d, seed, shift=0.0, width=1.0):
    return shift + width * np.random.default_rng(seed).standard_normal((n, d))


def gaussian_mmd(d, shift, width, h):
    """MMD^2 of N(0, 1) and N(shift, width^2) in d dimensions: <k> has the variances added to h^2."""

    def mean(variance, distance2=0.0):
        return (h**2 / (h**2 + variance)) ** (d / 2) * math.exp(-distance2 / 2 / (h**2 + variance))

    return mean(2.0) + mean(2 * width**2) - 2 * mean(1 + width**2, d * shift**2)


# ---------------------------------------------------------------------------------------- Wasserstein


@pytest.mark.statistical
def test_wasserstein_of_shifted_normals_is_the_shift():
    rng = np.random.default_rng(0)
    x, y = normal(4000, 1, 1, shift=0.7)[:, 0], normal(4000, 1, 2)[:, 0]
    table = wasserstein(x, y, rng)
    assert_z(float(table.distance), float(table.distance_err), 0.7, max_err=0.05)
    assert abs(float(table.distance) - 0.5) > 5 * float(table.distance_err)


@pytest.mark.statistical
def test_wasserstein_of_scaled_normals():
    """int |F - G| = (s - 1) sqrt(2/pi) for the widths s and 1."""
    x, y = normal(8000, 1, 1, width=1.5)[:, 0], normal(8000, 1, 2)[:, 0]
    table = wasserstein(x, y, np.random.default_rng(0))
    assert_z(float(table.distance), float(table.distance_err), 0.5 * math.sqrt(2 / math.pi), max_err=0.05)


def test_wasserstein_floor_is_that_of_equal_distributions():
    values = []
    for seed in range(10):
        x, y = normal(500, 1, seed)[:, 0], normal(500, 1, 100 + seed)[:, 0]
        table = wasserstein(x, y, np.random.default_rng(seed), n_resamples=30)
        values.append((float(table.distance), float(table.floor)))
    distance, floor = np.mean(values, axis=0)
    assert 0.6 < distance / floor < 1.6
    far = wasserstein(normal(500, 1, 0, shift=0.5)[:, 0], normal(500, 1, 1)[:, 0], np.random.default_rng(0))
    assert float(far.distance) > 4 * float(far.floor)


@pytest.mark.statistical
def test_weights_remove_the_distance():
    x, y = normal(20000, 1, 1, width=1.4)[:, 0], normal(20000, 1, 2)[:, 0]
    log_weights = -(x**2) / 2 + x**2 / (2 * 1.96)
    plain, weighted = (
        wasserstein(x, y, np.random.default_rng(0), log_weights=w, n_resamples=10)
        for w in (None, log_weights)
    )
    assert float(weighted.distance) < 2.5 * float(weighted.floor) < float(plain.distance) / 4
    assert weighted.attrs["ess_count"] < plain.attrs["ess_count"] == pytest.approx(20000)
    for extra in ({}, {"kernel": "polynomial", "degree": 2}):
        one = mmd(x[:2000, None], y[:2000, None], log_weights=log_weights[:2000], **extra)
        two = mmd(x[:2000, None], y[:2000, None], **extra)
        assert abs(float(one.mmd_squared)) < 4 * float(one.null_err) < float(two.mmd_squared)


# ------------------------------------------------------------------------------------------------ MMD


@pytest.mark.statistical
@pytest.mark.parametrize("shift, width", [(0.5, 1.0), (0.0, 1.6), (1.0, 0.5)])
def test_mmd_of_normals(shift, width):
    table = mmd(normal(2000, 2, 1, shift, width), normal(1500, 2, 2), bandwidths=[0.5, 2.0])
    exact = np.mean([gaussian_mmd(2, shift, width, h) for h in (0.5, 2.0)])
    assert_z(float(table.mmd_squared), float(table.mmd_squared_err), exact, n_tests=3, max_err=0.2 * exact)
    assert abs(float(table.mmd_squared) - 0.4 * exact) > 5 * float(table.mmd_squared_err)
    assert float(table.mmd) == pytest.approx(math.sqrt(table.mmd_squared))
    assert table.attrs["bandwidths"] == [0.5, 2.0] and table.attrs["n_reference"] == 1500


@pytest.mark.statistical
def test_polynomial_mmd_of_normals():
    """(1 + x y)^2 in one dimension: MMD^2 = 2 (difference of means)^2 + (difference of second moments)^2."""
    x, y = normal(6000, 1, 1, 0.4, 1.2), normal(6000, 1, 2)
    table = mmd(x, y, kernel="polynomial", degree=2)
    exact = 2 * 0.16 + (0.16 + 1.44 - 1) ** 2
    assert_z(float(table.mmd_squared), float(table.mmd_squared_err), exact, max_err=0.15 * exact)


@pytest.mark.statistical
def test_mmd_of_equal_distributions_is_unbiased():
    """Mean zero, spread as stated; the estimate that keeps the diagonal would be 2/n too large."""
    tables = [mmd(normal(150, 2, 2 * k), normal(100, 2, 2 * k + 1)) for k in range(200)]
    values = np.array([float(t.mmd_squared) for t in tables])
    null = np.mean([float(t.null_err) for t in tables])
    assert_z(values.mean(), values.std(ddof=1) / math.sqrt(200), 0.0, max_err=0.001)
    assert 0.85 < values.std() / null < 1.15
    biased = (1 - gaussian_mmd(2, 0, 0, 1.0) + 1) / 150  # any positive constant over n
    assert abs(values.mean() - biased) > 5 * values.std() / math.sqrt(200)
    assert (values < 0).any()


def test_mmd_from_scratch():
    x, y = normal(7, 3, 0), normal(5, 3, 1, 0.5)
    p = np.random.default_rng(2).dirichlet(np.ones(7))

    def k(a, b):
        return math.exp(-((a - b) ** 2).sum() / (2 * 0.7**2))

    xx = sum(p[i] * p[j] * k(x[i], x[j]) for i in range(7) for j in range(7) if i != j) / (1 - p @ p)
    yy = sum(k(y[i], y[j]) for i in range(5) for j in range(5) if i != j) / 20
    xy = sum(p[i] * k(x[i], y[j]) / 5 for i in range(7) for j in range(5))
    table = mmd(x, y, bandwidths=[0.7], log_weights=np.log(p) + 100.0)
    assert float(table.mmd_squared) == pytest.approx(xx + yy - 2 * xy, rel=1e-12)


# --------------------------------------------------------------------------------------- forward ESS


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


def test_a_seed_stands_for_its_generator():
    x, y = normal(50, 1, 1)[:, 0], normal(50, 1, 2)[:, 0]
    for seed in (3, np.int64(3)):
        xr.testing.assert_identical(wasserstein(x, y, seed), wasserstein(x, y, np.random.default_rng(3)))
    assert np.isfinite(wasserstein(x, y, 3, n_resamples=2).distance_err)


PAIR = (np.array([0.0, 1.0]), np.array([1.0, 0.0]))
POINTS = (np.zeros((3, 2)), np.ones((3, 2)))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: wasserstein(*PAIR, None),
            TypeError,
            "^rng must be a numpy Generator or an integer seed >= 0, got",
        ),
        (lambda: wasserstein(*PAIR, 1.5), TypeError, r"integer seed >= 0, got 1\.5$"),
        (lambda: wasserstein(*PAIR, True), TypeError, "integer seed >= 0, got True$"),
        (lambda: wasserstein(*PAIR, -1), ValueError, "integer seed >= 0, got -1$"),
        (
            lambda: wasserstein(*PAIR, 0, n_resamples=1),
            ValueError,
            "^n_resamples must be an integer >= 2, got 1$",
        ),
        (lambda: wasserstein(*PAIR, 0, n_resamples=2.5), TypeError, r"integer >= 2, got 2\.5$"),
        (
            lambda: wasserstein([0.0, np.nan], PAIR[1], 0),
            ValueError,
            "^values must be at least two finite numbers, got 1 of 2 not finite$",
        ),
        (lambda: wasserstein(PAIR[0], "a", 0), TypeError, "^reference must be at least two .*, got 'a'$"),
        (
            lambda: wasserstein([[0.0], [0.0, 1.0]], PAIR[1], 0),
            ValueError,
            r"got \[\[0\.0\], \[0\.0, 1\.0\]\]$",
        ),
        (
            lambda: wasserstein(*PAIR, 0, log_weights=[np.nan, -np.inf]),
            ValueError,
            "2 numbers, finite or -inf, one of them finite, got 1 NaN, 0 inf, 1 -inf$",
        ),
        (
            lambda: mmd(*POINTS, bandwidths=-1.0),
            ValueError,
            r"^bandwidths must be positive.*, got \[-1\.0\]$",
        ),
        (lambda: mmd(*POINTS, bandwidths=[np.inf]), ValueError, r"positive and finite, got \[inf\]$"),
        (
            lambda: mmd(*POINTS, bandwidths="a"),
            TypeError,
            "^bandwidths must be positive and finite, got 'a'$",
        ),
        (lambda: mmd(*POINTS, bandwidths=None), TypeError, "positive and finite, got None$"),
        (
            lambda: mmd(*POINTS, kernel="polynomial", degree=2.7),
            TypeError,
            r"^degree must be .* >= 1, got 2\.7$",
        ),
        (lambda: mmd(*POINTS, kernel="polynomial", degree=-2), ValueError, "an integer >= 1, got -2$"),
        (lambda: mmd(POINTS[0] * np.nan, POINTS[1]), ValueError, "^x must be .*, got 6 of 6 not finite$"),
        (lambda: forward_ess([np.nan, 0.0]), ValueError, "^log_weights must be .*, got 1 of 2 not finite$"),
        (lambda: forward_ess("a"), TypeError, "^log_weights must be at least two finite numbers, got 'a'$"),
    ],
)
def test_what_came_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: mmd(np.zeros((3, 2)), np.zeros((3, 1))), ValueError, "one dimension, got 2 and 1"),
        (
            lambda: mmd(np.zeros((3, 2)), np.zeros((3, 2)), kernel="box"),
            UnknownNameError,
            "kernel must be one of",
        ),
        (lambda: mmd(np.zeros((3, 2)), np.zeros((3, 2)), bandwidths=[0.0]), ValueError, "must be positive"),
        (lambda: mmd(np.zeros(3), np.zeros(3)), ValueError, r"finite points, shape \(n, d\)"),
        (lambda: forward_ess([np.nan, 0.0]), ValueError, "at least two finite numbers"),
        (
            lambda: wasserstein([0.0, 1.0], [np.inf, 0.0], np.random.default_rng(0)),
            ValueError,
            "reference must be",
        ),
        (
            lambda: wasserstein([0.0, 1.0], [1.0, 0.0], np.random.default_rng(0), log_weights=[0.0]),
            ValueError,
            "log weights of values must be 2 numbers",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
