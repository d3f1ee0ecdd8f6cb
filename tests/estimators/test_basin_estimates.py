# SPDX-License-Identifier: MIT
"""Own observables of systems without a lattice in `estimate`: populations, differences, convergence."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import xarray as xr
from helpers.stats import assert_z

import edgphys as ep
from edgphys import dataset
from edgphys.estimators import estimate, estimates_from_exact
from edgphys.systems import sample_attrs

WELL = ep.DoubleWell(temperature=0.8, barrier=1.5, tilt=0.2)
COSTS = {"wall_time": 0.0, "settings": {}, "n_energy_calls": 0, "n_gradient_calls": 0}


def weighted(system, width, n_draws=20_000, seed=1):
    """Draws of N(0, width^2) with the weights of the system."""
    rng = np.random.default_rng(seed)
    x = width * rng.standard_normal((n_draws, system.n_variables))
    log_q = (-0.5 * (x / width) ** 2 - math.log(width * math.sqrt(2 * math.pi))).sum(1)
    measured = {name: ("draw", values) for name, values in system.measure(x).items()}
    log_w = -system.beta * measured["energy"][1] - log_q
    attrs = sample_attrs(system, method="gauss", seed=seed, **COSTS)
    return xr.Dataset(measured | {"log_weight_joint": ("draw", log_w)}, attrs=attrs)


def chains(system, seed=2, n_sweeps=4000, algorithm="random_walk"):
    return ep.mcmc.run(system, algorithm, n_chains=4, n_sweeps=n_sweeps, seed=seed)


@pytest.mark.statistical
@pytest.mark.parametrize("make", [lambda: weighted(WELL, 1.2), lambda: chains(WELL)])
def test_population_and_difference_are_those_of_quadrature(make):
    table, exact = estimate(make()), WELL.exact_results()
    dataset.validate(table)
    for name in ("right", "free_energy_difference", "energy"):
        assert_z(float(table[name]), float(table[f"{name}_err"]), exact[name], n_tests=6, max_err=0.05)
    # the sign matters
    difference, err = float(table["free_energy_difference"]), float(table["free_energy_difference_err"])
    assert abs(difference + exact["free_energy_difference"]) > 6 * err
    assert table["free_energy_difference"].attrs["definition"].startswith("F_right - F_left")
    # to first order, the error is that of the population
    p, p_err = exact["right"], float(table["right_err"])
    assert err == pytest.approx(WELL.temperature * p_err / (p * (1 - p)), rel=0.05)


@pytest.mark.statistical
def test_error_bars_of_the_difference_cover():
    """Independent weighted draws, many seeds: z has variance one."""
    exact = WELL.exact_results()["free_energy_difference"]
    tables = [estimate(weighted(WELL, 1.2, 2000, seed)) for seed in range(60)]
    z = [(float(t.free_energy_difference) - exact) / float(t.free_energy_difference_err) for t in tables]
    assert 0.6 < np.var(z) < 1.6 and abs(np.mean(z)) < 0.5


@pytest.mark.parametrize("system", [WELL, ep.MuellerBrown(15.0), ep.ManyWell(4, temperature=2.0)])
def test_exact_population_and_difference_belong_together(system):
    exact = system.exact_results()
    assert tuple(exact) == system.exact and set(system.exact) <= set(system.definitions)
    (name,) = system.observables
    p = exact[name] if name == system.basins[0] else 1 - exact[name]
    difference = -system.temperature * math.log(p / (1 - p))
    assert exact["free_energy_difference"] == pytest.approx(difference, rel=1e-9)
    assert system.free_energy_difference() == exact["free_energy_difference"]


def test_exact_share_of_the_right_wells_is_that_of_a_grid():
    system = ep.ManyWell(n_dims=2, temperature=2.0)
    x = np.linspace(-4, 4, 200_001)
    weight = np.exp(-(x**4 - 6 * x**2 - 0.5 * x) / 2.0)
    right = weight[x > 0].sum() / weight.sum()
    assert system.exact_results()["right"] == pytest.approx(right, abs=1e-5)


def test_particles_have_their_averages_among_the_estimates():
    system = ep.DoubleWellParticles(n_particles=2)
    samples = chains(system, n_sweeps=4000, algorithm="hmc")
    table = estimate(samples)
    for name in ("distance", "shortest_distance", "radius_of_gyration"):
        assert float(table[name]) == pytest.approx(float(samples[name].mean()), rel=1e-2)
        assert float(table[f"{name}_err"]) > 0
    assert "free_energy_difference" not in table and "distance" in system.exact
    assert_z(
        float(table.distance), float(table.distance_err), system.exact_results()["distance"], max_err=0.2
    )
    # two particles at distance d: sqrt(2 (d/2)^2 / 2) = d / 2
    assert float(table.radius_of_gyration) == pytest.approx(0.5 * float(table.distance))


def test_chains_stuck_in_different_basins_are_not_converged():
    samples = chains(WELL, n_sweeps=2000)
    assert float(estimate(samples).converged) == 1.0
    stuck = samples.copy(deep=True)
    stuck["right"][:2], stuck["right"][2:] = 1.0, 0.0
    table = estimate(stuck)
    assert float(table.converged) == 0.0 and table.attrs["r_hat_of"] == "right"
    slow = samples.copy(deep=True)  # few crossings: only the indicator knows
    slow["right"][:] = (np.arange(2000) // 400 + np.arange(4)[:, None]) % 2
    table = estimate(slow)
    assert float(table.converged) == 0.0 and table.attrs["tau_int_of"] == "right"
    without = slow.drop_vars("right")
    assert float(estimate(without).converged) == 1.0


def test_a_basin_never_seen_has_no_difference():
    samples = chains(WELL, n_sweeps=400)
    samples["right"][:] = 1.0
    table = estimate(samples)
    assert float(table.right) == 1.0 and np.isnan(table.free_energy_difference)
    draws = weighted(WELL, 1.2, 500)
    draws["right"][:] = 0.0
    table = estimate(draws)
    assert float(table.right) == 0.0 and np.isnan(table.free_energy_difference)


def test_attrs_say_what_is_averaged():
    attrs = weighted(ep.MuellerBrown(), 1.0, 10).attrs
    assert json.loads(attrs["observables"]) == ["upper"] and json.loads(attrs["basins"]) == ["lower", "upper"]
    exact = estimates_from_exact(ep.MuellerBrown().exact_results(), attrs)
    assert float(exact.free_energy_difference) == pytest.approx(32.61003, abs=1e-5)
    assert float(exact.upper_err) == 0.0
