# SPDX-License-Identifier: MIT
"""Weighted estimates against exact log Z and moments of a Gaussian, and log-normal weights."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from helpers.datasets import bare
from helpers.stats import assert_off, assert_z
from hypothesis import given, settings
from hypothesis import strategies as st

from edgphys.estimators import estimate

ATTRS = dict(temperature=2.0, beta=0.5, n_sites=4, linear_size=2.0, z2_symmetric=1)


def with_weights(log_weights):
    log_weights = np.asarray(log_weights, dtype=float)
    energy = np.linspace(-1.0, 1.0, len(log_weights))
    return xr.Dataset({"energy": ("draw", energy), "log_weight_joint": ("draw", log_weights)}, attrs=ATTRS)


@pytest.mark.statistical
def test_gaussian_with_known_z_and_moments(gaussian_weighted, exact):
    table = estimate(gaussian_weighted(50_000, seed=0))
    for name, value in exact.items():
        err = float(table[f"{name}_err"])
        assert_z(float(table[name]), err, value, n_tests=len(exact), max_err=0.03)
    assert float(table.magnetization) == 0.0
    assert float(table.magnetization_err) == 0.0
    assert float(table.reliable) == 1.0
    assert table.attrs["warning"] == ""
    assert np.isnan(table.tau_int)
    assert np.isnan(table.converged)


@pytest.mark.statistical
def test_gaussian_without_symmetry(gaussian_weighted):
    table = estimate(gaussian_weighted(50_000, seed=1, shift=0.3, z2_symmetric=0))
    assert_z(float(table.magnetization), float(table.magnetization_err), 0.0, n_tests=2, max_err=0.03)
    assert_z(float(table.susceptibility), float(table.susceptibility_err), 1.0, n_tests=2, max_err=0.03)


def test_ignoring_the_weights_is_seen(gaussian_weighted, exact):
    samples = gaussian_weighted(50_000, seed=2)
    samples["log_weight_joint"] = samples["log_weight_joint"] * 0
    table = estimate(samples)
    assert_off(float(table.energy), float(table.energy_err), exact["energy"], least=30.0, max_err=0.03)


@pytest.mark.statistical
def test_log_normal_weights_have_the_analytic_error():
    n, spread = 20_000, 0.8
    log_weights = 700.0 + spread * np.random.default_rng(3).standard_normal(n) - spread**2 / 2
    table = estimate(with_weights(log_weights))
    exact_err = np.sqrt((np.exp(spread**2) - 1) / n)
    assert float(table.log_z_err) == pytest.approx(exact_err, rel=0.15)
    assert_z(float(table.log_z), float(table.log_z_err), 700.0, n_tests=2, max_err=1.2 * exact_err)
    assert_z(float(table.elbo), float(table.elbo_err), 700.0 - spread**2 / 2, n_tests=2, max_err=0.01)
    assert float(table.elbo_err) == pytest.approx(spread / np.sqrt(n), rel=0.15)
    assert float(table.ess) == pytest.approx(np.exp(-(spread**2)), rel=0.1)
    assert float(table.ess_count) == pytest.approx(n * float(table.ess))
    width = float(table.log_z_high - table.log_z_low) / 2
    assert width == pytest.approx(float(table.log_z_err), rel=0.2)
    assert float(table.free_energy) == -2.0 * float(table.log_z)
    assert float(table.free_energy_err) == 2.0 * float(table.log_z_err)


@pytest.mark.slow
@pytest.mark.statistical
def test_one_sigma_bars_of_log_z_and_energy_cover(gaussian_weighted, exact):
    z = {"log_z": [], "energy": [], "specific_heat": []}
    for seed in range(150):
        table = estimate(gaussian_weighted(1000, seed=100 + seed))
        for name, values in z.items():
            values.append((float(table[name]) - exact[name]) / float(table[f"{name}_err"]))
    for name, values in z.items():
        inside = np.mean(np.abs(values) < 1)
        assert abs(inside - 0.683) < 4.1 * np.sqrt(0.683 * 0.317 / 150), f"{name}: coverage {inside:.3f}"


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(-1e4, 1e4))
def test_log_z_shifts_with_the_log_weights_and_nothing_else_does(shift):
    log_weights = np.random.default_rng(4).standard_normal(300)
    plain, moved = estimate(with_weights(log_weights)), estimate(with_weights(log_weights + shift))
    for name in plain.data_vars:
        expected = float(plain[name])
        if name in ("log_z", "elbo", "entropy", "log_z_low", "log_z_high"):
            expected += shift
        if name == "free_energy":
            expected -= 2.0 * shift
        np.testing.assert_allclose(float(moved[name]), expected, rtol=1e-7, atol=1e-7, err_msg=str(name))


def test_equal_weights_are_exact():
    table = estimate(with_weights(np.full(1000, -3.0)))
    assert (float(table.log_z), float(table.log_z_err), float(table.elbo)) == (-3.0, 0.0, -3.0)
    assert table.attrs["warning"] == ""
    assert float(table.ess) == pytest.approx(1.0)
    assert float(table.max_weight) == pytest.approx(1e-3)
    assert np.isnan(table.pareto_k)
    assert float(table.reliable) == 1.0


def test_draws_of_one_energy_tell_no_error_and_little_of_log_z():
    """Equal weights on equal configurations: others have 1/n, and nothing says that they get their weight."""
    samples = with_weights(np.full(10_000, -3.0))
    samples["energy"][:] = -8.0
    table = estimate(samples)
    assert float(table.energy) == -8.0 and np.isnan(table.energy_err) and np.isnan(table.specific_heat_err)
    assert float(table.log_z_err) == pytest.approx(1e-4)
    assert float(table.free_energy_err) == pytest.approx(2e-4)
    assert (float(table.reliable), table.attrs["warning"]) == (0.0, "no fluctuation seen in energy")
    by_nature = estimate(samples.assign_attrs(constants='["energy"]'))  # as of free spins
    assert (float(by_nature.reliable), float(by_nature.energy_err)) == (1.0, 0.0)
    assert float(by_nature.log_z_err) == 0.0


@pytest.mark.parametrize(("n_events", "reliable"), [(1, 0.0), (4, 0.0), (9, 0.0), (40, 1.0)])
def test_errors_of_a_few_draws_are_not_reliable(n_events, reliable):
    samples = with_weights(np.random.default_rng(1).normal(0.0, 0.1, 10_000))
    few = estimate(samples.assign(energy=("draw", np.where(np.arange(10_000) < n_events, 0.0, -8.0))))
    assert float(few.reliable) == reliable, few.attrs["warning"]
    assert ("energy rests on fewer than 10 draws" in few.attrs["warning"]) != reliable
    log_weights = np.zeros(10_000)
    log_weights[:n_events] = 4.0  # 1 to 40 of 10,000 draws that no share of the largest weight shows
    few = estimate(with_weights(log_weights))
    assert float(few.reliable) == reliable, few.attrs["warning"]
    assert ("log_z" in few.attrs["warning"]) != reliable


def test_one_dominant_draw_is_not_reliable():
    log_weights = np.random.default_rng(5).standard_normal(1000)
    log_weights[7] += 20.0
    table = estimate(with_weights(log_weights))
    assert float(table.reliable) == 0.0
    for words in ("effective sample size", "of all weight", "of sum w"):
        assert words in table.attrs["warning"]


def test_draw_that_drowns_all_others_has_no_error_bar():
    log_weights = np.zeros(1000)
    log_weights[7] = 5000.0
    table = estimate(with_weights(log_weights))
    assert float(table.log_z) == pytest.approx(5000.0 - np.log(1000))
    assert float(table.log_z_err) == np.inf
    assert float(table.reliable) == 0.0


def test_heavy_tail_is_not_reliable():
    u = np.random.default_rng(6).uniform(size=20_000)
    table = estimate(with_weights(-np.log(u)))  # P(w > y) = 1/y: no mean
    assert float(table.pareto_k) > 0.7
    assert "Pareto" in table.attrs["warning"]


def test_few_draws_are_not_reliable():
    table = estimate(with_weights(np.zeros(50)))
    assert table.attrs["warning"] == "effective sample size 50 is below 100"


def test_draws_of_zero_weight_count():
    table = estimate(with_weights([0.0, -np.inf] * 500))
    assert float(table.log_z) == pytest.approx(-np.log(2.0), abs=1e-2)
    assert float(table.elbo) == -np.inf
    assert float(table.ess) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("log_weights", "message"),
    [
        ([0.0, np.nan, 0.0], "finite or -inf, got 1 of 3"),
        ([0.0, np.inf], "finite or -inf, got 1 of 2"),
        ([-np.inf, -np.inf], "at least one draw, got -inf for all"),
        ([0.0], "at least 2 weighted draws, got 1"),
    ],
)
def test_unusable_weights_are_refused(log_weights, message):
    with pytest.raises(ValueError, match=message):
        estimate(with_weights(log_weights))


def test_seed_moves_the_bootstrap_interval_only(gaussian_weighted):
    samples = gaussian_weighted(500, seed=7)
    one, same, other = (estimate(samples, seed=seed) for seed in (1, 1, 2))
    xr.testing.assert_identical(bare(one), bare(same))
    assert float(one.log_z_low) != float(other.log_z_low)
    assert float(one.log_z_err) == float(other.log_z_err)
