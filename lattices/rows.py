# SPDX-License-Identifier: MIT
"""A lattice cut into rows across its longest axis, as transfer matrices take it."""

from __future__ import annotations

import numpy as np

from lattices.lattice import Lattice

__all__ = [
    "MAX_OPEN_ROW",
    "MAX_ROW",
    "MAX_SITES",
    "can_contract",
    "longest_axis",
    "row_sites",
    "turning_axis",
]

# What transfer matrices take; without translations around the row they stay whole.
MAX_ROW, MAX_OPEN_ROW, MAX_SITES = 8, 6, 1024


def longest_axis(lattice: Lattice) -> int:
    """The axis along which rows follow each other, the first of the longest."""
    return int(np.argmax(lattice.extent))


def row_sites(lattice: Lattice) -> int | None:
    """Sites in a row; None if there are fewer than three rows, or bonds beyond the next row.

    Examples
    --------
    >>> from lattices import build
    >>> row_sites(build("square", (8, 128))), row_sites(build("honeycomb", (4, 6)))
    (8, 8)
    """
    along = longest_axis(lattice)
    steps = max(abs(bond.cell[along]) for bond in lattice.unit_cell.bonds)
    return lattice.n_sites // lattice.extent[along] if steps <= 1 and lattice.extent[along] >= 3 else None


def turning_axis(lattice: Lattice) -> int | None:
    """The longest periodic axis within rows; None if there is none."""
    along = longest_axis(lattice)
    axes = [axis for axis, periodic in enumerate(lattice.pbc) if periodic and axis != along]
    return max(axes, key=lambda axis: lattice.extent[axis]) if axes else None


def can_contract(lattice: Lattice) -> bool:
    """Whether rows and sites are few enough for transfer matrices.

    Examples
    --------
    >>> from lattices import build
    >>> [can_contract(build("square", extent)) for extent in ((8, 8), (8, 128), (9, 9))]
    [True, True, False]
    """
    row = row_sites(lattice)
    widest = MAX_OPEN_ROW if turning_axis(lattice) is None else MAX_ROW
    return row is not None and row <= widest and lattice.n_sites <= MAX_SITES
