# SPDX-License-Identifier: MIT
"""Wasserstein distances of normal distributions, which have a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from helpers.datasets import bare
from helpers.stats import assert_z

from edgphys.estimators import wasserstein

PAIR = (np.array([0.0, 1.0]), np.array([1.0, 0.0]))


def normal(n, d, seed, shift=0.0, width=1.0):
    return shift + width * np.random.default_rng(seed).standard_normal((n, d))


@pytest.mark.statistical
def test_wasserstein_of_shifted_normals_is_the_shift():
    rng = np.random.default_rng(0)
    x, y = normal(4000, 1, 1, shift=0.7)[:, 0], normal(4000, 1, 2)[:, 0]
    table = wasserstein(x, y, rng)
    assert_z(float(table.distance), float(table.distance_err), 0.7, max_err=0.05)
    assert abs(float(table.distance) - 0.5) > 5 * float(table.distance_err)


@pytest.mark.slow
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


def test_a_seed_stands_for_its_generator():
    x, y = normal(50, 1, 1)[:, 0], normal(50, 1, 2)[:, 0]
    for seed in (3, np.int64(3)):
        xr.testing.assert_identical(
            bare(wasserstein(x, y, seed)), bare(wasserstein(x, y, np.random.default_rng(3)))
        )
    assert np.isfinite(wasserstein(x, y, 3, n_resamples=2).distance_err)


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
        (lambda: wasserstein(*PAIR, -1), ValueError, "^rng must be an integer >= 0, got -1$"),
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
