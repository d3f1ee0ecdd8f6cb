# SPDX-License-Identifier: MIT
"""Copies of a lattice, one behind the other along one more periodic axis: the lattice of a path integral.

A site of layer t is joined to its copies in the layers t - 1 and t + 1 by bonds of a kind of their own; in a
layer the bonds are those of the lattice. Layers lie closer than neighbours in a layer do, so that no
operation of the point group exchanges the axes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lattices.build import expand
from lattices.lattice import Lattice
from lattices.numbering import site_index
from lattices.unit_cell import Bond, UnitCell

__all__ = ["TIME", "copied_bonds", "in_layers"]

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


def copied_bonds(lattice: Lattice, layers: Lattice) -> NDArray[np.int64]:
    """For each bond of the copies `layers` of a lattice the number of the bond that it copies; -1 in time.

    Examples
    --------
    >>> import lattices
    >>> chain = lattices.build("chain", (3,))
    >>> copied_bonds(chain, in_layers(chain, 2)).tolist()
    [-1, -1, 0, 1, 0, 1, -1, -1, 2, 2, -1, -1]
    """
    places = layers.cells[:, :-1], layers.sublattices, lattice.extent, lattice.n_sites_per_cell
    ends = site_index(*places)[layers.bonds]
    inside = np.flatnonzero(layers.bond_kinds != layers.unit_cell.kinds.index(TIME))
    layer = layers.cells[layers.bonds[inside, 0], -1]
    bonds = np.full(layers.n_bonds, -1)
    # The bonds of each layer in one order, that of the bonds of the lattice.
    order = inside[_sorted(ends[inside], layers.bond_kinds[inside], layer)]
    bonds[order] = np.tile(_sorted(lattice.bonds, lattice.bond_kinds), layers.extent[-1])
    return bonds


def _sorted(bonds: NDArray, kinds: NDArray, *first: NDArray) -> NDArray[np.intp]:
    ends = np.sort(bonds, axis=1)
    return np.lexsort((kinds, ends[:, 1], ends[:, 0], *first))


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
