# SPDX-License-Identifier: MIT
"""Chains of systems with finitely many states: averages against enumeration, transition matrices, ladders."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from helpers.chains import chi_square_p
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.errors import NotExactError
from edgphys.estimators import estimate
from edgphys.exact.states import enumerated
from edgphys.mcmc import algorithms_for, run, temper
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.core.action_terms import make_action_terms
from edgphys.mcmc.ising.clusters.swendsen_wang import measure_clusters
from edgphys.mcmc.ising.flip_probabilities import LAZY
from edgphys.mcmc.states import law_table
from edgphys.systems import Clock, LatticePotential, Potts

SQUARE = lattices.build("square", (3, 3))
OPEN = lattices.build("square", (2, 4), False)
RING = lattices.build("chain", (3,))
LOCAL = ("metropolis", "heat_bath")


def blume_capel(lattice=SQUARE):
    return LatticePotential(
        lattice, lambda s: 0.9 * s**2, lambda a, b: -a * b, states=(-1, 0, 1), temperature=0.9
    )


CASES = {
    "potts": lambda: Potts(SQUARE, 1.0, 3),
    "potts_field": lambda: Potts(SQUARE, 1.2, 4, 0.8, 0.3),
    "potts_antiferro": lambda: Potts(OPEN, 0.7, 3, -1.0),
    "potts_kinds": lambda: Potts(SQUARE, 1.0, 3, {"x": 1.0, "y": 0.5}),
    "potts_glass": lambda: Potts(
        SQUARE, 1.0, 3, lattices.random_bonds(SQUARE, "gaussian", seed=1), np.linspace(-1, 1, 9)
    ),
    "potts_random_fields": lambda: Potts(SQUARE, 1.2, 3, {"x": 1.0, "y": 0.5}, np.linspace(-1, 1, 9)),
    "clock": lambda: Clock(OPEN, 0.6, 5),
    "clock_field": lambda: Clock(OPEN, 0.8, 4, 0.8, 0.3),
    "clock_antiferro": lambda: Clock(OPEN, 0.6, 4, -1.0),
    "blume_capel": blume_capel,
}
CLUSTERS = ("wolff", "swendsen_wang")
SERVED = {
    **dict.fromkeys(
        ("potts", "potts_antiferro", "potts_kinds", "clock", "clock_antiferro"), (*LOCAL, *CLUSTERS)
    ),
    **dict.fromkeys(("potts_field", "potts_random_fields", "clock_field"), (*LOCAL, "swendsen_wang")),
    **dict.fromkeys(("potts_glass", "blume_capel"), LOCAL),
}
RUNS = [(case, algorithm) for case, names in SERVED.items() for algorithm in names]


@pytest.mark.parametrize("case", CASES)
def test_algorithms_are_those_that_are_right(case):
    assert set(algorithms_for(CASES[case]())) == set(SERVED[case])


def check_averages(case, algorithm):
    system = CASES[case]()
    chains = run(system, algorithm, n_chains=8, n_sweeps=3000, seed=7, keep=True)
    flat = chains["configurations"].values.reshape(-1, system.n_sites)
    for name, values in system.measure(flat).items():
        if "improved" not in json.loads(chains.attrs["definitions"])[name]:
            np.testing.assert_allclose(chains[name].values.ravel(), values, atol=1e-10, err_msg=name)
    estimates, exact = estimate(chains), system.exact_results()
    for name in ("energy", "abs_magnetization", "susceptibility"):
        value, error = float(estimates[name]), float(estimates[f"{name}_err"])
        scale = 3.0 if name == "susceptibility" else 0.3
        assert_z(value, error, exact[name], n_tests=3 * len(RUNS), max_err=scale)
    about = system.pair_weights, system.order_vectors
    wrong = enumerated(system.lattice, 1.1 * system.temperature, system.bond_table, system.site_table, *about)
    energy, error = float(estimates["energy"]), float(estimates["energy_err"])
    assert_off(energy, error, wrong["energy"], least=6, max_err=0.3)  # ten per cent of T are seen


QUICK = {("potts_field", "heat_bath"), ("potts", "swendsen_wang")}


@pytest.mark.statistical
@pytest.mark.parametrize(("case", "algorithm"), sorted(QUICK))
def test_averages_are_those_of_the_enumeration(case, algorithm):
    check_averages(case, algorithm)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize(("case", "algorithm"), [one for one in RUNS if one not in QUICK])
def test_all_averages_are_those_of_the_enumeration(case, algorithm):
    check_averages(case, algorithm)


def local_matrix(system, heat_bath, beta):
    """Of one sweep in the order of the layout, from the energies of all states."""
    q, n = system.n_states, system.n_sites
    states = np.array(list(itertools.product(range(q), repeat=n)))
    energy, places = system.energy(states.astype(float)), q ** np.arange(n - 1, -1, -1)
    matrix = np.eye(len(states))
    for site in make_sampler(system, "heat_bath").layout.order:
        step = np.zeros_like(matrix)
        for k, state in enumerate(states):
            others = k + (np.arange(q) - state[site]) * places[site]
            cost = beta * (energy[others] - energy[k])
            if heat_bath:
                step[k, others] = np.exp(-cost) / np.exp(-cost).sum()
            else:
                step[k, others] = LAZY * np.exp(-np.maximum(cost, 0.0)) / (q - 1)
                step[k, k] += 1.0 - step[k].sum()
        matrix = matrix @ step
    return states, energy, matrix


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", LOCAL)
@pytest.mark.parametrize("looked_up", [True, False])
def test_local_sweep_has_its_matrix_and_keeps_the_law(algorithm, looked_up):
    """By the table of laws, and by factors and energies where bonds and sites differ."""
    given = (0.7, 0.4) if looked_up else ([0.7, -0.4, 1.1], [0.3, -0.2, 0.5])
    system = Potts(RING, 1.3, 3, *given)
    states, energy, matrix = local_matrix(system, algorithm == "heat_bath", system.beta)
    weight = np.exp(-system.beta * energy)
    np.testing.assert_allclose(weight @ matrix, weight, rtol=1e-12)
    sampler = make_sampler(system, algorithm)
    assert bool(len(sampler._tables[-1])) == looked_up
    state = sampler.start(0, np.random.SeedSequence(1))
    counts, places = np.zeros((27, 27), np.int64), 3 ** np.arange(2, -1, -1)
    for k, values in enumerate(states):
        start = sampler._store(values)
        for _ in range(1000):
            state.configuration[:] = start
            sampler.warm_up(state, 0, 1, 1)
            counts[k, sampler.unpack(state) @ places] += 1
    assert chi_square_p(counts, matrix) > 1e-4
    assert chi_square_p(counts, local_matrix(system, algorithm == "heat_bath", 1.3 * system.beta)[2]) < 1e-6


def test_improved_estimators_are_averages_over_the_states_of_clusters():
    """Over all colourings of four clusters, that of each site fixed by hand."""
    system = Potts(SQUARE, 1.1, 4)
    sampler = make_sampler(system, "swendsen_wang")
    labels = np.array([0, 0, 1, 2, 1, 0, 3, 2, 2], np.uint32)
    colours = np.array(list(itertools.product(range(4), repeat=4)), dtype=float)
    plain = system.measure(colours[:, labels])
    improved = np.empty(4)
    measure_clusters(np.ones(9, np.int8), labels, 4, sampler._waves, improved, 3)
    names = ("magnetization_2", "magnetization_4", "correlator_zero", "correlator_min")
    for name, value in zip(names, improved, strict=True):
        assert value == pytest.approx(plain[name].mean(), rel=1e-12), name
    assert improved[1] != pytest.approx(plain["magnetization_2"].mean() ** 2, rel=1e-2)


@pytest.mark.parametrize("algorithm", CLUSTERS)
def test_clusters_are_refused_where_they_do_not_apply(algorithm):
    triangular = lattices.build("triangular", (3, 3))
    for system in (Potts(triangular, 1.0, 3, -1.0), Clock(triangular, 1.0, 5, -1.0), CASES["potts_glass"]()):
        if algorithm == "wolff" and system.has_field:
            continue
        with pytest.raises(
            NotExactError, match=rf"{algorithm} needs couplings without frustration .*, got a loop"
        ):
            run(system, algorithm, n_sweeps=16, seed=1)
    with pytest.raises(NotExactError, match=rf"{algorithm} needs exchanges of states .*, got none"):
        values = LatticePotential(SQUARE, bond=lambda a, b: -a * b, states=(-1, 0, 1))
        run(values, algorithm, n_sweeps=16, seed=1)
    with pytest.raises(NotExactError, match=r"wolff needs sites without energies of their own"):
        run(CASES["clock_field"](), "wolff", n_sweeps=16, seed=1)


def test_strong_bonds_that_want_different_states_do_not_underflow():
    for coupling in (-1.0, np.linspace(-1.0, -0.9, OPEN.n_bonds)):  # by the table of laws, and by energies
        system = Potts(OPEN, 1e-3, 3, coupling)
        chains = run(system, "heat_bath", n_chains=2, n_sweeps=50, seed=1)
        assert np.all(chains["energy"].values[:, -1] == 0.0)


def test_thresholds_are_sums_of_probabilities_to_64_bits():
    costs = np.vstack([-np.eye(3), np.zeros(3)])  # q = 3, beta J = 1
    law = law_table.heat_bath_law(costs, np.zeros(3), 2)
    row = law[1 * 4 + 2, 0] / 2.0**64  # neighbours in states 1 and 2
    p = np.exp([0.0, 1.0, 1.0]) / np.exp([0.0, 1.0, 1.0]).sum()
    np.testing.assert_allclose(row, np.cumsum(p)[:2], rtol=1e-12)
    np.testing.assert_allclose(law[3 * 4 + 3, 0] / 2.0**64, [1 / 3, 2 / 3], rtol=1e-12)  # no neighbours
    frozen = law_table.heat_bath_law(1e4 * costs, np.zeros(3), 2)
    assert frozen[0, 0].tolist() == [2**64 - 1] * 2 and frozen[2 * 4 + 2, 0].tolist() == [0, 0]
    assert law_table.heat_bath_law(np.zeros((31, 30)), np.zeros(30), 6) is None


def test_a_ladder_over_the_number_of_states_is_refused():
    with pytest.raises(ValueError, match=r"ladder must change coefficients of the action only, got q, which"):
        temper(CASES["potts"](), {"q": [2, 3]}, n_sweeps=20, seed=1)


def test_terms_of_the_action_are_those_of_the_system():
    for case in ("potts_glass", "clock_field", "blume_capel"):
        system = CASES[case]()
        states = system.random_configurations(5, np.random.default_rng(0)).astype(np.int8)
        np.testing.assert_allclose(make_action_terms(system)(states), system.action_terms(states), atol=1e-12)
