# SPDX-License-Identifier: MIT
"""The entropy S = log Z + beta <E> of every kind of estimate, against exact values, with calibrated errors.

Pulls (S - exact) / err have mean square 1, to 4 errors of a chi-square of so many seeds. The control adds the
errors of log Z and beta <E> as if they were independent, which the same check refuses.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from helpers.ladders import MODES, PATH, gaussian_ladder, gaussian_log_z
from helpers.oracles import enumerate_ising, torus_bonds
from scipy.special import logsumexp

import edgphys as ep
import lattices
from edgphys.estimators.estimate import estimates_from_exact, with_log_z
from edgphys.estimators.ladders.mbar import mbar
from edgphys.estimators.ladders.thermodynamic import thermodynamic_integration
from edgphys.estimators.weights.bennett import bennett
from edgphys.formulas import exact_entropy

GAUSSIAN = (1.0 + math.log(2.0 * math.pi)) / 2.0  # of a normal variable of unit variance


def square(temperature, length=4, **couplings):
    return ep.Ising(lattices.build("square", (length, length)), temperature=temperature, **couplings)


def is_calibrated(pulls):
    n = len(pulls)
    return abs(np.mean(np.square(pulls)) - 1.0) < 4.0 * math.sqrt(2.0 / n)


# ------------------------------------------------------------------------------------------------------ exact


@pytest.mark.parametrize("couplings", [{}, {"field": 0.3}, {"coupling": -1.0}])
def test_enumerated_entropy_is_that_of_the_probabilities(couplings):
    system = square(2.5, 3, **couplings)
    spins = np.array(np.meshgrid(*[[-1.0, 1.0]] * 9, indexing="ij")).reshape(9, -1).T
    log_p = -system.energy(spins) / 2.5
    log_p -= logsumexp(log_p)
    exact = system.exact_results()
    assert exact["entropy"] == pytest.approx(-np.exp(log_p) @ log_p, rel=1e-12)
    known = enumerate_ising(9, torus_bonds(3, 3), 2.5, **couplings)
    assert exact["entropy"] == pytest.approx(known["log_z"] + known["energy"] / 2.5, rel=1e-12)


@pytest.mark.parametrize("length", [3, 32])
def test_limits_of_the_entropy_per_site(length):
    n = length**2
    assert square(0.2, length).exact_results()["entropy"] / n == pytest.approx(math.log(2.0) / n, rel=1e-5)
    assert square(1e5, length).exact_results()["entropy"] / n == pytest.approx(math.log(2.0), rel=1e-8)


def test_gaussian_field_and_oscillator():
    field = ep.Phi4(lattices.build("square", (4, 4)), kappa=0.2, lam=0.0)
    matrix = np.linalg.inv(np.array([field.gradient(row) for row in _unit_rows(16)]).reshape(16, 16))
    expected = 16 * GAUSSIAN + np.linalg.slogdet(matrix)[1] / 2.0
    assert field.exact_results()["entropy"] == pytest.approx(expected, rel=1e-9)
    system = ep.systems.Harmonic(n_dims=3, temperature=2.0)
    assert system.exact_results()["entropy"] == pytest.approx(3 * (GAUSSIAN + math.log(2.0) / 2), rel=1e-12)


def _unit_rows(n):
    import torch

    return torch.eye(n, dtype=torch.float64)[:, None]


def test_exact_entropy_without_digits_is_nan():
    assert exact_entropy(2.0e4 + 1.0, -2.0e4) == 1.0
    assert math.isnan(exact_entropy(2.0e12, -2.0e12))
    table = estimates_from_exact({"log_z": 10.0, "energy": -4.0}, {"temperature": 2.0})
    assert float(table["entropy"]) == 8.0 and float(table["entropy_err"]) == 0.0
    assert math.isnan(estimates_from_exact({"log_z": 10.0}, {"temperature": 2.0})["entropy"])


# --------------------------------------------------------------------------------------------- weighted draws


@pytest.mark.statistical
@pytest.mark.parametrize("width", [1.0, 1.5])
def test_pulls_of_weighted_draws(gaussian_weighted, width):
    tables = [ep.estimate(gaussian_weighted(400, seed, width=width)) for seed in range(60)]
    values, errors = (np.array([float(t[name]) for t in tables]) for name in ("entropy", "entropy_err"))
    assert is_calibrated((values - GAUSSIAN) / errors)
    if width != 1.0:  # with equal weights log Z has no error
        apart = np.hypot(*([float(t[name]) for t in tables] for name in ("log_z_err", "energy_err")))
        assert not is_calibrated((values - GAUSSIAN) / apart)


def test_weighted_entropy_is_log_z_and_energy(gaussian_weighted):
    table = ep.estimate(gaussian_weighted(500, 1, temperature=2.0, beta=0.5))
    assert float(table["entropy"]) == pytest.approx(float(table["log_z"] + table["energy"] / 2.0), abs=1e-3)
    assert "entropy" in table.attrs["definitions"]


def test_still_energy_leaves_the_error_unknown():
    attrs = {"temperature": 2.0, "beta": 0.5, "n_sites": 4, "linear_size": 2.0, "z2_symmetric": 1}
    log_w = np.random.default_rng(0).normal(3.0, 0.1, 200)
    draws = {"energy": ("draw", np.full(200, -8.0)), "log_weight_joint": ("draw", log_w)}
    table = ep.estimate(xr.Dataset(draws, attrs=attrs))
    assert float(table["log_z_err"]) > 0.0 and math.isnan(table["entropy_err"]) and not table["reliable"]
    table = ep.estimate(xr.Dataset(draws, attrs=attrs | {"constants": '["energy"]'}))
    assert float(table["entropy_err"]) == pytest.approx(float(table["log_z_err"]))


# ---------------------------------------------------------------------------------------- ladders and bridges


@pytest.mark.statistical
@pytest.mark.parametrize("estimator", [pytest.param(mbar, marks=pytest.mark.slow), thermodynamic_integration])
def test_pulls_of_ladders(estimator):
    exact = gaussian_log_z(PATH, MODES)
    # <u> of weight exp(-a_0 x^2 / 2 - a_1 x): n_modes (1 - a_1^2 / a_0) / 2.
    entropy = exact + MODES * (1.0 - PATH[:, 1] ** 2 / PATH[:, 0]) / 2.0
    pulls, apart = [], []
    for seed in range(60):
        ladder = gaussian_ladder(np.random.default_rng(seed), PATH, 2, 200, MODES, shared=0.9)
        found = estimator(ladder, exact[0])
        off, err = float(found["entropy"][-1] - entropy[-1]), float(found["entropy_err"][-1])
        u = ladder["action_terms"].values[-1] @ PATH[-1]
        pulls.append(off / err)
        apart.append(off / math.hypot(float(found["log_z_err"][-1]), u.std() / math.sqrt(u.size)))
    assert is_calibrated(pulls) and not is_calibrated(apart)


@pytest.mark.slow
@pytest.mark.statistical
def test_pulls_of_a_bridge():
    """Model N(0, 0.7^2), target exp(-x^2/2): log w = log(0.7 sqrt(2 pi)) - x^2/2 + x^2 / (2 0.7^2)."""
    pulls, apart = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        model, target = rng.normal(0.0, 0.7, 1000), rng.standard_normal((2, 100))
        sides = [math.log(0.7 * math.sqrt(2 * math.pi)) + x**2 * (0.5 / 0.49 - 0.5) for x in (model, target)]
        u = target**2 / 2
        result = bennett(*sides, u)
        off = result.log_z + u.mean() - GAUSSIAN
        pulls.append(off / result.err_with)
        apart.append(off / math.hypot(result.err, u.std() / math.sqrt(u.size)))
    assert is_calibrated(pulls) and not is_calibrated(apart)


def test_entropy_of_a_frozen_rung_has_no_error():
    chains = ep.mcmc.run(square(2.5), "metropolis", n_chains=2, n_sweeps=100, seed=1)
    frozen = chains.assign(energy=chains["energy"] * 0.0 - 32.0)
    table = with_log_z(ep.estimate(frozen), {"log_z": 14.0, "log_z_err": 0.1, "entropy_err": 0.1}, "")
    assert float(table["entropy"]) == pytest.approx(14.0 - 32.0 / 2.5) and math.isnan(table["entropy_err"])
    assert float(table["log_z_err"]) == 0.1


@pytest.mark.slow
@pytest.mark.statistical
def test_ladder_methods_and_reweighting_agree_with_enumeration():
    system = square(2.5)
    exact = system.exact_results()
    for method in ("mbar", "ti"):
        table = ep.free_energy(system, method, seed=5, n_sweeps=1000, n_chains=2)
        z = (float(table["entropy"]) - exact["entropy"]) / float(table["entropy_err"])
        assert abs(z) < 4.0 and 0.0 < float(table["entropy_err"]) < 0.15
    ladder = ep.mcmc.temper(system, {"temperature": [2.2, 2.5]}, seed=4, n_chains=2, n_sweeps=2000)
    first = system.replace(temperature=2.2).exact_results()["log_z"]
    curve = ep.reweight(ladder, temperature=[2.5], log_z_reference=first, n_resamples=200)
    err = float(curve["entropy_err"][0])
    assert abs(float(curve["entropy"][0]) - exact["entropy"]) < 4.0 * err < 0.4
    assert float(curve["entropy_resampled"].std()) == pytest.approx(err, rel=0.25)
    assert "entropy" not in ep.reweight(ladder, temperature=[2.5])
