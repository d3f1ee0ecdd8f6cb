# SPDX-License-Identifier: MIT
"""Ising models with any couplings: enumeration against plain python, frontier against both and Kaufman."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import lattices
from edgphys.errors import NotExactError
from edgphys.exact import enumeration, frontier, kaufman
from edgphys.systems import Ising

GRAPHS = {
    "torus": ("square", (3, 4), True),
    "cylinder": ("square", (3, 4), (False, True)),
    "second_neighbours": ("square-j1j2", (3, 3), True),
    "second_neighbours_chain": ("chain-j1j2", (11,), True),
    "kagome": ("kagome", (2, 2), False),
    "cubic": ("cubic", (2, 2, 3), False),
}


def build(name, seed=0):
    lattice = lattices.build(*GRAPHS[name])
    rng = np.random.default_rng(seed)
    return lattice, rng.normal(size=lattice.n_bonds), rng.normal(size=lattice.n_sites)


def by_hand(lattice, temperature, bonds, sites):
    """log Z, <H>, <m>, <|m|> and <m^2>, state by state."""
    states = [np.array(s) for s in itertools.product((-1.0, 1.0), repeat=lattice.n_sites)]
    pairs = list(zip(bonds, *lattice.bonds.T, strict=True))
    energies = np.array([-sum(c * s[i] * s[j] for c, i, j in pairs) - sites @ s for s in states])
    m = np.array([s.mean() for s in states])
    log_z = float(np.logaddexp.reduce(-energies / temperature))
    p = np.exp(-energies / temperature - log_z)
    return log_z, float(p @ energies), float(p @ m), float(p @ np.abs(m)), float(p @ m**2)


def test_enumeration_of_couplings_is_the_sum_over_states():
    lattice, bonds, sites = build("second_neighbours")
    exact = enumeration.ising_of_couplings(lattice, 1.3, bonds, sites)
    log_z, energy, m, abs_m, m2 = by_hand(lattice, 1.3, bonds, sites)
    names = ("log_z", "energy", "magnetization", "abs_magnetization", "susceptibility")
    np.testing.assert_allclose(
        [exact[name] for name in names], [log_z, energy, m, abs_m, 9 * (m2 - m**2) / 1.3]
    )
    assert by_hand(lattice, 1.3, -bonds, sites)[0] != pytest.approx(log_z, abs=0.01)


@pytest.mark.parametrize(("coupling", "field"), [(1.0, 0.0), (-0.7, 0.0), (-0.7, 0.3)])
def test_enumeration_of_equal_couplings_is_that_of_one(coupling, field):
    lattice, bonds, sites = build("torus")
    given = np.full_like(bonds, coupling), np.full_like(sites, field)
    staggered = coupling < 0.0 and lattice.bipartition is not None
    exact = enumeration.ising_of_couplings(lattice, 1.7, *given, staggered=staggered)
    expected = enumeration.ising(lattice, 1.7, coupling, field)
    assert exact.keys() == expected.keys()
    np.testing.assert_allclose(list(exact.values()), list(expected.values()), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("temperature", [1.3, 0.02])
@pytest.mark.parametrize("name", GRAPHS)
def test_frontier_is_the_enumeration(name, temperature):
    lattice, bonds, sites = build(name)
    for fields in (sites, np.zeros_like(sites)):
        exact = frontier.ising(lattice, temperature, bonds, fields)
        expected = enumeration.ising_of_couplings(lattice, temperature, bonds, fields)
        assert exact.keys() == expected.keys()
        np.testing.assert_allclose(list(exact.values()), list(expected.values()), rtol=1e-9, atol=1e-12)
    bonds[0] *= -1.0  # one wrong sign is seen
    assert frontier.ising(lattice, 1.3, bonds, sites)["log_z"] != pytest.approx(
        enumeration.ising_of_couplings(lattice, 1.3, np.abs(bonds), sites)["log_z"], abs=1e-3
    )


def test_frontier_has_the_staggered_order():
    lattice = lattices.build("square", (4, 4))
    bonds, sites = -np.random.default_rng(0).random(lattice.n_bonds), np.linspace(-0.2, 0.3, 16)
    exact = frontier.ising(lattice, 1.1, bonds, sites, staggered=True)
    expected = enumeration.ising_of_couplings(lattice, 1.1, bonds, sites, staggered=True)
    assert exact.keys() == expected.keys() and "staggered_binder_cumulant" in exact
    np.testing.assert_allclose(list(exact.values()), list(expected.values()), rtol=1e-9)


def test_frontier_of_equal_couplings_is_kaufmans_torus():
    lattice = lattices.build("square", (6, 6))
    exact = frontier.ising(lattice, 2.3, np.ones(72), np.zeros(36))
    assert exact["log_z"] == pytest.approx(kaufman.log_z(6, 6, 2.3, 1.0), rel=1e-12)
    assert exact["specific_heat"] == pytest.approx(kaufman.specific_heat(6, 6, 2.3, 1.0), rel=1e-10)


def test_moments_without_the_law(monkeypatch):
    lattice, bonds, sites = build("torus")
    whole = frontier.ising(lattice, 1.3, bonds, sites)
    monkeypatch.setattr(frontier, "_MOST_OF_LAW", 1.0)
    short = frontier.ising(lattice, 1.3, bonds, sites)
    assert whole.keys() - short.keys() == {"abs_magnetization", "binder_cumulant"}
    for name, value in short.items():
        assert value == pytest.approx(whole[name], rel=1e-10, nan_ok=True)  # no correlation length


def test_what_is_exact_of_an_instance():
    square, strip = lattices.build("square", (6, 6)), lattices.build("square", (12, 4), False)
    for lattice in (square, strip):
        system = Ising(lattice, 1.0, lattices.random_bonds(lattice, seed=1))
        assert {"log_z", "abs_magnetization"} <= set(system.exact)
    large = lattices.build("square", (32, 32))
    assert Ising(large, 1.0, lattices.random_bonds(large, seed=1)).exact == ()
    assert Ising(large, 1.0, 1.0).exact != ()
    with pytest.raises(NotExactError, match="at most 24 sites that separate"):
        frontier.ising(large, 1.0, np.ones(2048), np.zeros(1024))
    exact = Ising(strip, 0.5, lattices.random_bonds(strip, seed=1)).exact_results()
    assert math.isfinite(exact["log_z"]) and exact["magnetization"] == 0.0
