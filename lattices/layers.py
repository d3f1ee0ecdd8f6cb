# SPDX-License-Identifier: MIT
"""Copies of a lattice, one behind the other along one more periodic axis: the lattice of a path integral.

A site of layer t is joined to its copies in the layers t - 1 and t + 1 by bonds of a kind of their own; in a
layer the bonds are those of the lattice. Layers lie closer than neighbours in a layer do, so that no
operation of the point group exchanges the axes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lattices.build import expand
from lattices.lattice import Lattice
from lattices.unit_cell import Bond, UnitCell

__all__ = ["TIME", "in_layers"]

TIME = "time"  # the kind of the bonds between layers


def in_layers(lattice: Lattice, n_layers: int, spacing: float = 0.5) -> Lattice:
    """`n_layers` copies of a lattice; with two of them every site is joined to its copy twice.

    `spacing` is the distance of layers, in the units of the basis vectors.

    Raises
    ------
    ValueError
        If the lattice has bonds of the kind "time" or four axes, or `n_layers` is below 2.

    Examples
    --------
    >>> import lattices
    >>> in_layers(lattices.build("chain", (3,)), 4)
    Lattice('chain-time', extent=(3, 4), pbc=(True, True), n_sites=12, n_bonds=24)
    """
    cell = lattice.unit_cell
    if TIME in cell.kinds or lattice.n_axes > 3 or n_layers < 2:
        words = f"at most three axes and no bonds of the kind {TIME!r}, and n_layers be at least 2"
        raise ValueError(f"lattice must have {words}, got {lattice.n_axes} axes, {cell.kinds}, {n_layers}")
    return expand(_cell(cell, spacing), (*lattice.extent, n_layers), (*lattice.pbc, True), True)


def _cell(cell: UnitCell, spacing: float) -> UnitCell:
    basis = np.zeros((cell.n_axes + 1, cell.n_axes + 1))
    basis[:-1, :-1], basis[-1, -1] = cell.basis_vectors, spacing
    colour = 1 + max(bond.colour for bond in cell.bonds)
    inside = [replace(bond, cell=(*bond.cell, 0)) for bond in cell.bonds]
    ahead = (*(0 for _ in range(cell.n_axes)), 1)
    between = [Bond((site, site), ahead, colour, TIME) for site in range(cell.n_sites)]
    return UnitCell(
        name=f"{cell.name}-time",
        basis_vectors=tuple(map(tuple, basis.tolist())),
        site_offsets=tuple((*offset, 0.0) for offset in cell.site_offsets),
        bonds=(*inside, *between),
        origin=(*cell.origin, 0.0),
    )
