# SPDX-License-Identifier: MIT
"""Chains of Ising models with couplings of bonds and fields of sites of their own: laws, means, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.chains import all_spins, chi_square_p
from helpers.stats import assert_off, assert_z
from numba import njit

import edgphys
import lattices
from edgphys.errors import NotExactError
from edgphys.estimators import estimate
from edgphys.mcmc import algorithms_for, run, rung, temper
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.core.layout import make_layout
from edgphys.mcmc.ising import given_couplings
from edgphys.mcmc.ising.bits import engine
from edgphys.mcmc.ising.clusters import wolff
from edgphys.mcmc.ising.flip_probabilities import LAZY
from edgphys.systems import Ising

LOCAL = ("metropolis", "heat_bath")
CLUSTERS = ("wolff", "swendsen_wang")
SQUARE = lattices.build("square", (3, 3))
RING = lattices.build("chain", (4,))
SIGNS = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0])


def mattis(lattice=SQUARE, **more):
    """Couplings of all sizes and both signs without frustration."""
    i, j = lattice.bonds.T
    sizes = np.random.default_rng(1).random(lattice.n_bonds)
    return Ising(lattice, 1.2, sizes * SIGNS[i] * SIGNS[j], **more)


CASES = {
    "glass": lambda: Ising(SQUARE, 1.5, lattices.random_bonds(SQUARE, "gaussian", seed=1)),
    "glass_in_random_fields": lambda: Ising(
        SQUARE, 1.5, lattices.random_bonds(SQUARE, "gaussian", seed=1), field=SIGNS * 0.4
    ),
    "random_fields": lambda: Ising(SQUARE, 2.5, 1.0, field=SIGNS * np.linspace(0.1, 0.9, 9)),
    "pm_open": lambda: Ising(
        open_ := lattices.build("square", (3, 4), False), 1.1, lattices.random_bonds(open_, seed=3)
    ),
    "pm_field": lambda: Ising(SQUARE, 1.1, 0.7 * lattices.random_bonds(SQUARE, seed=3), field=0.3),
    "second_neighbours": lambda: Ising(
        lattices.build("square-j1j2", (3, 3)), 1.5, {"first": 1.0, "second": -1.0}
    ),
    "anisotropic": lambda: Ising(SQUARE, 2.0, {"x": 1.0, "y": 0.5}),
    "mattis": mattis,
    "mattis_field": lambda: mattis(field=0.3),
}
SERVED = {
    **dict.fromkeys(("glass", "glass_in_random_fields"), LOCAL),
    "random_fields": (*LOCAL, "swendsen_wang"),
    **dict.fromkeys(("pm_open", "pm_field", "second_neighbours"), (*LOCAL, "multispin")),
    **dict.fromkeys(("anisotropic", "mattis"), (*LOCAL, *CLUSTERS)),
    "mattis_field": (*LOCAL, "swendsen_wang"),
}
RUNS = [(case, algorithm) for case, names in SERVED.items() for algorithm in names]
# Those that others are like, with more to compile.
SLOW = {
    ("pm_open", "multispin"),
    ("random_fields", "swendsen_wang"),
    ("mattis", "swendsen_wang"),
    ("mattis_field", "swendsen_wang"),
    ("anisotropic", "wolff"),
}


@pytest.mark.parametrize("case", CASES)
def test_algorithms_are_those_that_are_right(case):
    assert algorithms_for(CASES[case]()) == tuple(
        name for name in ("metropolis", "heat_bath", "multispin", *CLUSTERS) if name in SERVED[case]
    )


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("case", "algorithm"),
    [pytest.param(*run, marks=pytest.mark.slow) if run in SLOW else run for run in RUNS],
)
def test_averages_are_those_of_the_enumeration(case, algorithm):
    system = CASES[case]()
    many = algorithm == "multispin"
    chains = run(
        system, algorithm, n_chains=64 if many else 8, n_sweeps=500 if many else 4000, seed=7, keep=True
    )
    flat = chains["configurations"].values.reshape(-1, system.n_sites)
    np.testing.assert_allclose(chains["energy"].values.ravel(), system.energy(flat), atol=1e-10)
    estimates, exact = estimate(chains), system.exact_results()
    for name, most in (("energy", 0.2), ("abs_magnetization", 0.01), ("susceptibility", 0.2)):
        value, error = float(estimates[name]), float(estimates[f"{name}_err"])
        assert_z(value, error, exact[name], n_tests=3 * len(RUNS), max_err=most)
    flipped = system.bond_couplings.copy()
    flipped[:2] *= -1.0
    wrong = Ising(system.lattice, system.temperature, flipped, field=system.field).exact_results()["energy"]
    if abs(wrong - exact["energy"]) > 0.3:  # the sign of two bonds is seen
        assert_off(float(estimates["energy"]), float(estimates["energy_err"]), wrong, least=8, max_err=0.2)


@njit
def _transitions(kernel, spins, rng, args, order, weights, counts):
    start = spins.copy()
    for _ in range(20_000):
        spins[:] = start
        kernel(spins, rng, *args)
        state = 0
        for k in range(order.size):
            state += weights[order[k]] * (spins[k] < 0)
        counts[state] += 1


def transition_counts(kernel, args, layout, states):
    """How often the kernel goes from each of `states` to each state of four spins."""
    rng, counts = np.array([1, 2, 3, 4], np.uint64), np.zeros((len(states), 16), np.int64)
    for row, spins in zip(counts, states, strict=True):
        start = layout.store(spins.astype(np.int8))
        _transitions(kernel, start, rng, args, layout.order, 1 << np.arange(4), row)
    return counts


def local_matrix(system, heat_bath, sign=1.0):
    """Of one sweep in the order of the layout, the rule written out once more."""
    spins, states = all_spins(4).astype(float), np.arange(16)
    energy, matrix = system.energy(spins), np.eye(16)
    for site in make_layout(system.lattice).order:
        flipped = states ^ (1 << site)
        cost = sign * system.beta * (energy[flipped] - energy)
        accept = 1.0 / (1.0 + np.exp(cost)) if heat_bath else LAZY * np.exp(np.minimum(0.0, -cost))
        step = np.diag(1.0 - accept)
        step[states, flipped] = accept
        matrix = matrix @ step
    return matrix


@pytest.mark.statistical
@pytest.mark.parametrize("heat_bath", [False, True])
def test_local_sweep_has_its_matrix_and_keeps_the_law(heat_bath):
    system = Ising(RING, 1.3, [0.7, -0.4, 1.1, -0.9], field=[0.3, -0.2, 0.0, 0.5])
    matrix = local_matrix(system, heat_bath)
    weight = np.exp(-system.beta * system.energy(all_spins(4)))
    np.testing.assert_allclose(weight @ matrix, weight, rtol=1e-12)
    layout = make_layout(RING)
    tables = given_couplings.local_tables(layout, system.beta, system.bond_couplings, system.site_fields)
    counts = transition_counts(given_couplings.sweep_in_order, (tables, heat_bath), layout, all_spins(4))
    assert chi_square_p(counts, matrix) > 1e-4
    assert chi_square_p(counts, local_matrix(system, heat_bath, sign=0.95)) < 1e-8


def test_rare_flips_have_their_rate():
    """Probability 1e-16 is 1845 of 2^64 words; its complement, of the heat bath, as many."""
    cost = -np.log(1e-16)
    for word, flips in ((1700, True), (1900, False)):
        assert given_couplings._flips(np.uint64(word), cost, True) == flips
        assert given_couplings._flips(np.uint64(word), -cost, True) != flips
    assert given_couplings._flips(np.uint64(1700), cost, False)
    assert not given_couplings._flips(np.uint64(1800), cost, False)  # 15/16 of it


def wolff_law(system, state):
    """Where one cluster leads from a state, and how likely: the sum over sets of followed bonds."""
    spins, bonds = all_spins(4)[state].astype(float), system.lattice.bonds
    follow = 1.0 - np.exp(-2.0 * system.beta * np.abs(system.bond_couplings))
    satisfied = system.bond_couplings * spins[bonds[:, 0]] * spins[bonds[:, 1]] > 0.0
    law = np.zeros(16)
    for choice in np.ndindex(*[2] * len(bonds)):
        taken = np.array(choice, bool)
        p = np.prod(np.where(taken, follow * satisfied, 1.0 - follow * satisfied))
        label = np.arange(4)
        for i, j in bonds[taken]:
            label[label == label[j]] = label[i]
        for site in range(4):
            law[state ^ int(((label == label[site]) << np.arange(4)).sum())] += p / 4.0
    return law


@pytest.mark.statistical
def test_wolff_cluster_has_its_matrix_and_keeps_the_law():
    system = Ising(RING, 1.3, [0.7, -0.4, 1.1, -0.9])
    matrix = np.array([wolff_law(system, state) for state in range(16)])
    weight = np.exp(-system.beta * system.energy(all_spins(4)))
    np.testing.assert_allclose(weight @ matrix, weight, rtol=1e-12)
    layout = make_layout(RING, np.arange(4))
    args = wolff.make_weighed_links(system), (np.empty(5, np.uint32), np.zeros(2, np.uint64))
    counts = transition_counts(wolff._flip_cluster, args, layout, all_spins(4))
    assert chi_square_p(counts, matrix) > 1e-4
    other = Ising(RING, 1.3, [0.7, -0.4, 1.1, -0.8])
    assert chi_square_p(counts, np.array([wolff_law(other, state) for state in range(16)])) < 1e-8


def test_links_of_given_couplings_are_those_of_equal_ones():
    """The same clusters by both kernels, but for the random words that they take: the same bonds."""
    system = Ising(SQUARE, 2.0, np.full(18, 0.8))
    (neighbours, degrees), thresholds, signs = wolff.make_weighed_links(system)
    assert np.array_equal(np.sort(neighbours, axis=1), np.sort(SQUARE.neighbours, axis=1))
    assert set(thresholds.ravel()) == {wolff.follow_threshold(0.4)} and set(degrees) == {4}
    assert set(signs.ravel()) == {1}


def test_words_of_turned_spins_lead_over_negative_bonds():
    system = CASES["pm_open"]()
    tables = engine.Engine(system, [system.beta], "metropolis", 4)
    state = tables.start(np.ones(12), np.random.SeedSequence(1))
    tables.run(state, np.zeros(256, np.int64), 3, np.empty((0, 0), np.uint64))
    assert np.array_equal(state.configuration[52:], ~state.configuration[:48])
    energy = tables.measure(state.configuration[None])[0, 0]
    np.testing.assert_allclose(energy, system.energy(tables.unpack(state.configuration)))


@pytest.mark.slow
@pytest.mark.statistical
def test_free_energies_of_a_glass():
    system = CASES["glass_in_random_fields"]()
    exact = system.exact_results()["log_z"]
    for method in ("mbar", "ti"):
        result = edgphys.free_energy(system, method=method, seed=5, n_sweeps=1000, n_rungs=4)
        assert_z(float(result["log_z"]), float(result["log_z_err"]), exact, n_tests=2, max_err=0.05)


@pytest.mark.statistical
def test_ladder_of_a_glass():
    system = CASES["pm_field"]()
    ladder = temper(system, {"temperature": [0.8, 1.1, 1.6]}, "heat_bath", n_chains=8, n_sweeps=2000, seed=3)
    for k, temperature in enumerate((0.8, 1.1, 1.6)):
        exact = system.replace(temperature=temperature).exact_results()["energy"]
        found = estimate(rung(ladder, k))
        assert_z(float(found["energy"]), float(found["energy_err"]), exact, n_tests=3, max_err=0.1)


@pytest.mark.parametrize(
    ("case", "algorithm", "words"),
    [
        (
            "glass",
            "wolff",
            "wolff needs couplings without frustration .* odd number of negative",
        ),
        ("second_neighbours", "swendsen_wang", "swendsen_wang needs couplings without frustration"),
        ("mattis_field", "wolff", "wolff needs field = 0"),
        ("random_fields", "wolff", "wolff needs field = 0 .*, got array of 9"),
        ("anisotropic", "multispin", "multispin needs couplings of one size, of either sign, and one field"),
        ("random_fields", "multispin", "multispin needs couplings of one size"),
    ],
)
def test_refused_algorithms(case, algorithm, words):
    with pytest.raises(NotExactError, match=words) as caught:
        make_sampler(CASES[case](), algorithm)
    assert "\n" not in str(caught.value)
