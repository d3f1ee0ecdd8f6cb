# SPDX-License-Identifier: MIT
"""Drawn elements are those of the space group, all equally often, and each configuration has its own."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

import lattices
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
