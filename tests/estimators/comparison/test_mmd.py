# SPDX-License-Identifier: MIT
"""Maximum mean discrepancies of normal distributions, which have a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.stats import assert_z

from edgphys.errors import UnknownNameError
from edgphys.estimators import mmd

POINTS = (np.zeros((3, 2)), np.ones((3, 2)))


def normal(n, d, seed, shift=0.0, width=1.0):
    return shift + width * np.random.default_rng(seed).standard_normal((n, d))


def gaussian_mmd(d, shift, width, h):
    """MMD^2 of N(0, 1) and N(shift, width^2) in d dimensions: <k> has the variances added to h^2."""

    def mean(variance, distance2=0.0):
        return (h**2 / (h**2 + variance)) ** (d / 2) * math.exp(-distance2 / 2 / (h**2 + variance))

    return mean(2.0) + mean(2 * width**2) - 2 * mean(1 + width**2, d * shift**2)


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


@pytest.mark.statistical
@pytest.mark.parametrize("extra", [{}, {"kernel": "polynomial", "degree": 2}])
def test_weights_remove_the_discrepancy(extra):
    x, y = normal(20000, 1, 1, width=1.4)[:2000], normal(20000, 1, 2)[:2000]
    log_weights = (-(x**2) / 2 + x**2 / (2 * 1.96))[:, 0]
    one, two = mmd(x, y, log_weights=log_weights, **extra), mmd(x, y, **extra)
    assert abs(float(one.mmd_squared)) < 4 * float(one.null_err) < float(two.mmd_squared)


@pytest.mark.parametrize(
    "call, error, message",
    [
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
        (lambda: mmd(np.zeros((3, 2)), np.zeros((3, 1))), ValueError, "one dimension, got 2 and 1"),
        (
            lambda: mmd(np.zeros((3, 2)), np.zeros((3, 2)), kernel="box"),
            UnknownNameError,
            "kernel must be one of",
        ),
        (lambda: mmd(np.zeros((3, 2)), np.zeros((3, 2)), bandwidths=[0.0]), ValueError, "must be positive"),
        (lambda: mmd(np.zeros(3), np.zeros(3)), ValueError, r"finite points, shape \(n, d\)"),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
