# SPDX-License-Identifier: MIT
"""Molecular observables of processes with known distributions, for chains and weighted draws."""

from __future__ import annotations

import functools
import math
import re

import numpy as np
import pytest
import scipy.special
import scipy.stats
import xarray as xr
from helpers.stats import assert_z

from edgphys.estimators.profiles.averages import averages
from edgphys.estimators.profiles.profiles import (
    average,
    basins,
    energy_histogram,
    free_energy_profile,
    pair_distances,
)

TEMPERATURE = 1.5
EDGES = np.linspace(-2.4, 2.4, 13)


def harmonic_chains(ar1, seed=0, n_draws=4000, rho=0.8):
    """E = x^2 / 2 at T = 1.5 as AR(1) series."""
    x = math.sqrt(TEMPERATURE) * ar1((4, n_draws), rho, np.random.default_rng(seed))
    return dataset(x, ("chain", "draw"))


def harmonic_weighted(seed=0, n_draws=16000, width=1.6, shift=0.3):
    """The same from N(shift, width^2), with weights."""
    noise = np.random.default_rng(seed).standard_normal(n_draws)
    x = shift + width * noise
    log_weight = -(x**2) / (2 * TEMPERATURE) + noise**2 / 2
    return dataset(x, ("draw",)).assign(log_weight_joint=("draw", log_weight))


def dataset(x, dims):
    variables = {"energy": (dims, x**2 / 2), "configurations": ((*dims, "coordinate"), x[..., None])}
    return xr.Dataset(variables, attrs={"temperature": TEMPERATURE})


def first(x):
    return x[:, 0]


def bin_shares(edges, variance=TEMPERATURE):
    return np.diff(scipy.stats.norm.cdf(edges, scale=math.sqrt(variance)))


@pytest.fixture(params=["chains", "weighted"])
def samples(request, ar1):
    return harmonic_chains(ar1) if request.param == "chains" else harmonic_weighted()


@pytest.mark.statistical
def test_free_energy_profile_of_a_spring(samples):
    profile = free_energy_profile(samples, first, EDGES)
    exact = -TEMPERATURE * np.log(bin_shares(EDGES) / np.diff(EDGES))
    for k in range(len(exact)):
        value, err = float(profile.free_energy[k]), float(profile.free_energy_err[k])
        assert_z(value, err, exact[k], n_tests=len(exact), max_err=0.15)
    assert float(profile.outside) == pytest.approx(1 - bin_shares(EDGES).sum(), abs=0.02)
    # another stiffness is seen
    wrong = -TEMPERATURE * np.log(bin_shares(EDGES, 1.5 * TEMPERATURE) / np.diff(EDGES))
    z = (profile.free_energy - wrong) / profile.free_energy_err
    assert np.abs(z).max() > 6
    assert profile.attrs["temperature"] == TEMPERATURE and profile.coordinate_low[0] == EDGES[0]


@pytest.mark.statistical
def test_energy_histogram_of_a_spring(samples):
    edges = np.linspace(0.0, 6.0, 11)
    histogram = energy_histogram(samples, edges)
    exact = np.diff(scipy.special.erf(np.sqrt(edges / TEMPERATURE))) / np.diff(edges)
    for k in range(len(exact)):
        assert_z(
            float(histogram.density[k]), float(histogram.density_err[k]), exact[k], n_tests=10, max_err=0.05
        )
    assert np.abs((histogram.density - 1.2 * exact) / histogram.density_err).max() > 6
    whole = energy_histogram(samples, 40)
    assert float((whole.density * (whole.energy_high - whole.energy_low)).sum()) == pytest.approx(1.0)


@pytest.mark.statistical
def test_basins_of_a_spring(samples):
    def label(x):
        return np.where(x[:, 0] < -0.5, 0, np.where(x[:, 0] > 1.0, 2, 1))

    table = basins(samples, label, ["left", "middle", "right"], reference=1)
    exact = bin_shares([-np.inf, -0.5, 1.0, np.inf])
    difference = -TEMPERATURE * np.log(exact / exact[1])
    for k in (0, 2):
        value, err = (
            float(table[name][k]) for name in ("free_energy_difference", "free_energy_difference_err")
        )
        assert_z(value, err, difference[k], n_tests=4, max_err=0.1)
        assert abs(value + difference[k]) > 6 * err  # the sign matters
        assert_z(
            float(table.population[k]), float(table.population_err[k]), exact[k], n_tests=4, max_err=0.02
        )
    assert float(table.free_energy_difference[1]) == 0 and float(table.free_energy_difference_err[1]) == 0
    assert float(table.unassigned) == pytest.approx(0.0, abs=1e-12)
    two = basins(samples, label, ["left", "middle"])
    assert float(two.unassigned) == pytest.approx(float(table.population[2]))
    assert table.basin.values.tolist() == ["left", "middle", "right"]


