# SPDX-License-Identifier: MIT
"""Ising chains: exact transition matrices, averages against enumeration, and wrong rules caught."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.chains import (
    all_spins,
    assert_chains,
    assert_chains_off,
    boltzmann,
    chi_square_p,
    estimates,
    subsets,
)
from numba import njit

import lattices
from edgphys.errors import NotExactError
from edgphys.mcmc import algorithms_for, run
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.core.layout import make_layout
from edgphys.mcmc.ising import local as ising_local
from edgphys.mcmc.ising.clusters import wolff
from edgphys.mcmc.ising.flip_probabilities import LAZY
from edgphys.mcmc.ising.metropolis import IsingMetropolis
from edgphys.systems import Ising

# (lattice, extent, periodic, temperature, coupling, field)
CASES = {
    "square": ("square", (4, 4), True, 2.4, 1.0, 0.0),
    "square_field": ("square", (4, 4), True, 2.4, 1.0, 0.15),
    "square_antiferromagnet": ("square", (4, 4), True, 2.4, -1.0, 0.0),
    "chain": ("chain", (6,), True, 1.0, 1.0, 0.0),
    "chain_double_bond": ("chain", (2,), True, 2.0, 1.0, 0.0),
    "triangular": ("triangular", (3, 3), True, 4.0, 1.0, 0.0),
    "triangular_frustrated": ("triangular", (3, 3), True, 2.0, -1.0, 0.0),
    "honeycomb": ("honeycomb", (3, 3), True, 1.6, 1.0, 0.0),
    "kagome_open": ("kagome", (2, 2), False, 2.0, 1.0, 0.0),
    "square_half_open": ("square", (3, 4), (False, True), 2.2, 1.0, 0.0),
}


def build(case):
    name, extent, pbc, temperature, coupling, field = CASES[case]
    lattice = lattices.build(name, extent, pbc, allow_double_bonds=2 in extent)
    return Ising(lattice, temperature, coupling, field)


def exact_estimates(system):
    """Every estimate that the chains give, from the sum over all states."""
    probability, energy = boltzmann(system)
    values = {name: v for name, v in system.measure(all_spins(system.n_sites)).items() if name != "energy"}
    values |= {"energy": energy, "energy_2": energy**2}
    moments = {name: probability @ v for name, v in values.items()}
    return estimates(moments, system.beta, system.n_sites)


def metropolis_matrix(system, lazy=LAZY):
    """Transition matrix of one checkerboard sweep, from the acceptance rule written out once more."""
    spins = all_spins(system.n_sites).astype(int)
    _, energy = boltzmann(system)
    states = np.arange(len(spins))
    matrix = np.eye(len(spins))
    for site in make_layout(system.lattice).order:
        flipped = states ^ (1 << site)
        accept = lazy * np.exp(np.minimum(0.0, -system.beta * (energy[flipped] - energy)))
        step = np.diag(1 - accept)
        step[states, flipped] = accept
        matrix = matrix @ step
    return matrix


def wolff_matrix(system):
    """Transition matrix of one cluster: the sum over sites and over sets of followed bonds."""
    n, bonds = system.n_sites, system.lattice.bonds
    follow = 1 - np.exp(-2 * system.beta * abs(system.parameters["coupling"]))
    matrix = np.zeros((2**n, 2**n))
    for state, spins in enumerate(all_spins(n).astype(int)):
        satisfied = [(i, j) for i, j in bonds if system.parameters["coupling"] * spins[i] * spins[j] > 0]
        for choice in subsets(len(satisfied)):
            weight = np.prod([follow if taken else 1 - follow for taken in choice])
            label = np.arange(n)
            for (i, j), taken in zip(satisfied, choice, strict=True):
                if taken:
                    label[label == label[j]] = label[i]
            for seed in range(n):
                cluster = sum(1 << int(site) for site in np.flatnonzero(label == label[seed]))
                matrix[state, state ^ cluster] += weight / n
    return matrix


@njit
def _encode(spins, order):
    state = 0
    for k in range(order.size):
        if spins[k] < 0:
            state |= 1 << order[k]
    return state


@njit
def _count(kernel, start, rng, args, order, n_repeats, counts):
    for _ in range(n_repeats):
        spins = start.copy()
        kernel(spins, rng, *args)
        counts[_encode(spins, order)] += 1


def empirical_counts(system, kernel, args, n_repeats=20_000, layout=None):
    """How often the compiled kernel goes from each state to each state."""
    layout = layout or make_layout(system.lattice)
    rng = np.array([1, 2, 3, 4], np.uint64)
    counts = np.zeros((2**system.n_sites,) * 2, np.int64)
    for row, spins in zip(counts, all_spins(system.n_sites), strict=True):
        _count(kernel, layout.store(spins), rng, args, layout.order, n_repeats, row)
    return counts


def sweep_args(system):
    layout, p = make_layout(system.lattice), system.parameters
    table = IsingMetropolis.flip_table(system.beta, p["coupling"], p["field"], layout.neighbours.shape[1])
    return layout.neighbours, table


def tiny(coupling=1.0, field=0.0, temperature=1.5):
    return Ising(lattices.build("chain", (4,)), temperature, coupling, field)


@pytest.mark.parametrize("case", ["chain", "triangular", "triangular_frustrated"])
def test_metropolis_sweep_is_stationary_and_reaches_every_state(case):
    system = build(case)
    probability, _ = boltzmann(system)
    matrix = metropolis_matrix(system)
    np.testing.assert_allclose(probability @ matrix, probability, rtol=1e-11)
    assert matrix.min() > 0  # every state from every state in one sweep


def test_eager_metropolis_is_not_ergodic_on_the_chain():
    """The reason for LAZY: with certain dE = 0 flips the eigenvalue 1 is degenerate."""
    system = build("chain")
    eager = np.linalg.eigvals(metropolis_matrix(system, lazy=1.0))
    assert np.sum(np.abs(eager - 1) < 1e-9) > 1
    lazy = np.linalg.eigvals(metropolis_matrix(system))
    assert np.sum(np.abs(lazy - 1) < 1e-9) == 1


@pytest.mark.statistical
@pytest.mark.parametrize("coupling, field", [(1.0, 0.0), (-0.7, 0.4)])
def test_metropolis_kernel_follows_its_matrix(coupling, field):
    system = tiny(coupling, field)
    counts = empirical_counts(system, ising_local.sweep_in_order, sweep_args(system))
    assert chi_square_p(counts, metropolis_matrix(system)) > 1e-4
    wrong = metropolis_matrix(tiny(coupling, field, temperature=1.55))
    assert chi_square_p(counts, wrong) < 1e-8


@pytest.mark.statistical
def test_random_site_kernel_keeps_the_boltzmann_distribution():
    """Started from exact draws, one sweep in random order must give exact draws."""
    system = tiny(1.0, 0.3)
    probability, _ = boltzmann(system)
    counts = empirical_counts(system, ising_local.sweep_at_random, sweep_args(system))
    rows = counts / counts.sum(1, keepdims=True)
    variance = (probability[:, None] ** 2 * rows * (1 - rows) / counts.sum(1, keepdims=True)).sum(0)
    assert np.all(np.abs(probability @ rows - probability) < 4.5 * np.sqrt(variance))
    wrong, _ = boltzmann(tiny(1.0, 0.3, temperature=1.6))
    assert np.any(np.abs(wrong @ rows - wrong) > 6 * np.sqrt(variance))


@pytest.mark.statistical
@pytest.mark.parametrize("coupling", [1.0, -1.0])
def test_wolff_cluster_obeys_detailed_balance_and_its_matrix(coupling):
    system = tiny(coupling)
    probability, _ = boltzmann(system)
    matrix = wolff_matrix(system)
    flow = probability[:, None] * matrix
    np.testing.assert_allclose(flow, flow.T, rtol=1e-11, atol=1e-15)
    threshold, in_order = wolff.follow_threshold(system.beta), make_layout(system.lattice, np.arange(4))
    tables = wolff.make_links(system.lattice), threshold, int(np.sign(coupling))
    args = tables, (np.empty(5, np.uint32), np.zeros(2, np.uint64))
    counts = empirical_counts(system, wolff._flip_cluster, args, layout=in_order)
    assert chi_square_p(counts, matrix) > 1e-4
    assert chi_square_p(counts, wolff_matrix(tiny(coupling, temperature=1.55))) < 1e-8


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ["metropolis", "random", "wolff"])
@pytest.mark.parametrize("case", CASES)
def test_averages_agree_with_enumeration(case, algorithm):
    system = build(case)
    options = {"order": "random"} if algorithm == "random" else {}
    algorithm = "metropolis" if algorithm == "random" else algorithm
    if algorithm not in algorithms_for(system):
        with pytest.raises(NotExactError, match=r"wolff needs"):
            make_sampler(system, algorithm)
        return
    samples = run(system, algorithm, 32, 4000, seed=11, n_warmup=300, options=options)
    # The widest error bar is that of the total energy, random order: 0.4 percent of -26.
    exact = exact_estimates(system)
    assert_chains(samples, exact, max_err=0.1, n_tests=3 * len(CASES) * len(exact))


def _warmer(function):
    """A rule at a temperature 3 percent too high."""
    return lambda beta, *rest: function(beta / 1.03, *rest)


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ["metropolis", "wolff"])
def test_wrong_temperature_in_the_kernel_is_caught(monkeypatch, algorithm):
    monkeypatch.setattr(IsingMetropolis, "flip_table", staticmethod(_warmer(IsingMetropolis.flip_table)))
    monkeypatch.setattr(wolff, "follow_threshold", _warmer(wolff.follow_threshold))
    for case in ("square", "honeycomb"):
        system = build(case)
        samples = run(system, algorithm, 32, 4000, seed=11, n_warmup=300)
        exact = exact_estimates(system)
        assert_chains_off(samples, exact, max_err=0.1, least=8.0)


@pytest.mark.statistical
def test_missing_field_in_the_kernel_is_caught(monkeypatch):
    table = IsingMetropolis.flip_table
    weaker = staticmethod(lambda beta, j, h, q: table(beta, j, 0.8 * h, q))
    monkeypatch.setattr(IsingMetropolis, "flip_table", weaker)
    system = build("square_field")
    samples = run(system, "metropolis", 32, 4000, seed=11, n_warmup=300)
    exact = exact_estimates(system)
    assert_chains_off(samples, exact, max_err=0.1, least=6.5)


@pytest.mark.statistical
def test_clusters_of_one_spin_are_not_periodic():
    """At J = 0 a cluster is one spin: a fixed number of clusters would fix the parity of the total spin."""
    system = Ising(lattices.build("square", (3, 3)), 1.0, coupling=0.0)
    samples = run(system, "wolff", 16, 2000, seed=5)
    assert_chains(samples, {"abs_magnetization": 0.2734375}, max_err=0.01, n_tests=1)


def test_wolff_sweep_visits_the_lattice_once_on_average():
    system = Ising(lattices.build("square", (16, 16)), 2.5)
    sampler = make_sampler(system, "wolff")
    state = sampler.start(0, np.random.SeedSequence(3))
    sampler.warm_up(state, 0, 2000, 2000)
    tuned = sampler.freeze([state])
    before = state.counts.copy()
    sampler.advance(state, tuned, 1, np.empty((4000, 3)), np.empty((0, 256), np.int8))
    visited = (state.counts - before)[2] / 4000
    assert 0.93 * 256 < visited < 1.07 * 256


def test_rare_excitations_keep_their_rate():
    """Acceptance 1e-14 at low temperature: a 32-bit comparison would make it zero."""
    table = IsingMetropolis.flip_table(1.0, 4.0, 0.0, 4)
    assert table[-1] / 2.0**64 == pytest.approx(LAZY * np.exp(-32.0), rel=1e-4)


def test_refusals_say_why():
    with pytest.raises(NotExactError, match=r"wolff needs field = 0 .* got 0\.15; use 'metropolis'"):
        make_sampler(build("square_field"), "wolff")
    with pytest.raises(NotExactError, match=r"triangular lattice that is not bipartite"):
        make_sampler(build("triangular_frustrated"), "wolff")
    clusters = {"wolff", "swendsen_wang"}
    assert clusters.isdisjoint(algorithms_for(build("triangular_frustrated")))
    assert clusters <= set(algorithms_for(build("square_antiferromagnet")))
