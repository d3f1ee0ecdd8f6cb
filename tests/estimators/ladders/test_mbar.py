# SPDX-License-Identifier: MIT
"""Thermodynamic integration and MBAR on ladders of Gaussian modes, whose free energies are closed forms."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from helpers.ladders import as_ladder, gaussian_ladder, gaussian_log_z
from helpers.stats import assert_z

from edgphys.errors import ShortChainError
from edgphys.estimators import thermodynamic_integration
from edgphys.estimators.ladders.mbar import mbar

mbar_module = importlib.import_module("edgphys.estimators.ladders.mbar")

# (a_0, a_1) with weight exp(-a_0 sum x^2 / 2 - a_1 sum x): an irregular path.
PATH = np.array([[1.0, 0.0], [1.3, 0.2], [1.8, 0.3], [2.2, 0.0]])
MODES = 3
EXACT = gaussian_log_z(PATH, MODES)
ESTIMATORS = {"ti": thermodynamic_integration, "mbar": mbar}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("reference", [0, 2, -1])
def test_free_energies_of_gaussian_modes(name, reference):
    ladder = gaussian_ladder(np.random.default_rng(5), PATH, 4, 4000, MODES)
    result = ESTIMATORS[name](ladder, EXACT[reference], reference)
    assert result["log_z_err"][reference] == 0 and result["log_z"][reference] == EXACT[reference]
    for k in set(range(4)) - {reference % 4}:
        assert_z(float(result["log_z"][k]), float(result["log_z_err"][k]), EXACT[k], n_tests=18, max_err=0.03)
    assert result.attrs["warning"] == ""


@pytest.mark.parametrize("name", ESTIMATORS)
def test_draws_from_a_wrong_law_are_seen(name):
    ladder = gaussian_ladder(np.random.default_rng(5), PATH, 4, 4000, MODES)
    ladder["action_terms"][2] *= 1.15
    result = ESTIMATORS[name](ladder, EXACT[0])
    with pytest.raises(AssertionError):
        for k in (2, 3):
            assert_z(float(result["log_z"][k]), float(result["log_z_err"][k]), EXACT[k], max_err=0.1)


def test_quadrature_converges_with_the_order_of_its_rule():
    """Cumulants of X = x^2 / 2 over one step of log a = h, at their exact values."""
    errors = {"trapezoid": [], "cubic": [], "quintic": []}
    for h in (0.4, 0.2):
        a = np.array([1.0, np.exp(h)])
        step = a[1] - a[0]
        k1, k2, k3 = 1 / (2 * a), 1 / (2 * a**2), 1 / a**3
        exact = -h / 2
        base = -step * k1.mean()
        second, third = step**2 * (k2[0] - k2[1]), step**3 * k3.sum()
        for rule, value in (
            ("trapezoid", base),
            ("cubic", base + second / 12),
            ("quintic", base + second / 10 - third / 120),
        ):
            errors[rule].append(abs(value - exact))
    orders = {rule: np.log2(pair[0] / pair[1]) for rule, pair in errors.items()}
    assert abs(orders["trapezoid"] - 3) < 0.1 and abs(orders["cubic"] - 5) < 0.2
    assert abs(orders["quintic"] - 7) < 0.3


def test_quadrature_error_is_bounded_by_the_distance_of_the_rules():
    wide = np.array([[1.0, 0.0], [4.0, 0.0]])
    ladder = gaussian_ladder(np.random.default_rng(2), wide, 4, 20000, MODES)
    result = thermodynamic_integration(ladder)
    exact = gaussian_log_z(wide, MODES)
    off = abs(float(result["log_z"][1]) - (exact[1] - exact[0]))
    quadrature, err = float(result["log_z_quadrature"][1]), float(result["log_z_err"][1])
    assert off < quadrature + 4 * err and quadrature > 10 * err
    assert abs(float(result["log_z_trapezoid"][1]) - (exact[1] - exact[0])) > 3 * off


def coverage(estimator, n_repeats, decay, shared, n_draws=256, n_chains=4):
    """Fractions of repeats in which the truth is inside one error bar: ours, and the asymptotic one."""
    inside, asymptotic = [], []
    for seed in range(n_repeats):
        ladder = gaussian_ladder(
            np.random.default_rng([seed, 9]), PATH[:3], n_chains, n_draws, MODES, decay, shared
        )
        result = estimator(ladder, EXACT[0]).isel(rung=-1)
        off = abs(float(result["log_z"]) - EXACT[2])
        inside.append(off < float(result["log_z_err"]))
        if "log_z_err_asymptotic" in result:
            asymptotic.append(off < float(result["log_z_err_asymptotic"]))
    return np.mean(inside), np.mean(asymptotic) if asymptotic else None


@pytest.mark.statistical
@pytest.mark.parametrize("decay, shared", [(0.0, 0.0), (0.0, 0.8), (0.7, 0.5)])
def test_error_bars_of_thermodynamic_integration_cover(decay, shared):
    # One standard deviation of the fraction is 0.019 at 600 repeats; with tau_int to be found errors are
    # a little short.
    fraction, _ = coverage(thermodynamic_integration, 600, decay, shared)
    assert 0.683 - 0.06 < fraction < 0.683 + 0.06


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
    monkeypatch.setattr(mbar_module, "MIN_OVERLAP", float(overlap.min()) + 1e-3)
    low = int(np.nanargmin(overlap.values))
    assert f"overlap of rungs {low} and {low + 1} is 0." in mbar(ladder).attrs["warning"]


def test_global_random_numbers_are_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    mbar(gaussian_ladder(np.random.default_rng(1), PATH, 4, 4000, MODES))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("name", ESTIMATORS)
def test_short_chains_are_refused(name):
    with pytest.raises(ShortChainError, match="draw must hold at least 16"):
        ESTIMATORS[name](gaussian_ladder(np.random.default_rng(1), PATH, 2, 15, MODES))


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda d: (d.values, 0.0, 0), TypeError, "ladder must be an xarray.Dataset"),
        (lambda d: (d.drop_vars("action_terms"), 0.0, 0), ValueError, "ladder must hold action_terms"),
        (lambda d: (d.isel(rung=[0]), 0.0, 0), ValueError, "at least 2 rungs, got 1"),
        (lambda d: (d.where(d > 1e9), 0.0, 0), ValueError, "action_terms must be finite"),
        (lambda d: (d, np.nan, 0), ValueError, "log_z_reference must be finite, got nan"),
        (lambda d: (d, 0.0, 4), ValueError, r"reference must be a rung, -4 \.\. 3, got 4"),
        (lambda d: (d.isel(chain=0), 0.0, 0), ValueError, "action_terms must have the dims"),
    ],
)
def test_bad_arguments_are_refused(change, error, message):
    ladder = as_ladder(np.zeros((4, 2, 20, 2)), PATH)
    with pytest.raises(error, match=message):
        thermodynamic_integration(*change(ladder))