@pytest.mark.statistical
def test_average_of_a_function_and_of_a_variable(samples):
    table = average(samples, lambda x: x[:, 0] ** 2, name="square")
    assert_z(float(table.square), float(table.square_err), TEMPERATURE, max_err=0.1)
    energy = average(samples, "energy")
    assert float(energy.energy) == pytest.approx(float(table.square) / 2)
    assert abs(float(table.square) - 1.0) > 6 * float(table.square_err)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["chains", "weighted"])
def test_error_bars_cover(kind, ar1):
    """z over many seeds has variance one; without the autocorrelation it would not."""
    edges, scores = np.array([-1.0, 0.2, 1.5]), []
    exact = -TEMPERATURE * np.log(bin_shares(edges) / np.diff(edges))
    for seed in range(200):
        draws = harmonic_chains(ar1, seed, 1000) if kind == "chains" else harmonic_weighted(seed, 2000)
        profile = free_energy_profile(draws, first, edges)
        scores.append((profile.free_energy.values - exact) / profile.free_energy_err.values)
    spread = np.var(scores)
    assert 0.75 < spread < 1.3 and abs(np.mean(scores)) < 0.25


@pytest.mark.statistical
def test_pair_distances_of_normal_particles():
    """Independent normal positions in D = 2: r^2 / 4 is exponential, the density r/2 exp(-r^2/4)."""
    rng = np.random.default_rng(3)
    positions = rng.standard_normal((2, 3000, 4, 2))
    samples = xr.Dataset({"configurations": (("chain", "draw", "particle", "axis"), positions)})
    edges = np.linspace(0.0, 5.0, 11)
    table = pair_distances(samples, edges)
    share = np.diff(-np.exp(-(edges**2) / 4))
    for k in range(10):
        assert_z(
            float(table.density[k]), float(table.density_err[k]), share[k] / 0.5, n_tests=20, max_err=0.01
        )
        exact = share[k] / (math.pi * (edges[k + 1] ** 2 - edges[k] ** 2))
        value, err = float(table.radial_density[k]), float(table.radial_density_err[k])
        assert_z(value, err, exact, n_tests=20, max_err=0.01)
    flat = 1 / math.pi / 25
    assert np.abs((table.radial_density - flat) / table.radial_density_err).max() > 10
    total = pair_distances(samples, 50)
    assert float((total.density * (total.distance_high - total.distance_low)).sum()) == pytest.approx(1.0)


def test_weights_and_chains_agree_where_both_apply():
    """Equal weights: the mean and error of independent draws."""
    x = np.random.default_rng(0).standard_normal(400)
    weighted = xr.Dataset({"log_weight_joint": ("draw", np.full(400, 5.0))})
    value, err = averages(weighted, x[None])
    assert value[0] == pytest.approx(x.mean()) and err[0] == pytest.approx(x.std(ddof=1) / 20)


def test_empty_bins_and_basins_are_nan(samples):
    profile = free_energy_profile(samples, first, [-1.0, 1.0, 50.0, 60.0])
    assert np.isnan(profile.free_energy[2]) and float(profile.density[2]) == 0.0
    assert np.isfinite(profile.free_energy[:2]).all()
    table = basins(samples, lambda x: np.zeros(len(x)), ["all", "none"])
    assert float(table.population[0]) == pytest.approx(1.0) and np.isnan(table.free_energy_difference[1])


def test_bad_arguments_are_refused(samples):
    with pytest.raises(ValueError, match="coordinate must be a function or a variable of samples"):
        average(samples, "volume")
    with pytest.raises(ValueError, match="one number a configuration"):
        average(samples, lambda x: x, name="x")
    with pytest.raises(ValueError, match="increasing edges"):
        energy_histogram(samples, [1.0, 0.0])
    with pytest.raises(ValueError, match=r"with the dims \(\.\.\., particle, axis\)"):
        pair_distances(samples)
    with pytest.raises(ValueError, match=r"reference must be in 0 \.\. 0, got 1"):
        basins(samples, first, ["one"], reference=1)
    with pytest.raises(ValueError, match="must hold configurations"):
        average(samples.drop_vars("configurations"), first)
    with pytest.raises(ValueError, match=r"must have the dims \(draw,\) with log_weight_joint"):
        average(xr.Dataset({"energy": ("draw", np.zeros(3))}), "energy")


