# SPDX-License-Identifier: MIT
"""Averages of whole runs against quadrature, and a histogram of thinned draws."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from helpers.chains import chi_square_p
from helpers.stats import assert_z
from helpers.wells import ALGORITHMS, EDGES, SYSTEMS, WELL, exact_draws, torch_system

import edgphys as ep
from edgphys.mcmc import run


def moments_z(samples, system, exact):
    """z-scores of chain means; Student's t for the few chains, turned into a normal quantile."""
    energy, n = samples["energy"], samples.sizes["chain"]
    mean, variance = exact["energy"], exact["specific_heat"] * system.n_variables / system.beta**2
    series = {"energy": (energy, mean), "energy_2": ((energy - mean) ** 2, variance)}
    if "population" in exact:
        series["population"] = (samples[system.observables[0]], exact["population"])
    scores = {}
    for name, (values, expected) in series.items():
        means = values.mean("draw").values
        t = (means.mean() - expected) / (means.std(ddof=1) / np.sqrt(n))
        scores[name] = float(np.sign(t) * scipy.stats.norm.isf(scipy.stats.t.sf(abs(t), n - 1)))
        scores[f"{name}_err"] = float(means.std(ddof=1) / np.sqrt(n))
    return scores


def exact_of(system):
    exact = system.exact_results()
    if system.basins:
        # Of the first observable: the right one of the wells, the upper one of Mueller-Brown.
        sign = 1.0 if system.observables[0] == system.basins[0] else -1.0
        exact["population"] = 1 / (1 + np.exp(sign * system.beta * system.free_energy_difference()))
    return exact


CASES = {
    "double_well_2d": (lambda: ep.DoubleWell(n_dims=2, **WELL), 0.02),
    "mueller_brown": (lambda: ep.MuellerBrown(temperature=40.0), 0.02),
    "many_well": (lambda: ep.ManyWell(n_dims=4, temperature=3.0), 0.02),
    "harmonic": (lambda: ep.Harmonic(n_dims=5, ratio=30.0), 0.02),
}


@pytest.mark.statistical
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_averages_agree_with_quadrature(algorithm, case):
    make, max_err = CASES[case]
    system = make()
    options = {"precondition": case == "harmonic"}
    samples = run(system, algorithm, 24, 20_000, seed=11, n_warmup=2000, thin=4, options=options)
    scores = moments_z(samples, system, exact_of(system))
    for name in [name for name in scores if not name.endswith("_err")]:
        scale = 1.0 if name == "population" else system.temperature ** (2 if name == "energy_2" else 1)
        limit = max_err * scale * system.n_variables
        assert_z(scores[name], 1.0, 0.0, n_tests=200, max_err=1.0)
        assert scores[f"{name}_err"] < limit, name


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_users_torch_function_gives_the_same_averages(algorithm):
    system, shipped = torch_system(), SYSTEMS["shipped"]()
    options = {"chains_per_batch": 200}
    samples = run(system, algorithm, 200, 250, seed=3, n_warmup=100, options=options)
    scores = moments_z(samples, system, shipped.exact_results())
    for name in ("energy", "energy_2"):
        assert_z(scores[name], 1.0, 0.0, n_tests=200, max_err=1.0)
        assert scores[f"{name}_err"] < 0.03
    cold = moments_z(samples, system, shipped.replace(temperature=0.8).exact_results())
    assert abs(cold["energy"]) > 5  # negative control


@pytest.mark.statistical
def test_histogram_of_thinned_draws_and_of_a_wrong_temperature():
    _, cells = exact_draws(1)
    for temperature, least, most in ((1.0, 1e-4, 1.0), (1.1, 0.0, 1e-6)):
        system = SYSTEMS["shipped"](temperature=temperature)
        samples = run(system, "hmc", 8, 150_000, seed=2, thin=50, keep=True)
        assert float(ep.estimate(samples)["tau_int"]) < 0.65  # as good as independent
        x = samples["configurations"].values.ravel()
        counts = np.bincount(np.digitize(x, EDGES[1:-1]), minlength=len(cells))
        assert least <= chi_square_p(counts[None], cells[None]) <= most
