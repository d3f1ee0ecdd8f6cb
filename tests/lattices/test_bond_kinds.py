# SPDX-License-Identifier: MIT
"""Kinds of bonds, lattices with further neighbours, signs that balance bonds, and random numbers on bonds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import lattices
from lattices.colouring import balancing_signs
from lattices.unit_cell import parse


def distances(lattice):
    """Of the two ends of each bond, the shortest around the torus."""
    first, second = lattice.positions[lattice.bonds.T]
    periods = lattice.basis_vectors * np.array(lattice.extent)[:, None]
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=lattice.n_axes))) @ periods
    return np.linalg.norm((second - first)[:, None] + shifts, axis=-1).min(1)


@pytest.mark.parametrize(
    ("name", "extent", "second", "coordination"),
    [("square-j1j2", (5, 6), 2**0.5, 8), ("chain-j1j2", (7,), 2.0, 4), ("cubic-j1j2", (4, 3, 4), 2**0.5, 18)],
)
def test_kinds_are_first_and_second_neighbours(name, extent, second, coordination):
    lattice = lattices.build(name, extent)
    assert lattice.unit_cell.kinds == ("first", "second")
    np.testing.assert_allclose(distances(lattice), np.where(lattice.bond_kinds == 0, 1.0, second))
    assert set(lattice.coordination) == {coordination}
    assert lattice.neighbour_bonds.shape == lattice.neighbours.shape


def test_kinds_of_a_square_are_its_axes():
    lattice = lattices.build("square", (4, 5), (True, False))
    first, second = lattice.bonds.T
    along_x = np.any(lattice.cells[first, :1] != lattice.cells[second, :1], axis=1)
    assert lattice.unit_cell.kinds == ("x", "y") and np.array_equal(lattice.bond_kinds == 0, along_x)
    ends = lattice.bonds[lattice.neighbour_bonds]
    sites = np.arange(lattice.n_sites)[:, None]
    joined = (ends == sites[..., None]).any(-1) & (ends == lattice.neighbours[..., None]).any(-1)
    assert np.array_equal(joined, lattice.neighbours >= 0)


def test_kind_of_a_cell_of_ones_own():
    text = 'name="a"\nbasis_vectors=[[1]]\nsite_offsets=[[0]]\nbonds=[{sites=[0,0], cell=[1]%s}]'
    assert parse(text % "").kinds == ("first",) and parse(text % ', kind="long"').kinds == ("long",)
    with pytest.raises(ValueError, match="kind' must be a text that is not empty, got 3"):
        parse(text % ", kind=3")


def test_signs_balance_bonds_or_a_loop_is_frustrated():
    lattice, rng = lattices.build("triangular", (4, 4)), np.random.default_rng(0)
    signs = rng.choice([-1, 1], 16)
    negative = signs[lattice.bonds[:, 0]] != signs[lattice.bonds[:, 1]]
    assert np.array_equal(balancing_signs(16, lattice.bonds, negative), signs * signs[0])
    negative[3] = not negative[3]
    assert balancing_signs(16, lattice.bonds, negative) is None


def test_random_bonds():
    lattice = lattices.build("square", (30, 30))
    signs, normal = (lattices.random_bonds(lattice, kind, seed=1) for kind in ("pm", "gaussian"))
    assert set(signs) == {-1.0, 1.0} and abs(signs.mean()) < 4.5 / 1800**0.5
    assert abs(normal.var() - 1.0) < 4.5 * (2.0 / 1800) ** 0.5 and len(normal) == lattice.n_bonds
    assert np.array_equal(signs, lattices.random_bonds(lattice, seed=1))
    assert not np.array_equal(signs, lattices.random_bonds(lattice, seed=2))
    with pytest.raises(ValueError, match="kind must be one of pm, gaussian, got 'pn'"):
        lattices.random_bonds(lattice, "pn", seed=1)
    with pytest.raises(ValueError, match="seed must be an integer >= 0, got -1"):
        lattices.random_bonds(lattice, seed=-1)
    with pytest.raises(TypeError, match=r"seed must be an integer >= 0, got 1\.5"):
        lattices.random_bonds(lattice, seed=1.5)


@pytest.mark.parametrize(
    ("name", "extent", "pbc"),
    [
        ("square", (2, 3), True),
        ("triangular", (3, 4), (True, False)),
        ("honeycomb", (2, 3), True),
        ("kagome", (2, 2), True),
        ("cubic-j1j2", (3, 3, 4), (False, True, True)),
    ],
)
def test_displacements_lead_from_the_first_site_to_the_second(name, extent, pbc):
    lattice = lattices.build(name, extent, pbc, allow_double_bonds=True)
    steps, (first, second) = lattice.bond_displacements, lattice.bonds.T
    beyond = np.linalg.solve(
        (lattice.basis_vectors * np.array(extent)[:, None]).T,
        (steps - lattice.positions[second] + lattice.positions[first]).T,
    )
    np.testing.assert_allclose(beyond, np.round(beyond), atol=1e-9)
    assert np.all(np.abs(beyond[~np.array(lattice.pbc)]) < 1e-9)
    lengths = [np.linalg.norm(step) for step in steps[lattice.bond_kinds == 0]]
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-9)
    # Bonds between the same two sites lead around the axis in opposite directions.
    if lattice.n_axes == 2 and extent[0] == 2 and name == "square":
        double = np.flatnonzero(np.all(lattice.bonds[1:] == lattice.bonds[:-1], axis=1))
        assert len(double) == 3
        np.testing.assert_allclose(steps[double], -steps[double + 1])
