# SPDX-License-Identifier: MIT
"""MBAR: error bars with what rungs and draws share, thinning, overlap."""

from __future__ import annotations

import importlib
import re

import numpy as np
import pytest
from helpers.ladders import EXACT, MODES, PATH, coverage, gaussian_ladder, gaussian_log_z
from helpers.stats import assert_z

from edgphys.estimators import mbar

mbar_module = importlib.import_module("edgphys.estimators.ladders.mbar")


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("decay, shared, n_draws", [(0.0, 0.0, 256), (0.0, 0.8, 256), (0.7, 0.5, 1024)])
def test_error_bars_of_mbar_cover_where_the_asymptotic_ones_do_not(monkeypatch, decay, shared, n_draws):
    # One thinning for all repeats: with each new shape jax would compile anew.
    stride = round((1 + decay) / (1 - decay))
    monkeypatch.setattr(mbar_module, "_strides", lambda data: [stride] * data.n_rungs)
    fraction, asymptotic = coverage(mbar, 300, decay, shared, n_draws)
    assert 0.683 - 0.085 < fraction < 0.683 + 0.085
    if shared:
        assert asymptotic < fraction - 0.05
    else:
        assert abs(asymptotic - 0.683) < 0.085


def test_errors_see_what_rungs_share():
    """What all rungs of a chain share adds up in log Z: our errors follow, the asymptotic ones do not."""
    results = {
        shared: mbar(gaussian_ladder(np.random.default_rng(3), PATH, 4, 4000, MODES, shared=shared))
        for shared in (0.0, 0.9)
    }
    ours, asymptotic = (
        {s: float(r[n][2]) for s, r in results.items()} for n in ("log_z_err", "log_z_err_asymptotic")
    )
    assert abs(ours[0.0] / asymptotic[0.0] - 1) < 0.15
    assert ours[0.9] > 1.15 * asymptotic[0.9]


def test_correlated_draws_are_thinned():
    ladder = gaussian_ladder(np.random.default_rng(4), PATH, 4, 2000, MODES, decay=0.8)
    result = mbar(ladder, EXACT[0])
    assert (result["n_used"] < 8000 / 4).all() and (result["n_used"] > 8000 / 16).all()
    assert_z(float(result["log_z"][3]), float(result["log_z_err"][3]), EXACT[3], max_err=0.1)


def test_small_overlap_is_named(monkeypatch):
    ladder = gaussian_ladder(np.random.default_rng(5), PATH, 4, 4000, MODES)
    overlap = mbar(ladder)["overlap"]
    assert (overlap[:-1] > 0.1).all() and (overlap[:-1] < 0.35).all() and np.isnan(overlap[-1])
    assert mbar(ladder).attrs["warning"] == ""
    monkeypatch.setattr(mbar_module, "MIN_OVERLAP", 0.5)  # what equal neighbours have
    assert re.match(r"overlap of rungs \d and \d is 0\.\d+, below 0.5", mbar(ladder).attrs["warning"])


@pytest.mark.slow
def test_a_dense_ladder_overlaps():
    """Of 40 rungs almost alike each draw might have come from any: a row of the matrix is spread thin."""
    dense = np.linspace(PATH[0], PATH[0] + 0.05 * (PATH[1] - PATH[0]), 40)
    result = mbar(gaussian_ladder(np.random.default_rng(6), dense, 2, 100, MODES))
    assert float(result["overlap"].max()) < 0.03 and result.attrs["warning"] == ""


def test_rungs_that_share_nothing_leave_the_error_that_convexity_leaves():
    path = np.array([[1.0, 0.0], [400.0, 0.0]])
    result = mbar(gaussian_ladder(np.random.default_rng(5), path, 4, 500, 24))
    exact = gaussian_log_z(path, 24)
    assert "overlap of rungs 0 and 1 is" in result.attrs["warning"]
    off, err = abs(float(result["log_z"][1]) - (exact[1] - exact[0])), float(result["log_z_err"][1])
    assert 1.0 < off < err and np.isnan(result["log_z_err_asymptotic"]).all()


def test_global_random_numbers_are_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    mbar(gaussian_ladder(np.random.default_rng(1), PATH, 4, 4000, MODES))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
