# SPDX-License-Identifier: MIT
"""A lattice cut into rows across its longest axis, as transfer matrices take it."""

from __future__ import annotations

import numpy as np

from lattices.lattice import Lattice

__all__ = ["longest_axis", "row_sites", "turning_axis"]


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
