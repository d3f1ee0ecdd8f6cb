# SPDX-License-Identifier: MIT
"""phi^4 chains: identities of a trajectory, averages against exact ones, and wrong rules caught."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.chains import assert_chains, assert_chains_off, estimates, phi4_chain_moments
from helpers.stats import assert_z

import lattices
from edgphys.mcmc import algorithms_for, run
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.core.layout import make_layout
from edgphys.mcmc.phi4 import hmc
from edgphys.mcmc.phi4 import local as phi4_local
from edgphys.mcmc.phi4.stencil import action_of, embed, kick, make_grid
from edgphys.systems import Phi4

ALGORITHMS = ("metropolis", "hmc", "embedded_wolff", "overrelaxation")
CHAIN = {"hop": 0.6, "quadratic": 0.2, "quartic": 0.3}


def square(kappa=0.25, lam=0.022, extent=(4, 4), pbc=True):
    return Phi4(lattices.build("square", extent, pbc), kappa, lam)


def field_of(system, seed=0):
    """A random field between its margins, its values, the grid, and the couplings as kernels take them."""
    grid = make_grid(system.lattice)
    values = np.random.default_rng(seed).standard_normal(system.n_sites)
    return embed(values, grid), values, grid, (system.hop, system.quadratic, system.quartic)


def momentum_of(values, seed=1):
    return np.random.default_rng(seed).standard_normal(values.size)


@pytest.mark.parametrize("pbc", [True, (False, True)])
def test_kernel_action_and_force_are_those_of_the_system(pbc):
    import torch

    system = square(0.3, 0.5, (3, 4), pbc)
    field, values, grid, action = field_of(system)
    batch = torch.from_numpy(values[None])
    assert action_of(field, grid, action) == pytest.approx(float(system.reduced_energy(batch)), rel=1e-12)
    momentum = np.zeros(values.size)
    kick(field, momentum, grid, action, -1.0)
    np.testing.assert_allclose(momentum, system.gradient(batch)[0].numpy(), rtol=1e-12)


def test_leapfrog_is_reversible():
    field, values, grid, action = field_of(square())
    momentum = momentum_of(values)
    start = field.copy(), momentum.copy()
    hmc.leapfrog(field, momentum, grid, action, 0.1, 30)
    assert np.abs(field - start[0]).max() > 0.5
    momentum *= -1
    hmc.leapfrog(field, momentum, grid, action, 0.1, 30)
    np.testing.assert_allclose(field, start[0], atol=1e-12)
    np.testing.assert_allclose(-momentum, start[1], atol=1e-12)


def test_leapfrog_keeps_phase_space_volume():
    """|det d(phi', p')/d(phi, p)| = 1 by central differences on four sites."""
    system = Phi4(lattices.build("chain", (4,)), **CHAIN)
    _, values, grid, action = field_of(system)
    point = np.concatenate([values, momentum_of(values)])

    def flow(x):
        field, momentum = embed(x[:4], grid), x[4:].copy()
        hmc.leapfrog(field, momentum, grid, action, 0.2, 7)
        return np.concatenate([field[1:-1], momentum])

    d = 1e-5
    jacobian = np.array([(flow(point + d * e) - flow(point - d * e)) / (2 * d) for e in np.eye(8)])
    assert abs(np.linalg.det(jacobian)) == pytest.approx(1.0, abs=1e-7)


def test_leapfrog_energy_error_is_second_order():
    errors, steps = [], np.array([0.1, 0.05, 0.025, 0.0125])
    for step in steps:
        field, values, grid, action = field_of(square())
        momentum = momentum_of(values)
        start = hmc.hamiltonian(field, momentum, grid, action)
        hmc.leapfrog(field, momentum, grid, action, step, round(1.0 / step))
        errors.append(abs(hmc.hamiltonian(field, momentum, grid, action) - start))
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(2.0, abs=0.1)


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("hop", [0.6, -0.6])
def test_averages_agree_with_the_transfer_matrix(algorithm, hop):
    """A strongly coupled chain; odd length with hop < 0 is the frustrated case of the sign clusters."""
    n = 6 if hop > 0 else 5
    couplings = CHAIN | {"hop": hop}
    system = Phi4(lattices.build("chain", (n,)), **couplings)
    samples = run(system, algorithm, 32, 4000, seed=21, n_warmup=500)
    exact = phi4_chain_moments(n, **couplings) | {"magnetization": 0.0}
    assert_chains(samples, exact, max_err=0.05, n_tests=2 * len(ALGORITHMS) * len(exact))


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_averages_agree_with_quadrature_on_three_sites(algorithm):
    """All moments of the magnetization, from the integral over three fields on a grid."""
    system = Phi4(lattices.build("chain", (3,)), **CHAIN)
    grid = np.linspace(-4.5, 4.5, 91)
    phi = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), -1).reshape(-1, 3)
    local = CHAIN["quadratic"] * phi**2 + CHAIN["quartic"] * phi**4
    action = local.sum(1) - 2 * CHAIN["hop"] * (phi * np.roll(phi, 1, 1)).sum(1)
    weight = np.exp(-action)
    m = phi.mean(1)
    values = {"energy": action, "energy_2": action**2, "phi2": (phi**2).mean(1), "magnetization": m}
    values |= {"abs_magnetization": abs(m), "magnetization_2": m**2, "magnetization_4": m**4}
    values["correlator_min"] = abs(phi @ np.exp(2j * np.pi * np.arange(3) / 3)) ** 2 / 3
    moments = {name: weight @ value / weight.sum() for name, value in values.items()}
    samples = run(system, algorithm, 32, 4000, seed=24, n_warmup=500)
    exact = estimates(moments, 1.0, 3)
    assert_chains(samples, exact, max_err=0.03, n_tests=len(ALGORITHMS) * len(exact))


def _free_exact(system):
    """Averages of a free field from its precision matrix; S is half a chi-square of n_sites."""
    precision = 2 * (system.quadratic * np.eye(system.n_sites) - system.hop * system.lattice.adjacency)
    covariance = np.linalg.inv(precision)
    exact = {
        "energy": system.n_sites / 2,
        "specific_heat": 0.5,
        "phi2": np.trace(covariance) / system.n_sites,
    }
    exact["abs_magnetization"] = np.sqrt(2 / np.pi * covariance.sum()) / system.n_sites
    exact["binder_cumulant"] = 0.0
    if all(system.lattice.pbc):
        layout = make_layout(system.lattice)
        order = layout.order
        power = [
            w[a] @ covariance[np.ix_(order, order)] @ w[a]
            for w in (layout.cosines, layout.sines)
            for a in (0, 1)
        ]
        exact["correlator_min"] = sum(power) / (2 * system.n_sites)
    return exact


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("pbc", [True, (True, False)])
def test_averages_agree_with_the_free_field(algorithm, pbc):
    system = square(0.2, 0.0, (4, 4), pbc)
    samples = run(system, algorithm, 32, 4000, seed=22, n_warmup=500)
    exact = _free_exact(system)
    assert_chains(samples, exact, max_err=0.05, n_tests=2 * len(ALGORITHMS) * len(exact))


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_schwinger_dyson(algorithm):
    """<sum phi dS/dphi> = n_sites in the interacting theory near its transition."""
    system = square(0.27, 0.1, (6, 6))
    samples = run(system, algorithm, 32, 2000, seed=23, n_warmup=500, keep=True)
    phi4 = (samples["configurations"] ** 4).sum(["x", "y"])
    per_chain = (2 * samples["energy"] + 2 * system.quartic * phi4).mean("draw").values
    err = per_chain.std(ddof=1) / np.sqrt(32)
    assert_z(per_chain.mean(), err, system.n_sites, n_tests=3, max_err=0.2)
    wrong = (2 * samples["energy"] + 2.4 * system.quartic * phi4).mean("draw").values.mean()
    assert abs(wrong - system.n_sites) > 10 * err


@pytest.mark.statistical
@pytest.mark.parametrize(
    "algorithm", ["metropolis", *(pytest.param(name, marks=pytest.mark.slow) for name in ALGORITHMS[1:])]
)
def test_wrong_coupling_in_the_kernel_is_caught(monkeypatch, algorithm):
    """The chain follows a hopping 5 percent too large; the observables are measured with the right one."""
    system = Phi4(lattices.build("chain", (6,)), **CHAIN)
    sampler = type(make_sampler(system, algorithm))
    right = sampler._args
    wrong = (1.05 * system.hop, system.quadratic, system.quartic)
    monkeypatch.setattr(sampler, "_args", lambda self, state: (*right(self, state)[:-1], wrong))
    samples = run(system, algorithm, 32, 4000, seed=21, n_warmup=500)
    exact = phi4_chain_moments(6, **CHAIN)
    assert_chains_off(samples, exact, max_err=0.05, least=8.0)


@pytest.mark.slow
@pytest.mark.statistical
def test_trajectories_without_the_metropolis_test_are_caught():
    """Leapfrog alone has a step-size bias; the same averages must see it."""
    system = Phi4(lattices.build("chain", (6,)), **CHAIN)
    _, _, grid, action = field_of(system)
    rng = np.random.default_rng(3)
    field, energies = embed(rng.standard_normal(6), grid), []
    for _ in range(20_000):
        hmc.leapfrog(field, rng.standard_normal(6), grid, action, 0.25, 5)
        energies.append(action_of(field, grid, action))
    blocks = np.reshape(energies, (20, -1)).mean(1)
    z = (blocks.mean() - phi4_chain_moments(6, **CHAIN)["energy"]) / (blocks.std(ddof=1) / np.sqrt(20))
    assert abs(z) > 8


def test_tuning_reaches_its_targets_and_is_then_frozen():
    system = square(0.25, 0.022, (8, 8))
    sampler = make_sampler(system, "hmc", {"target_acceptance": 0.7})
    state = sampler.start(0, np.random.SeedSequence(1))
    sampler.warm_up(state, 0, 3000, 3000)
    tuned, memory, before = sampler.freeze([state]), state.tuning.copy(), state.counts.copy()
    sampler.advance(state, tuned, 1, np.empty((3000, 4)), np.empty((0, 64)))
    attempted, accepted = (state.counts - before)[:2]
    assert accepted / attempted == pytest.approx(0.7, abs=0.05)
    np.testing.assert_array_equal(state.tuning, memory)
    samples = run(system, "metropolis", 2, 1000, seed=1, n_warmup=500)
    assert json.loads(samples.attrs["settings"])["measured"]["acceptance"] == pytest.approx(0.5, abs=0.03)


@pytest.mark.statistical
def test_trajectory_shorter_than_the_tuned_step():
    """It is one step of the trajectory's length, and still exact."""
    system = square(0.2, 0.0)
    samples = run(system, "hmc", 16, 4000, seed=4, n_warmup=500, options={"trajectory_length": 0.3})
    assert json.loads(samples.attrs["settings"])["tuned"]["step_size"] == 0.3
    exact = _free_exact(system)
    assert_chains(samples, exact, max_err=0.1, n_tests=len(exact))


def test_adaptation_of_the_width_goes_the_right_way():
    tuning = np.zeros(8)
    phi4_local.adapt_width(tuning, 0.9)
    assert tuning[0] > 0
    phi4_local.adapt_width(tuning, 0.0)
    assert tuning[0] < 0.8


def test_algorithms_are_listed():
    assert algorithms_for(square()) == ALGORITHMS
