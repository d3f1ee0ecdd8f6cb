# SPDX-License-Identifier: MIT
"""Rare bins: errors of what was hardly or never seen, and free energies that are withheld."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from helpers.springs import bin_shares, first, harmonic_chains, harmonic_weighted

from edgphys.estimators import average, basins, energy_histogram, free_energy_profile
from edgphys.estimators.diagnosis import diagnose
from edgphys.estimators.profiles.shares import MIN_VISITS, shares


def test_bins_of_few_visits_have_no_free_energy(samples):
    edges = np.linspace(-7.0, 7.0, 29)
    profile = free_energy_profile(samples, first, edges)
    visits, found = profile.n_visits.values, np.isfinite(profile.free_energy.values)
    np.testing.assert_array_equal(found, visits >= MIN_VISITS)
    np.testing.assert_array_equal(found, np.isfinite(profile.free_energy_err))
    assert 8 < found.sum() < 25 and visits.max() > 100
    # The error of F is T over the root of the visits.
    np.testing.assert_allclose(profile.free_energy_err[found], 1.5 / np.sqrt(visits[found]), rtol=0.12)


def test_what_nobody_has_seen_has_an_error(samples):
    """An empty bin has one part in the independent draws, not 0; and so has what is always there."""
    profile = free_energy_profile(samples, first, [-1.0, 1.0, 50.0, 60.0])
    diagnosis = diagnose(samples, {"first": samples["configurations"].values[..., 0]})
    assert float(profile.density_err[2] * 10.0) == pytest.approx(1.0 / diagnosis.n_independent)
    table = basins(samples, lambda x: np.zeros(len(x)), ["all", "none"])
    np.testing.assert_allclose(table.population_err, 1.0 / diagnose(samples).n_independent, rtol=0.3)
    assert (energy_histogram(samples, [0.0, 1.0, 900.0, 901.0]).density_err > 0.0).all()


@pytest.mark.slow
def test_errors_of_rare_bins_cover():
    """Bins of 5 to 50 expected visits: of those with a free energy, 60 to 75 % of bars hold the exact one."""
    edges = np.array([2.2, 2.6, 3.0, 3.4])
    exact, inside = bin_shares(edges), []
    for seed in range(250):
        profile = free_energy_profile(harmonic_weighted(seed, 1500, width=1.3, shift=0.0), first, edges)
        z = (profile.free_energy + 1.5 * np.log(exact / np.diff(edges))) / profile.free_energy_err
        inside += list(np.abs(z.values[np.isfinite(z)]) < 1.0)
    assert len(inside) > 400 and 0.6 < np.mean(inside) < 0.75


def test_the_window_is_that_of_the_slowest_observable(ar1):
    """A bin that follows a slow coordinate weakly: its own window leaves the slow part out of its error."""
    rng = np.random.default_rng(5)
    slow, fast = ar1((8, 20_000), 0.995, rng), rng.standard_normal((8, 20_000))
    dims = ("chain", "draw")
    both = xr.Dataset({"slow": (dims, slow), "x": (dims, fast + 0.1 * slow)})
    # variance of the mean of x: (1 + 0.01 x 399) / n
    exact = np.sqrt((1.0 + 0.01 * 399.0) / slow.size)
    assert 0.8 < float(average(both, "x").x_err) / exact < 1.25
    assert float(average(both[["x"]], "x").x_err) / exact < 0.75


def test_an_average_of_few_draws_is_flagged():
    rng = np.random.default_rng(0)
    x = rng.random((4, 2000))
    samples = xr.Dataset({"x": (("chain", "draw"), x)})
    assert average(samples, "x").attrs["warning"] == ""
    rare = samples.assign(rare=samples["x"] < 4 / 8000)
    assert "the error of rare rests on" in average(rare, "rare").attrs["warning"]
    weighted = xr.Dataset({"x": ("draw", x[0]), "log_weight_joint": ("draw", np.zeros(2000))})
    assert average(weighted, "x").attrs["warning"] == ""
    heavy = weighted.assign(heavy=weighted["x"] ** -2.0)
    assert "the error of heavy rests on" in average(heavy, "heavy").attrs["warning"]


def test_visits_are_counted_by_weights_too():
    """A bin whose weight lies on one of its hundred draws has one visit, whatever their number."""
    log_weights = np.zeros(1000)
    log_weights[0] = 12.0
    draws = xr.Dataset({"log_weight_joint": ("draw", log_weights)})
    inside = (np.arange(1000) % 10 == 0)[None] * 1.0
    assert shares(draws, inside, diagnose(draws)).n_visits[0] < 1.01
    even = xr.Dataset({"log_weight_joint": ("draw", np.zeros(1000))})
    assert shares(even, inside, diagnose(even)).n_visits[0] == pytest.approx(100.0, rel=0.2)


def test_chains_that_never_meet_have_no_difference(ar1):
    """Each chain in a basin of its own: the populations are those of the starts, and it is said."""
    samples = harmonic_chains(ar1).assign(
        side=(("chain", "draw"), np.repeat([[0.0], [0.0], [1.0], [1.0]], 4000, 1))
    )
    table = basins(samples, "side", ["a", "b"])
    assert np.isnan(table.free_energy_difference[1]) and "r_hat inf" in table.attrs["warning"]
