# SPDX-License-Identifier: MIT
"""Sites and bonds of a finite lattice in order: row-major over unit cells, the site within its cell fastest.

A site is ``(cell, sublattice)``, `cell` one integer per axis. With ``n`` sites per cell and
extents L_0, L_1, ...

    index = ((cell_0 L_1 + cell_1) L_2 + ...) n + sublattice
"""

from __future__ import annotations

import math

import numpy as np

from lattices.unit_cell import UnitCell

__all__ = [
    "all_sites",
    "bond_displacements",
    "expand_bonds",
    "site_index",
    "site_positions",
    "sort_bonds",
    "strides",
]


def strides(extent: tuple[int, ...], n_sites_per_cell: int) -> np.ndarray:
    """Distance in site numbers between neighbouring cells, int64 (n_axes,).

    Examples
    --------
    >>> strides((4, 5), 2).tolist()
    [10, 2]
    """
    return np.array([math.prod(extent[axis + 1 :]) * n_sites_per_cell for axis in range(len(extent))])


def all_sites(extent: tuple[int, ...], n_sites_per_cell: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells, int64 (n_sites, n_axes), and sublattices, int64 (n_sites,), of all sites in order.

    Examples
    --------
    >>> cells, sublattices = all_sites((2,), 2)
    >>> cells.ravel().tolist(), sublattices.tolist()
    ([0, 0, 1, 1], [0, 1, 0, 1])
    """
    sites = np.indices((*extent, n_sites_per_cell)).reshape(len(extent) + 1, -1).T
    return np.ascontiguousarray(sites[:, :-1]), np.ascontiguousarray(sites[:, -1])


def site_index(
    cells: np.ndarray, sublattices: np.ndarray | int, extent: tuple[int, ...], n_sites_per_cell: int
) -> np.ndarray:
    """Site numbers, int64 (...), of cells (..., n_axes), which are wrapped into the extent.

    Examples
    --------
    >>> int(site_index(np.array([5, -1]), 0, (4, 4), 1))
    7
    """
    return (cells % np.array(extent)) @ strides(extent, n_sites_per_cell) + sublattices


def site_positions(cell: UnitCell, extent: tuple[int, ...]) -> np.ndarray:
    """Cartesian positions of all sites in order, float64 (n_sites, n_dims)."""
    basis, (cells, _) = np.array(cell.basis_vectors), all_sites(extent, 1)
    offsets = np.array(cell.site_offsets) @ basis
    return ((cells @ basis)[:, None] + offsets).reshape(-1, cell.n_axes)


def expand_bonds(
    cell: UnitCell, extent: tuple[int, ...], pbc: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """All bonds of a lattice, repeated ones kept, in the order of `sort_bonds`.

    Parameters
    ----------
    cell : UnitCell
    extent, pbc : one entry per axis

    Returns
    -------
    bonds : int32 (n_bonds, 2)
    colours : int32 (n_bonds,)
    """
    bonds, numbers = _bonds_of_cells(cell, extent, pbc)
    return sort_bonds(bonds, np.array([bond.colour for bond in cell.bonds], dtype=np.int64)[numbers])


def bond_displacements(
    cell: UnitCell, extent: tuple[int, ...], pbc: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """What leads along each bond of `expand_bonds` from its first to its second site, and its kind.

    Parameters
    ----------
    cell : UnitCell
    extent, pbc : one entry per axis

    Returns
    -------
    displacements : float64 (n_bonds, n_dims)
        Cartesian: of the bond itself, not of the positions of its sites, which may lie across the boundary.
    kinds : int32 (n_bonds,)
        Number of the kind in ``cell.kinds``.

    Examples
    --------
    >>> from lattices import build
    >>> chain = build("chain", (3,))
    >>> bond_displacements(chain.unit_cell, (3,), (True,))[0].ravel().tolist()  # bonds 0-1, 0-2, 1-2
    [1.0, -1.0, 1.0]
    """
    bonds, numbers = _bonds_of_cells(cell, extent, pbc)
    kinds = np.array([cell.kinds.index(bond.kind) for bond in cell.bonds], dtype=np.int64)[numbers]
    colours = np.array([bond.colour for bond in cell.bonds], dtype=np.int64)[numbers]
    offsets = np.array(cell.site_offsets)
    steps = [np.array(b.cell) + offsets[b.sites[1]] - offsets[b.sites[0]] for b in cell.bonds]
    steps = (np.array(steps) @ np.array(cell.basis_vectors))[numbers]
    is_turned = bonds[:, 0] > bonds[:, 1]
    ends = np.sort(bonds, axis=1)
    order = np.lexsort((is_turned, numbers, kinds, colours, ends[:, 1], ends[:, 0]))
    return np.where(is_turned, -1.0, 1.0)[order, None] * steps[order], kinds[order].astype(np.int32)


def _bonds_of_cells(
    cell: UnitCell, extent: tuple[int, ...], pbc: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Bonds from their first site to their second, int64 (n_bonds, 2), and their numbers in the unit cell."""
    cells, _ = all_sites(extent, 1)
    limits, open_axes = np.array(extent), ~np.array(pbc)
    bonds, numbers = [np.empty((0, 2), dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for number, bond in enumerate(cell.bonds):
        ends = cells + np.array(bond.cell)
        fits = np.all(((ends >= 0) & (ends < limits))[:, open_axes], axis=1)
        first = site_index(cells[fits], bond.sites[0], extent, cell.n_sites)
        second = site_index(ends[fits], bond.sites[1], extent, cell.n_sites)
        bonds.append(np.stack([first, second], axis=1))
        numbers.append(np.full(len(first), number))
    return np.concatenate(bonds), np.concatenate(numbers)


def sort_bonds(bonds: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bonds as ``i < j`` in ascending order, those between the same sites by colour; both int32.

    Examples
    --------
    >>> bonds, colours = sort_bonds(np.array([[2, 1], [1, 0], [1, 2]]), np.array([5, 6, 4]))
    >>> bonds.tolist(), colours.tolist()
    ([[0, 1], [1, 2], [1, 2]], [6, 4, 5])
    """
    bonds = np.sort(bonds, axis=1)
    order = np.lexsort((colours, bonds[:, 1], bonds[:, 0]))
    return bonds[order].astype(np.int32), colours[order].astype(np.int32)
