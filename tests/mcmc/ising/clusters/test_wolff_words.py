# SPDX-License-Identifier: MIT
"""Wolff clusters grown by words: averages against the sum over all states, and wrong rules caught."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from helpers.chains import all_spins, assert_chains, assert_chains_off, boltzmann, estimates

import lattices
from edgphys.estimators import estimate
from edgphys.exact import kaufman
from edgphys.mcmc import run
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.ising.clusters import wolff, wolff_words, words
from edgphys.systems import Ising

# (lattice, extent, periodic, temperature, couplings)
CASES = {
    "square": ("square", (4, 4), True, 2.4, 1.0),
    "square_antiferromagnet": ("square", (4, 4), True, 2.4, -1.0),
    "square_half_open": ("square", (3, 4), (False, True), 2.2, 1.0),
    "square_anisotropic": ("square", (4, 4), True, 2.0, {"x": 1.0, "y": -0.6}),
    "triangular": ("triangular", (4, 3), True, 4.0, 1.0),
    "honeycomb": ("honeycomb", (3, 2), True, 1.6, 1.0),
    "cubic": ("cubic", (3, 2, 2), True, 5.0, 1.0),
}
QUICK = "square"
MARKED = [case if case == QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES]


@pytest.fixture(autouse=True)
def always_by_words(monkeypatch):
    monkeypatch.setattr(wolff_words, "LEAST_SIZE", 0)

    def refused(*args):
        raise AssertionError("site by site")

    monkeypatch.setattr(wolff, "_sample", refused)


def build(case):
    name, extent, pbc, temperature, coupling = CASES[case]
    lattice = lattices.build(name, extent, pbc, allow_double_bonds=2 in extent)
    return Ising(lattice, temperature, coupling)


def exact_of(system):
    probability, energy = boltzmann_of(system)
    values = {name: v for name, v in system.measure(all_spins(system.n_sites)).items() if name != "energy"}
    values |= {"energy": energy, "energy_2": energy**2}
    return estimates({name: probability @ v for name, v in values.items()}, system.beta, system.n_sites)


def boltzmann_of(system):
    if system.is_uniform:
        return boltzmann(system)
    energy = np.asarray(system.energy(all_spins(system.n_sites).astype(float)))
    weight = np.exp(-system.beta * (energy - energy.min()))
    return weight / weight.sum(), energy


@pytest.mark.statistical
@pytest.mark.parametrize("case", MARKED)
def test_averages_agree_with_enumeration(case):
    system = build(case)
    exact = exact_of(system)
    samples = run(system, "wolff", 32, 3000, seed=11, n_warmup=300)
    assert_chains(samples, exact, max_err=0.1, n_tests=len(CASES) * len(exact))


@pytest.mark.statistical
def test_follow_probability_one_percent_off_is_caught(monkeypatch):
    right = words.follow_threshold
    monkeypatch.setattr(words, "follow_threshold", lambda s: np.uint64(1.01 * float(right(s))))
    system = build(QUICK)
    samples = run(system, "wolff", 32, 3000, seed=11, n_warmup=300)
    assert_chains_off(samples, exact_of(system), max_err=0.1, least=6.0)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("extent", [(16, 16), (6, 64), (9, 15)])
def test_energy_of_clusters_of_many_words(extent):
    temperature = 2.27
    system = Ising(lattices.build("square", extent), temperature)
    result = estimate(run(system, "wolff", 8, 10_000, seed=5))
    energy, err = float(result["energy"]), float(result["energy_err"])
    assert 0 < err < 1.0
    assert abs(energy - kaufman.energy(*extent, temperature)) < 4 * err
    assert abs(energy - kaufman.energy(*extent, 1.01 * temperature)) > 6 * err


def test_pieces_change_no_number():
    sampler = make_sampler(build(QUICK), "wolff")
    rows, kept = np.empty((2, 20, sampler.n_columns)), np.empty((2, 20, 16), np.int8)
    for r, cuts in enumerate(([0, 20], [0, 7, 20])):
        state = sampler.start(0, np.random.SeedSequence(9))
        for first, last in itertools.pairwise(cuts):
            sampler.advance(state, {"clusters_per_sweep": 2.0}, 2, rows[r, first:last], kept[r, first:last])
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(kept[0], kept[1])


def test_mean_size_is_that_of_the_spins():
    """<|c|> = N <m^2>: no site is counted twice."""
    samples = run(build(QUICK), "wolff", 8, 3000, seed=2)
    size = json.loads(samples.attrs["settings"])["measured"]["mean_cluster_size"]
    square = float((samples["magnetization"] ** 2).mean())
    assert size == pytest.approx(16 * square, rel=0.03)
    assert size != pytest.approx(16 * 1.1 * square, rel=0.03)
