# SPDX-License-Identifier: MIT
"""Quantum Ising model: the algebra of Trotter by enumeration, chains and ladders on tiny ones, EDG."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest
import torch
import xarray as xr
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys import mcmc
from edgphys.edg.refinement.classes import split_sites
from edgphys.errors import ArgumentTypeError, ArgumentValueError, EdgphysError, NotExactError
from edgphys.exact import transverse_chain
from lattices.layers import in_layers

CHAIN = lattices.build("chain", (4,))


def enumerated(system):
    """Weights of all configurations, and the observables of each."""
    states = np.array(list(itertools.product((-1.0, 1.0), repeat=system.n_sites)))
    action = system.action(states)
    log_z = float(np.logaddexp.reduce(-action))
    return log_z, np.exp(-action - log_z), system.measure(states)


def trace_of_steps(lattice, bonds, field, longitudinal, beta, n_slices):
    """log of the trace of (exp(tau sum J sz sz + tau h sum sz) exp(tau Gamma sum sx))^n, by matrices."""
    tau = beta / n_slices
    spins = np.array(list(itertools.product((1.0, -1.0), repeat=lattice.n_sites)))
    along = (spins[:, lattice.bonds[:, 0]] * spins[:, lattice.bonds[:, 1]]) @ bonds
    one = np.array([[math.cosh(tau * field), math.sinh(tau * field)]] * 2)
    one[1] = one[1, ::-1]
    across = functools.reduce(np.kron, [one] * lattice.n_sites)
    step = np.exp(tau * (along + longitudinal * spins.sum(1)))[:, None] * across
    return math.log(np.trace(np.linalg.matrix_power(step, n_slices)))


@pytest.mark.parametrize(
    ("coupling", "longitudinal"), [([1.0, -0.5, 0.3], 0.0), ([1.0, -0.5, 0.3], 0.4), (0.8, -0.7)]
)
def test_couplings_of_bonds_and_longitudinal_fields(coupling, longitudinal):
    """Weights of all configurations against matrices; magnetization and energy as derivatives of log Z."""
    lattice = lattices.build("chain", (3,))
    about = {"field": 0.8, "coupling": coupling, "n_slices": 4}
    system = ep.TransverseIsing(lattice, 0.7, **about, longitudinal_field=longitudinal)
    log_z, p, seen = enumerated(system)
    bonds = np.broadcast_to(coupling, 3)

    def known(beta=1 / 0.7, h=longitudinal, couplings=bonds):
        return trace_of_steps(lattice, couplings, 0.8, h, beta, 4)

    assert log_z == pytest.approx(known(), abs=1e-11)
    assert abs(log_z - known(couplings=np.roll(bonds, 1) + 0.1)) > 1e-2
    h, beta = 1e-4, 1 / 0.7
    along_h = (known(h=longitudinal + h) - known(h=longitudinal - h)) / (2 * h)
    assert p @ seen["magnetization"] == pytest.approx(along_h / (3 * beta), abs=1e-7)
    energy = (known(beta - h) - known(beta + h)) / (2 * h)
    assert p @ seen["energy"] == pytest.approx(energy, abs=1e-6)
    spins = np.random.default_rng(0).choice([-1.0, 1.0], (5, 12))
    action = system.action(spins)
    np.testing.assert_allclose(system.action_terms(spins) @ system.action_coefficients, action)
    np.testing.assert_allclose(system.beta * system.classical.energy(spins) - system.log_constant, action)
    free = 12 * math.log(2 * math.cosh(system.time_step * longitudinal)) + system.log_constant
    assert system.reference().log_z == pytest.approx(free)
    assert ("z2" in system.symmetries) == (longitudinal == 0.0)


def test_correlations_of_a_path_integral_are_of_equal_times():
    system = ep.TransverseIsing(lattices.build("honeycomb", (2, 2)), 0.8, 0.9, n_slices=4)
    some = np.random.default_rng(0).choice([-1.0, 1.0], (2, 40, *system.event_shape))
    dims = "chain", "draw", *system.configuration_dims()
    chains = xr.Dataset({"configurations": (dims, some)}, attrs=system.attrs())
    seen = system.measure(some.reshape(80, -1))
    zero, wave = (ep.structure_factor(chains, k)["structure_factor"] for k in ([0.0, 0.0], [0.3, 1.1]))
    assert float(zero) == pytest.approx(8 * seen["equal_time_magnetization_2"].mean())
    assert abs(float(zero) - 8 * seen["magnetization_2"].mean()) > 0.1  # of all times together
    spins = chains["configurations"].transpose("chain", "draw", "slice", ...).values
    phase = np.exp(1j * system.built_on.positions @ [0.3, 1.1])
    assert float(wave) == pytest.approx((np.abs(spins.reshape(-1, 8) @ phase) ** 2).mean() / 8)
    near = ep.correlations(chains, max_distance=1.0)["correlation"].values
    ends = spins.reshape(-1, 8)[:, system.built_on.bonds]
    assert near == pytest.approx([1.0, ends.prod(axis=-1).mean()])
    with pytest.raises(ValueError, match="imaginary time"):
        mcmc.run(system, "wolff", n_sweeps=40, seed=2, options={"correlation": True})


@pytest.mark.parametrize("coupling", [1.0, -0.6])
def test_observables_are_derivatives_of_log_z(coupling):
    system = ep.TransverseIsing(CHAIN, 0.7, 0.8, coupling, n_slices=3)
    log_z, p, seen = enumerated(system)

    def known(beta=1 / 0.7, field=0.8):
        return transverse_chain.log_z(4, 1 / beta, field, coupling, ring=True, n_slices=3)

    h, beta = 1e-4, 1 / 0.7
    assert log_z == pytest.approx(known(), abs=1e-11)
    assert system.log_constant + system.classical.exact_results()["log_z"] == pytest.approx(log_z, abs=1e-11)
    slope = (known(beta + h) - known(beta - h)) / (2 * h)
    curvature = (known(beta + h) - 2 * known() + known(beta - h)) / h**2
    along_field = (known(field=0.8 + h) - known(field=0.8 - h)) / (2 * h)
    energy = p @ seen["energy"]
    assert energy == pytest.approx(-slope, abs=1e-7)
    assert p @ seen["transverse_magnetization"] == pytest.approx(along_field / (4 * beta), abs=1e-7)
    variance = p @ (seen["energy"] - energy) ** 2 - p @ seen["energy_slope"]
    assert variance == pytest.approx(curvature, abs=1e-6)
    # The classical energy in the place of the estimator would be off by far.
    states = np.array(list(itertools.product((-1.0, 1.0), repeat=system.n_sites)))
    assert abs(p @ system.classical.energy(states) - energy) > 1.0


def test_the_limit_is_that_of_diagonalisation():
    """All estimates of n and 2 n slices, extrapolated, are the exact ones of the quantum system."""
    lattice = lattices.build("chain", (2,), False)
    known = ep.TransverseIsing(lattice, 1.0, 0.7).exact_results()
    found = {}
    for n in (4, 8):
        log_z, p, seen = enumerated(ep.TransverseIsing(lattice, 1.0, 0.7, n_slices=n))
        found[n] = {name: p @ seen[name] for name in known if name in seen} | {"log_z": log_z}
        found[n]["susceptibility"] = 2 * p @ seen["magnetization_2"]
    for name, four in found[4].items():
        eight = found[8][name]
        assert (4 * eight - four) / 3 == pytest.approx(known[name], abs=2e-4), name
    assert abs(found[8]["log_z"] - known["log_z"]) > 5e-4  # before it is


def test_the_weight_is_all_forms_alike():
    system = ep.TransverseIsing(
        lattices.build("square", (2, 3), False), 0.9, 1.2, {"x": 1.0, "y": -0.5}, n_slices=3
    )
    spins = np.random.default_rng(0).choice([-1.0, 1.0], (5, system.n_sites))
    action = system.action(spins)
    np.testing.assert_allclose(system.action_terms(spins) @ system.action_coefficients, action)
    np.testing.assert_allclose(system.beta * system.classical.energy(spins) - system.log_constant, action)
    np.testing.assert_allclose(system.action(torch.from_numpy(spins)).numpy(), action)
    free = system.replace(strength=0.0)
    np.testing.assert_allclose(free.action(spins), -free.log_constant)
    assert system.reference().log_z == pytest.approx(system.n_sites * math.log(2) + system.log_constant)
    assert system.replace(time_step=0.1).n_slices == 12 and system.replace(temperature=2.0).n_slices == 3


@pytest.mark.statistical
def test_chains_measure_what_the_system_does():
    """Kernels and functions on one run; then against the exact values, and a control at another field."""
    system = ep.TransverseIsing(CHAIN, 0.8, 0.9, n_slices=6)
    chains = mcmc.run(system, "swendsen_wang", n_chains=4, n_sweeps=1000, seed=2, keep=True)
    spins = chains["configurations"].values.reshape(-1, 4, 6)
    assert chains["configurations"].dims == ("chain", "draw", "x", "slice")
    seen = system.measure(spins)
    for name in ("energy", "magnetization", "transverse_magnetization", "energy_slope"):
        np.testing.assert_allclose(chains[name].values.ravel(), seen[name], atol=1e-10)
    table = ep.estimate(chains)
    e = -_slope(lambda b: transverse_chain.log_z(4, 1 / b, 0.9, 1.0, ring=True, n_slices=6), 1.25)
    assert_z(float(table["energy"]), float(table["energy_err"]), e, max_err=0.2)
    other = ep.TransverseIsing(CHAIN, 0.8, 1.2).exact_results()["energy"]
    assert_off(float(table["energy"]), float(table["energy_err"]), other, least=6, max_err=0.2)
    assert "correlation_length" not in [k for k in table if np.isfinite(table[k])]


def _slope(f, x, h=1e-4):
    return (f(x + h) - f(x - h)) / (2 * h)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("longitudinal", [0.0, 0.3])
@pytest.mark.parametrize("coupling", [1.0, -0.8])
def test_free_energies_of_ladders_annealing_and_tempering(coupling, longitudinal):
    system = ep.TransverseIsing(CHAIN, 0.8, 0.9, coupling, n_slices=6, longitudinal_field=longitudinal)

    def log_z_of(beta, field=0.9):
        return trace_of_steps(CHAIN, np.full(4, coupling), field, longitudinal, beta, 6)

    known = log_z_of(1.25)
    for table in (
        ep.free_energy(system, method="mbar", seed=1, n_sweeps=2000),
        ep.free_energy(system, method="ti", seed=2, n_sweeps=2000),
        ep.estimate(mcmc.anneal(system, 4000, seed=3, n_rungs=20)),
    ):
        log_z, err = float(table["log_z"]), float(table["log_z_err"])
        assert_z(log_z, err, known, n_tests=12, max_err=0.1)
        assert_off(log_z, err, known - system.log_constant, least=20, max_err=0.1)
    ladder = mcmc.temper(system, {"field": [0.9, 1.5]}, "heat_bath", n_sweeps=4000, seed=4)
    for field in (0.9, 1.5):
        rung = ep.estimate(mcmc.rung(ladder, field=field))
        exact = -_slope(functools.partial(log_z_of, field=field), 1.25)
        assert_z(float(rung["energy"]), float(rung["energy_err"]), exact, n_tests=8, max_err=0.1)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ["swendsen_wang", "heat_bath", "metropolis"])
def test_chains_in_a_longitudinal_field(algorithm):
    system = ep.TransverseIsing(CHAIN, 0.8, 0.9, n_slices=6, longitudinal_field=0.3)
    table = ep.estimate(mcmc.run(system, algorithm, n_chains=4, n_sweeps=80_000, seed=3))
    f = lambda h: trace_of_steps(CHAIN, np.ones(4), 0.9, h, 1.25, 6)  # noqa: E731
    value, err = float(table["magnetization"]), float(table["magnetization_err"])
    assert_z(value, err, _slope(f, 0.3) / 5, n_tests=6, max_err=0.02)
    assert_off(value, err, _slope(f, 0.2) / 5, least=4, max_err=0.02)
    second = (f(0.31) - 2 * f(0.3) + f(0.29)) / 1e-4
    kubo = float(table["susceptibility"]), float(table["susceptibility_err"])
    assert_z(*kubo, second / 5, n_tests=6, max_err=0.1)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("longitudinal", [0.0, 0.3])
def test_edg_has_all_constants_and_serves_short_steps(longitudinal):
    chain = lattices.build("chain", (6,))
    system = ep.TransverseIsing(chain, 1.0, 1.0, n_slices=24, longitudinal_field=longitudinal)
    draws = ep.EDG(system).fit(seed=0, n_steps=300).sample(2000, seed=1)
    table = ep.estimate(draws)
    known = trace_of_steps(chain, np.ones(6), 1.0, longitudinal, 1.0, 24)
    assert_z(float(table["log_z"]), float(table["log_z_err"]), known, n_tests=2, max_err=0.02)
    assert float(table["ess"]) > 0.9
    np.testing.assert_allclose(draws["reduced_energy"].values.mean(), -known, atol=25)


def test_short_axes_are_halved_first_and_their_last_sites_exact():
    even, uneven = (in_layers(lattices.build("chain", (8,)), 16, spacing) for spacing in (0.5, 0.0625))
    classes = split_sites(uneven)
    assert classes.spacings == ((1, 1), (1, 2), (1, 4), (2, 4))
    assert (uneven.cells[classes.exact] % 2 == [0, 1]).all() and len(classes.exact) == 32
    assert split_sites(even).spacings == ((1, 1), (2, 2), (2, 4))
    everything = np.sort(
        np.concatenate([classes.root, classes.exact, *(one.sites for one in classes.learned)])
    )
    assert np.array_equal(everything, np.arange(128))


def test_layers_are_copies_joined_to_their_next():
    lattice = in_layers(lattices.build("honeycomb", (2, 3), (True, False)), 4)
    time = lattice.bonds[lattice.bond_kinds == lattice.unit_cell.kinds.index("time")]
    step = (lattice.cells[time[:, 1], 2] - lattice.cells[time[:, 0], 2]) % 4
    assert len(time) == lattice.n_sites == 48 and set(step.tolist()) == {1, 3}
    assert (lattice.sublattices[time[:, 0]] == lattice.sublattices[time[:, 1]]).all()
    assert lattice.n_bonds == 48 + 4 * lattices.build("honeycomb", (2, 3), (True, False)).n_bonds


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"field": 0.0}, ArgumentValueError, "field must be positive and finite, got 0"),
        ({"n_slices": 1}, ArgumentValueError, "n_slices must be 0 or an integer >= 2, got 1"),
        ({"n_slices": 2.5}, ArgumentTypeError, "n_slices must be an integer"),
        ({"time_step": -1.0}, ArgumentValueError, "time_step must be positive"),
        ({"field": -1.0}, ArgumentValueError, "field must be positive and finite, got -1"),
        ({"field": math.nan}, ArgumentValueError, "field must be positive and finite, got nan"),
        ({"field": 1e-150}, ArgumentValueError, "n_slices and field must give time_step . field between"),
        (
            {"field": 1e3, "n_slices": 2},
            ArgumentValueError,
            "field between 1e-100 and 100, got 500: 2 slices",
        ),
        ({"temperature": 0.0}, ArgumentValueError, "temperature must be positive"),
        ({"temperature": 1e-4}, ArgumentValueError, "time_step must be at least 0.153 at temperature 0.0001"),
        ({"longitudinal_field": math.nan}, ArgumentValueError, "longitudinal_field must be finite, got nan"),
        ({"longitudinal_field": [0.1]}, ArgumentTypeError, "longitudinal_field must be a"),
        ({"coupling": [1.0, 1.0, 1.0]}, ArgumentValueError, "an array of 4 finite numbers"),
        ({"coupling": {"second": 1.0}}, EdgphysError, "coupling must be numbers for kinds of bonds"),
        (
            {"lattice": lattices.build("hypercubic", (2, 2, 2, 2), False)},
            ArgumentValueError,
            "at most three axes",
        ),
    ],
)
def test_bad_input(given, kind, words):
    with pytest.raises(kind, match=words):
        ep.TransverseIsing(**({"lattice": CHAIN, "temperature": 1.0, "field": 1.0} | given))


def test_what_words_of_bits_and_frustration_refuse():
    with pytest.raises(NotExactError, match="multispin"):
        mcmc.run(ep.TransverseIsing(CHAIN, 1.0, 1.0, n_slices=4), "multispin", n_sweeps=10, seed=0)
    with pytest.raises(NotExactError, match=r"wolff needs longitudinal_field = 0 .* got 0\.1"):
        mcmc.run(ep.TransverseIsing(CHAIN, n_slices=4, longitudinal_field=0.1), "wolff", n_sweeps=9, seed=0)
    frustrated = ep.TransverseIsing(lattices.build("triangular", (3, 3)), 1.0, 1.0, -1.0, n_slices=4)
    assert set(mcmc.algorithms_for(frustrated)) == {"metropolis", "heat_bath"}
