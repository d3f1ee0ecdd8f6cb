# SPDX-License-Identifier: MIT
"""Ising models with couplings by kind of bond, by bond and by site: energies, symmetries, refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from helpers.chains import all_spins

import lattices
from edgphys.errors import EdgphysError
from edgphys.mcmc.core.action_terms import make_action_terms
from edgphys.recording.plain_values import plain, restored
from edgphys.systems import Ising, registry
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice.space_group import SpaceGroup

SQUARE = lattices.build("square", (3, 4))
J1J2 = lattices.build("square-j1j2", (3, 3))
CYLINDER = lattices.build("square", (3, 3), (True, False))


def glass(lattice, kind="gaussian", **more):
    return Ising(lattice, 1.5, lattices.random_bonds(lattice, kind, seed=3), **more)


def tilted(lattice):
    return np.random.default_rng(4).normal(size=lattice.n_sites)


def case(name):
    return {
        "kinds": lambda: Ising(J1J2, 1.5, {"first": 1.0, "second": -0.5}),
        "kinds_field": lambda: Ising(CYLINDER, 1.5, {"x": 1.0, "y": -0.5}, field=0.3),
        "bonds": lambda: glass(SQUARE, strength=0.7),
        "bonds_sites": lambda: glass(CYLINDER, field=tilted(CYLINDER)),
        "sites": lambda: Ising(SQUARE, 1.5, -0.8, field=tilted(SQUARE)),
    }[name]()


CASES = ("kinds", "kinds_field", "bonds", "bonds_sites", "sites")


def energies(system, bonds, sites):
    """Of all states, bond by bond."""
    spins = all_spins(system.n_sites).astype(float)
    total = -(spins @ sites)
    for coupling, (i, j) in zip(bonds, system.lattice.bonds, strict=True):
        total -= coupling * spins[:, i] * spins[:, j]
    return total


def log_sum(values):
    return float(np.logaddexp.reduce(values))


def test_couplings_are_those_that_were_given():
    system = Ising(J1J2, 1.5, {"second": -0.5, "first": 1.0}, field=0.25, strength=2.0)
    lengths = np.linalg.norm(J1J2.positions[J1J2.bonds[:, 1]] - J1J2.positions[J1J2.bonds[:, 0]], axis=1)
    near = np.isclose(lengths % 1.0, 0.0)  # 1, or 2 around the torus; diagonals are not whole
    assert np.array_equal(system.bond_couplings, np.where(near, 2.0, -1.0))
    assert np.array_equal(system.site_fields, np.full(9, 0.25))
    numbers = np.arange(24.0)
    assert np.array_equal(Ising(SQUARE, 1.0, numbers).bond_couplings, numbers)
    assert np.array_equal(Ising(SQUARE, 1.0, field=numbers[:12]).site_fields, numbers[:12])


@pytest.mark.parametrize("name", CASES)
def test_energy_is_the_sum_over_bonds_and_sites(name):
    system = case(name)
    spins = all_spins(system.n_sites)
    expected = energies(system, system.bond_couplings, system.site_fields)
    np.testing.assert_allclose(system.energy(spins), expected, atol=1e-12)
    terms = system.action_terms(spins)
    np.testing.assert_allclose(terms @ system.action_coefficients, system.beta * expected, atol=1e-12)
    np.testing.assert_allclose(make_action_terms(system)(spins), terms, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_continuous_form_gives_the_sum_over_spins(name):
    """exp(-U(y)) = sum_s exp(-beta H(s)) N(y; M^{1/2} s, 1), state by state; and a wrong bond is seen."""
    system = case(name)
    y = torch.randn(3, system.n_sites, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    root = system.relaxation.to_dense()
    log_normal = -0.5 * ((y.numpy()[:, None] - all_spins(system.n_sites) @ root) ** 2).sum(-1)
    log_normal -= 0.5 * system.n_sites * math.log(2.0 * math.pi)
    energy = -system.reduced_energy(y).numpy()

    def by_sum(bonds):
        return [
            log_sum(-system.beta * energies(system, bonds, system.site_fields) + one) for one in log_normal
        ]

    np.testing.assert_allclose(energy, by_sum(system.bond_couplings), atol=1e-9)
    wrong = system.bond_couplings.copy()
    wrong[0] *= -1.0
    assert np.abs(energy - by_sum(wrong)).max() > 0.01
    np.testing.assert_allclose(system.gradient(y), AbstractSystem.gradient(system, y), atol=1e-12)


def test_equal_couplings_are_the_uniform_model():
    uniform = Ising(SQUARE, 2.0, -0.7, field=0.2)
    same = Ising(SQUARE, 2.0, np.full(24, -0.7), field=np.full(12, 0.2))
    spins = all_spins(12)[::7]
    np.testing.assert_allclose(same.energy(spins), uniform.energy(spins), atol=1e-12)
    assert same.symmetries == uniform.symmetries and same.antiferromagnetic == uniform.antiferromagnetic
    y = torch.ones(1, 12, dtype=torch.float64)
    np.testing.assert_allclose(same.reduced_energy(y), uniform.reduced_energy(y), atol=1e-10)


@pytest.mark.parametrize(
    ("system", "symmetries"),
    [
        (lambda: case("kinds"), ("translation", "point_group", "z2")),
        (lambda: Ising(lattices.build("square", (3, 3)), 1.0, {"x": 1.0}), ("translation", "z2")),
        (lambda: case("kinds_field"), ("periodic_translation", "point_group")),
        (lambda: case("bonds"), ("z2",)),
        (lambda: case("sites"), ()),
        (lambda: Ising(SQUARE, 1.0, 1.0, field=[1.0, -1.0] * 6), ("point_group",)),
    ],
)
def test_symmetries_are_those_of_the_couplings(system, symmetries):
    system = system()
    assert system.symmetries == symmetries
    x = torch.from_numpy(all_spins(system.n_sites)[::11].astype(float))
    moved = system.random_symmetry(x, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(system.energy(moved), system.energy(x), atol=1e-12)
    if set(symmetries) <= {"z2"}:  # the whole group would not do
        moved = SpaceGroup(system.lattice).move(x, torch.Generator().manual_seed(0))
        assert not np.allclose(system.energy(moved), system.energy(x))


@pytest.mark.parametrize("name", CASES)
def test_written_and_read_it_is_the_same_system(name):
    system = case(name)
    again = registry.build("ising", system.lattice, **json.loads(json.dumps(system.parameters)))
    recorded = restored(json.loads(json.dumps(plain(system))))
    spins = all_spins(system.n_sites)[::5]
    for other in (again, recorded, system.replace(temperature=1.5)):
        assert other.identity() == system.identity()
        assert np.array_equal(other.energy(spins), system.energy(spins))
    assert system.replace(temperature=3.0).bond_couplings.tolist() == system.bond_couplings.tolist()


@pytest.mark.parametrize("name", CASES)
def test_reference_is_where_the_spins_are_free(name):
    system = case(name)
    path = system.reference()
    free = system.replace(**{path.coupling: path.first})
    assert path.log_z == pytest.approx(log_sum(-free.beta * free.energy(all_spins(free.n_sites))))
    spins = all_spins(system.n_sites)[::5]
    np.testing.assert_allclose(free.action_terms(spins), system.action_terms(spins), atol=1e-12)
    draws = path.draw(20_000, np.random.default_rng(0))
    error = 1.0 / math.sqrt(len(draws))
    np.testing.assert_allclose(draws.mean(0), np.tanh(system.beta * system.site_fields), atol=4.5 * error)


def test_order_of_spins_satisfies_every_bond_or_there_is_none():
    signs = np.random.default_rng(0).choice([-1.0, 1.0], 12)
    i, j = SQUARE.bonds.T
    system = Ising(SQUARE, 1.0, np.arange(24.0) * signs[i] * signs[j])
    assert np.array_equal(system.order_signs * system.order_signs[0], signs * signs[0])
    broken = system.bond_couplings.copy()
    broken[5] *= -1.0
    assert Ising(SQUARE, 1.0, broken).order_signs is None
    assert case("kinds").order_signs is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"coupling": np.ones(23)}, r"coupling must be a number or an array of 24 .*, got shape \(23,\)"),
        ({"coupling": np.ones((12, 2))}, r"coupling must be .* one for each bond of the lattice, got shape"),
        ({"coupling": [1.0] * 23 + [math.nan]}, "coupling must be .* finite .*, got nan at bond 23"),
        ({"coupling": math.nan}, "coupling must be finite, got nan"),
        ({"coupling": {"second": 1.0}}, r"coupling must be .* of the lattice square \(x, y\), got 'second'"),
        ({"coupling": {"x": math.inf}}, r"coupling\['x'\] must be finite, got inf"),
        ({"coupling": ["a"] * 24}, "coupling must be a number or an array of 24 finite numbers"),
        ({"coupling": np.ones(24, bool)}, "coupling must be a number or an array of 24 finite numbers"),
        ({"field": np.zeros(5)}, r"field must be .* one for each site of the lattice, got shape \(5,\)"),
        ({"field": {"x": 1.0}}, "field must be a real number"),
        ({"strength": 2.0}, "strength must be 1 where coupling is one number, got 2"),
        ({"coupling": {"x": 1.0}, "strength": math.nan}, "strength must be finite, got nan"),
    ],
)
def test_refused_couplings(arguments, words):
    with pytest.raises((EdgphysError, TypeError, ValueError), match=words) as caught:
        Ising(SQUARE, 1.0, **arguments)
    assert "\n" not in str(caught.value)
