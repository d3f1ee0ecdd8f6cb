# SPDX-License-Identifier: MIT
"""Drawn elements are those of the space group, all equally often, and each configuration has its own."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from helpers.own_systems import opened

import lattices
from edgphys.systems import Ising, Phi4
from edgphys.systems.lattice.space_group import SpaceGroup

CASES = [
    ("chain", (6,), True),
    ("chain", (6,), False),
    ("square", (4, 3), True),
    ("square", (4, 3), (False, True)),
    ("honeycomb", (3, 3), True),
    ("kagome", (3, 3), True),
]


@pytest.mark.statistical
@pytest.mark.parametrize(("name", "extent", "pbc"), CASES)
def test_elements_are_those_of_the_space_group_equally_often(name, extent, pbc):
    lattice = lattices.build(name, extent, pbc)
    table = {row.tobytes(): k for k, row in enumerate(lattice.space_group().astype(np.int64))}
    n = 50 * len(table)
    drawn = SpaceGroup(lattice).draw(n, torch.Generator().manual_seed(0)).numpy()
    counts = np.bincount([table[row.tobytes()] for row in drawn], minlength=len(table))
    assert scipy.stats.chisquare(counts).pvalue > 1e-4 / len(CASES)


def test_group_of_a_square_with_double_bonds_is_drawn_equally_often():
    """At extent 2 several products give the same element: as many for each."""
    lattice = lattices.build("square", (2, 4), allow_double_bonds=True)
    table = {row.tobytes(): k for k, row in enumerate(lattice.space_group().astype(np.int64))}
    drawn = SpaceGroup(lattice).draw(100 * len(table), torch.Generator().manual_seed(0)).numpy()
    counts = np.bincount([table[row.tobytes()] for row in drawn], minlength=len(table))
    assert scipy.stats.chisquare(counts).pvalue > 1e-4


def test_each_configuration_has_its_own():
    group = SpaceGroup(lattices.build("square", (8, 8)))
    index = group.draw(100, torch.Generator().manual_seed(1))
    assert len(torch.unique(index, dim=0)) > 80
    field = torch.randn(100, 64, generator=torch.Generator().manual_seed(2))
    moved = group.move(field, torch.Generator().manual_seed(1))
    assert torch.equal(moved, field.gather(1, index))


with opened(Ising):

    class Patterned(Ising):
        """Couplings could depend on the site: nothing is declared but the point group."""

        symmetries = ("point_group",)


def strip(name, extent, pbc, make=Ising, **couplings):
    return make(lattices.build(name, extent, pbc), **(couplings or {"temperature": 2.0}))


STRIPS = {
    "square": lambda: strip("square", (4, 3), (True, False)),
    "the other axis": lambda: strip("square", (4, 3), (False, True)),
    "honeycomb": lambda: strip("honeycomb", (3, 3), (True, False), temperature=2.0, field=0.1),
    "phi4": lambda: strip("square", (4, 3), (True, False), Phi4, kappa=0.25, lam=0.022),
}


def moved_labels(system, n=2000):
    """Every image of the sites' numbers that `random_symmetry` gives, without the sign."""
    labels = torch.arange(1.0, 1.0 + system.n_sites, dtype=torch.float64)[None].expand(n, -1)
    moved = system.random_symmetry(labels, torch.Generator().manual_seed(0)).abs().long() - 1
    return {tuple(row) for row in torch.unique(moved, dim=0).tolist()}


@pytest.mark.parametrize("name", STRIPS)
def test_strips_are_moved_by_all_of_their_space_group(name):
    system = STRIPS[name]()
    assert moved_labels(system) == {tuple(row) for row in system.lattice.space_group().tolist()}
    x = torch.randn(50, system.n_sites, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    moved = system.random_symmetry(x, torch.Generator().manual_seed(2))
    assert not torch.equal(moved, x)
    torch.testing.assert_close(system.energy(moved), system.energy(x), rtol=1e-12, atol=1e-12)


def test_a_strip_that_declares_no_translation_has_none():
    system = strip("square", (4, 3), (True, False), Patterned)
    assert moved_labels(system) == {tuple(row) for row in system.lattice.point_group.tolist()}


def test_translations_of_a_strip_keep_the_coordinate_along_the_open_axis():
    lattice = lattices.build("square", (4, 3), (True, False))
    drawn = SpaceGroup(lattice, point_operations=False).draw(200, torch.Generator().manual_seed(0)).numpy()
    steps = (lattice.cells[drawn] - lattice.cells) % [4, 3]
    assert (steps == steps[:, :1]).all()
    assert {tuple(step) for step in steps[:, 0]} == {(0, 0), (1, 0), (2, 0), (3, 0)}


def test_a_translation_along_the_open_axis_is_seen():
    """The energy of a strip does not allow it."""
    system = STRIPS["square"]()
    x = torch.randn(50, 4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    along, across = (system.energy(x.roll(1, axis).flatten(1)) for axis in (1, 2))
    torch.testing.assert_close(along, system.energy(x.flatten(1)), rtol=1e-12, atol=1e-12)
    assert float((across - along).abs().min()) > 1e-6
