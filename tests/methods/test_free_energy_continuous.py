# SPDX-License-Identifier: MIT
"""Paths from a Gaussian to continuous systems: energies, ends, and log Z by chains against quadrature."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from helpers.stats import assert_off, assert_z
from numba import njit

import edgphys as ep
from edgphys import dataset
from edgphys.errors import NotExactError, UnknownNameError
from edgphys.exact.quadrature import boltzmann_moments
from edgphys.mcmc.core.action_terms import make_action_terms
from edgphys.systems.continuous.gaussian_path import KNOTS, GaussianPath


def well(path=1.0, ceiling=3.0):
    return GaussianPath(ep.DoubleWell(temperature=0.7, tilt=0.2), [0.3], [1.2], ceiling, path)


def pair(path=1.0, ceiling=1.0):
    return GaussianPath(ep.LennardJones(n_particles=2), np.zeros(3), np.full(3, 1.1), ceiling, path)


# ------------------------------------------------------------------------------------------ the path


@pytest.mark.parametrize("place", [0.0, 0.3, 0.9, 0.97, 1.0])
@pytest.mark.parametrize("make", [well, pair])
def test_kernels_are_the_torch_energy_and_its_gradient(make, place):
    path = make(place)
    points = np.random.default_rng(0).standard_normal((20, path.n_variables))  # on both sides of the ceiling
    x = torch.from_numpy(points).requires_grad_()
    energy = path._energy(x)
    (gradient,) = torch.autograd.grad(energy.sum(), x)
    energy = energy.detach().numpy()
    terms = make_action_terms(path)(points)
    np.testing.assert_allclose(terms, path.action_terms(points), rtol=1e-11)
    np.testing.assert_allclose(terms @ path.action_coefficients, path.beta * energy, rtol=1e-11)
    reduced = terms[:, 2]
    assert reduced.min() < path.ceiling < reduced.max()
    for k, point in enumerate(points):
        out = np.empty(path.n_variables)
        value = path.kernel(point, out, path.kernel_parameters)
        assert value == pytest.approx(energy[k], rel=1e-11)
        assert path.energy_kernel(point, np.empty(path.n_variables), path.kernel_parameters) == value
        np.testing.assert_allclose(out, gradient[k], rtol=1e-9, atol=1e-9)


def test_ends_of_the_path_are_gaussian_and_system():
    start, end, system = well(0.0), well(1.0), well().system
    log_z, energy, _ = boltzmann_moments(start.energy, np.zeros((1, 1)), start.temperature)
    assert log_z == pytest.approx(start.log_z_reference, abs=1e-10)
    assert energy == pytest.approx(0.5 * start.temperature)
    x = np.linspace(-2, 2, 7)[:, None]
    np.testing.assert_array_equal(end.energy(x), system.energy(x))
    np.testing.assert_array_equal(end.action_coefficients, [0.0, 0.0, 1.0])
    knee = end.replace(path=KNOTS[-1])
    np.testing.assert_allclose(knee.action_coefficients, [0.0, 1.0, 0.0], atol=1e-15)
    low, high = end.replace(path=KNOTS[-1] - 1e-9), end.replace(path=KNOTS[-1] + 1e-9)
    np.testing.assert_allclose(low.action_coefficients, high.action_coefficients, atol=1e-7)


def test_the_tempered_energy_is_the_energy_below_the_ceiling_and_smooth_at_it():
    x = np.linspace(-2.0, 2.0, 4001)[:, None]
    _, tempered, reduced = well().action_terms(x).T
    below = reduced <= 3.0
    np.testing.assert_array_equal(tempered[below], reduced[below])
    assert (tempered[~below] < reduced[~below]).all()
    order = np.argsort(reduced[~below])
    slope = np.diff(tempered[~below][order]) / np.maximum(np.diff(reduced[~below][order]), 1e-300)
    moved = np.diff(reduced[~below][order]) > 1e-9
    assert slope[moved][0] == pytest.approx(1.0, abs=1e-3) and slope[moved].max() < 1.0 + 1e-6


def test_energies_without_bound_stay_numbers():
    on_top = np.full((1, 3), 1e-20)
    for place in (0.0, 0.5):
        path = pair(place)
        out = np.empty(3)
        value = path.kernel(on_top[0], out, path.kernel_parameters)
        assert math.isfinite(value) and value == pytest.approx(float(path.energy(on_top)[0]))
        assert np.isfinite(make_action_terms(path)(on_top)).all()
    assert pair(0.0).kernel(on_top[0], out, pair(0.0).kernel_parameters) < 1e-30 and abs(out).max() < 1e-15


def test_observables_belong_to_the_end_alone():
    x = np.array([[1.0], [-1.0]])
    assert well(1.0).measure(x)["right"].tolist() == [1.0, 0.0]
    assert np.isnan(well(0.5).observe(x)["right"]).all()
    assert well().definitions == well().system.definitions and well(0.5).exact == ()


def test_a_path_says_what_is_wrong():
    with pytest.raises(NotExactError, match=r"system must have a numba kernel .* got potential without one"):
        GaussianPath(ep.Potential(lambda x: (x**2).sum(1), 1), [0.0], [1.0], 1.0)
    with pytest.raises(ValueError, match="spread must be positive"):
        GaussianPath(ep.DoubleWell(), [0.0], [0.0], 1.0)
    with pytest.raises(ValueError, match="centre must be 1 finite numbers"):
        GaussianPath(ep.DoubleWell(), [0.0, 1.0], [1.0], 1.0)
    with pytest.raises(ValueError, match=r"path must be in 0 \.\. 1, got 1.5"):
        well(1.5)
    with pytest.raises(TypeError, match="only its place to change, got temperature"):
        well().replace(temperature=1.0)
    assert well().reference().log_z == pytest.approx(math.log(1.2 * math.sqrt(2 * math.pi)))


# ------------------------------------------------------------------------------------------- log Z


@njit
def _pair_of_springs(x):
    return 0.5 * (4.0 * (x[0] - 1.0) ** 2 + 0.25 * (x[1] + x[0]) ** 2)


def spring_log_z():
    return math.log(2 * math.pi)  # the determinant of the springs is 1


CASES = {
    "mueller_brown": (lambda: ep.MuellerBrown(temperature=15.0), None, 0.1),
    "lennard_jones_pair": (lambda: ep.LennardJones(n_particles=2), None, 0.03),
    "numba_function": (lambda: ep.Potential(_pair_of_springs, n_dims=2), spring_log_z, 0.05),
}
SLOW_CASES = {
    "double_well": (lambda: ep.DoubleWell(n_dims=2, barrier=6.0, tilt=0.3), None, 0.05),
    "many_well": (lambda: ep.ManyWell(n_dims=4), None, 0.05),
    "double_well_particles": (ep.DoubleWellParticles, lambda: 29.6672322, 0.05),
    "pair_counted_twice": (lambda: ep.LennardJones(2, temperature=0.5, pair_count=2), None, 0.05),
    "mog9": (lambda: ep.Planar("mog9"), None, 0.05),
    "ring5": (lambda: ep.Planar("ring5", temperature=2.0), None, 0.05),
    "harmonic": (lambda: ep.Harmonic(n_dims=8, ratio=1e4), None, 0.02),
}


def check(case, method, seed, **settings):
    make, known, max_err = case
    system = make()
    table = ep.free_energy(system, method, seed=seed, **settings)
    dataset.validate(table)
    exact = system.exact_results()
    log_z = known() if known else exact["log_z"]
    assert_z(float(table["log_z"]), float(table["log_z_err"]), log_z, n_tests=20, max_err=max_err)
    for name in set(exact) - {"log_z", "free_energy", "specific_heat"}:
        value, err = float(table[name]), float(table[f"{name}_err"])
        assert_z(value, err, exact[name], n_tests=20, max_err=max(3.0, 0.3 * abs(exact[name])))
    return table


@pytest.mark.statistical
@pytest.mark.parametrize("name", [pytest.param("mueller_brown", marks=pytest.mark.slow), "numba_function"])
def test_log_z_is_that_of_quadrature(name):
    # mueller_brown hops between its basins about once in 100 sweeps.
    table = check(CASES[name], "mbar", 5, n_sweeps=2000)
    assert json.loads(table.attrs["parameters"]) == CASES[name][0]().parameters
    assert table.attrs["system"] == CASES[name][0]().name and table.attrs["n_energy_calls"] > 10_000


@pytest.mark.slow
@pytest.mark.statistical
def test_integration_passes_the_divergence_of_a_hard_core():
    table = check(CASES["lennard_jones_pair"], "ti", 6, n_sweeps=600)
    assert float(table["log_z_quadrature"]) < 0.002 and float(table["n_rungs"]) >= len(KNOTS) + 2


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("method", ["mbar", "ti"])
@pytest.mark.parametrize("name", [*CASES, *SLOW_CASES])
def test_log_z_of_more_systems(name, method):
    check((CASES | SLOW_CASES)[name], method, 7, n_sweeps=4000)


@pytest.mark.slow
@pytest.mark.statistical
def test_two_methods_and_two_seeds_agree_for_thirteen_particles():
    runs = [
        ep.free_energy(ep.LennardJones(), method, seed=seed, n_sweeps=3000)
        for method, seed in (("mbar", 1), ("ti", 2))
    ]
    values, errors = ([float(table[name]) for table in runs] for name in ("log_z", "log_z_err"))
    assert_z(values[0] - values[1], math.hypot(*errors), 0.0, max_err=0.15)


@pytest.mark.slow
@pytest.mark.statistical
def test_a_wrong_gaussian_is_seen(monkeypatch):
    right = GaussianPath.log_z_reference.fget
    wrong = property(lambda self: right(self) + np.log(self.spread).sum())  # as if the weight were 1/w^2
    monkeypatch.setattr(GaussianPath, "log_z_reference", wrong)
    make, known, max_err = CASES["mueller_brown"]
    system = make()
    table = ep.free_energy(system, "mbar", seed=5, n_sweeps=4000)
    exact = known() if known else system.exact_results()["log_z"]
    assert_off(float(table["log_z"]), float(table["log_z_err"]), exact, least=50.0, max_err=max_err)


@pytest.mark.slow
def test_scan_has_ladders_for_compiled_systems_only():
    table = ep.scan(
        lambda temperature: ep.DoubleWell(temperature=temperature, tilt=0.5),
        temperature=[1.0, 2.0],
        methods=["mbar", "exact"],
        seed=3,
        mcmc={"n_sweeps": 1500},
        workers=1,
    )
    mbar, exact = (table.sel({"method": name}) for name in ("mbar", "exact"))
    for name in ("log_z", "right", "free_energy_difference"):
        assert (np.abs(mbar[name] - exact[name]) < 5 * mbar[f"{name}_err"]).all()
    assert (exact["free_energy_difference"].values > 0.8).all()
    assert "p_right / p_left" in table["free_energy_difference"].attrs["definition"]
    with pytest.raises(UnknownNameError, match="one of edg, random_walk, mala, hmc, bridge, mcmc, exact for"):
        ep.scan(
            lambda temperature: ep.Potential(lambda x: (x**2).sum(1), 1, temperature),
            temperature=[1.0],
            methods=["mbar"],
            seed=1,
        )
    with pytest.raises(NotExactError, match="numba kernel"):
        ep.free_energy(ep.Potential(lambda x: (x**2).sum(1), 1), seed=1)