@pytest.mark.parametrize(
    "make", [energy_histogram, lambda s, b: free_energy_profile(s, "energy", b), pair_distances]
)
@pytest.mark.parametrize(
    "bins, error, came",
    [
        (-1, ValueError, "-1"),
        (0, ValueError, "0"),
        (True, ValueError, "True"),
        (2.5, ValueError, r"2\.5"),
        ([2, 1], ValueError, r"\[2, 1\]"),
        ([1.0], ValueError, r"\[1\.0\]"),
        ([0.0, np.inf], ValueError, r"\[0\.0, inf\]"),
        ([[0.0], [0.0, 1.0]], ValueError, r"\[\[0\.0\], \[0\.0, 1\.0\]\]"),
        ("auto", TypeError, "'auto'"),
        (None, TypeError, "None"),
    ],
)
def test_bad_bins_are_refused(make, bins, error, came):
    with pytest.raises(error, match=f"^bins must be an integer >= 1 or finite increasing edges, got {came}$"):
        make(pairs(), bins)


def pairs(n_particles=3):
    positions = np.random.default_rng(0).standard_normal((2, 20, n_particles, 1))
    variables = {
        "configurations": (("chain", "draw", "particle", "axis"), positions),
        "energy": (("chain", "draw"), positions[:, :, 0, 0]),
    }
    return xr.Dataset(variables, attrs={"temperature": TEMPERATURE})


def test_bad_particles_are_refused(samples):
    with pytest.raises(ValueError, match=r"^bins must be distances, not negative, got -1$"):
        pair_distances(pairs(), [-1.0, 0.0, 1.0])
    with pytest.raises(ValueError, match=r"axis\), got \(.*'coordinate'\)$"):
        pair_distances(samples)
    with pytest.raises(ValueError, match=r"two or more particles, got 1$"):
        pair_distances(pairs(1))


TWO = ["left", "right"]


@pytest.mark.parametrize(
    "make",
    [lambda s, **t: free_energy_profile(s, first, EDGES, **t), lambda s, **t: basins(s, "energy", TWO, **t)],
)
def test_bad_samples_and_temperatures_are_refused(make, samples):
    for wrong in (np.zeros(3), samples["energy"], {}):
        with pytest.raises(TypeError, match=r"^samples must be an xarray\.Dataset, got "):
            make(wrong)
    for value, error in (
        ("a", TypeError),
        (True, TypeError),
        ([1.0], TypeError),
        (-1, ValueError),
        (0, ValueError),
    ):
        came = re.escape(repr(value))
        with pytest.raises(error, match=f"^temperature must be a positive finite number, got {came}$"):
            make(samples, temperature=value)
    with pytest.raises(
        ValueError, match=r"^temperature must be given where the attributes of samples have none"
    ):
        make(samples.drop_attrs())
    for value in (TEMPERATURE, np.array(TEMPERATURE), xr.DataArray(TEMPERATURE)):
        xr.testing.assert_identical(make(samples, temperature=value), make(samples))


@pytest.mark.parametrize(
    "names, options, error, message",
    [
        ("ab", {}, TypeError, "^names must be a sequence of one or more texts, all different, got 'ab'$"),
        (3, {}, TypeError, "all different, got 3$"),
        (["a", 2], {}, TypeError, r"all different, got \['a', 2\]$"),
        ([], {}, ValueError, r"all different, got \[\]$"),
        (["a", "a"], {}, ValueError, r"all different, got \['a', 'a'\]$"),
        (TWO, {"reference": "a"}, TypeError, r"^reference must be an integer in 0 \.\. 1, got 'a'$"),
        (TWO, {"reference": 1.0}, TypeError, r"integer in 0 \.\. 1, got 1\.0$"),
        (TWO, {"reference": -1}, ValueError, r"^reference must be in 0 \.\. 1, got -1$"),
    ],
)
def test_bad_basins_are_refused(names, options, error, message, samples):
    with pytest.raises(error, match=message):
        basins(samples, "energy", names, **options)


def test_average_of_what_has_no_name(samples):
    table = average(samples, functools.partial(first))
    assert float(table["average"]) == float(average(samples, first)["first"])
    with pytest.raises(ValueError, match=r"coordinate must be a function or a variable .*, got 3$"):
        average(samples, 3)
