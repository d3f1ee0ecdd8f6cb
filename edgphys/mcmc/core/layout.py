# SPDX-License-Identifier: MIT
"""The order in which kernels keep the sites of a lattice, and the tables they read.

Sites are stored colour after colour (a proper colouring: no bond joins two sites of one colour), so that a
sweep over the array is a checkerboard sweep and consecutive updates do not wait for each other. Every
configuration array has one entry more than there are sites; it is zero for ever and stands for the
neighbours that a site at an open boundary does not have.

The waves exp(i k . r) are those of `edgphys.systems.lattice.measurements`: the lowest non-zero momentum along
each axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgphys.systems.lattice.measurements import LatticeObservables

__all__ = ["Layout", "make_layout"]


@dataclass(frozen=True, eq=False)
class Layout:
    """Tables in storage order.

    Attributes
    ----------
    order : int64, shape (n_sites,)
        Entry k of a configuration array belongs to site ``order[k]`` of the lattice.
    neighbours : uint32, shape (n_sites, max coordination)
        Storage positions of the neighbours, padded with ``n_sites``; a double bond is listed twice.
        Unsigned, since a signed index costs a wrap-around test in every access.
    bonds : uint32, shape (n_bonds, 2)
        Storage positions of the two ends.
    bond_order : int64, shape (n_bonds,)
        Row k of `bonds` is bond ``bond_order[k]`` of the lattice.
    neighbour_bonds : int64, shape (n_sites, max coordination)
        Number of the bond, in the lattice, to each neighbour; ``n_bonds`` where there is none.
    cosines, sines : float64, shape (n_axes, n_sites)
        Real and imaginary part of ``exp(i k r)`` for the lowest momentum along each axis; ``n_axes`` is 0
        here unless all axes are periodic.
    """

    order: np.ndarray
    neighbours: np.ndarray
    bonds: np.ndarray
    bond_order: np.ndarray
    neighbour_bonds: np.ndarray
    cosines: np.ndarray
    sines: np.ndarray

    @property
    def n_sites(self) -> int:
        return self.order.size

    def store(self, values: np.ndarray) -> np.ndarray:
        """Configuration array, shape (n_sites + 1,), from values in the order of the lattice."""
        return np.append(values.reshape(-1)[self.order], np.zeros(1, values.dtype))


def make_layout(lattice, order: np.ndarray | None = None) -> Layout:
    """Kernel tables of a lattice, the sites colour after colour or in the order given (int64, (n_sites,))."""
    if order is None:
        order = np.argsort(lattice.colours, kind="stable").astype(np.int64)
    position = np.empty_like(order)
    position[order] = np.arange(order.size)
    bonds = position[np.asarray(lattice.bonds)].reshape(-1, 2)
    bonds = np.sort(bonds, axis=1)
    # Memory order: neighbours in the list are near in memory.
    bond_order = np.lexsort((bonds[:, 1], bonds[:, 0]))
    bonds = bonds[bond_order]
    momenta = LatticeObservables(lattice).momenta
    if momenta is None:
        momenta = np.empty((0, lattice.positions.shape[1]))
    angles = lattice.positions[order] @ momenta.T
    neighbours, bond_numbers = _neighbour_tables(bonds, order.size)
    return Layout(
        order=order,
        neighbours=neighbours,
        bonds=bonds.astype(np.uint32),
        bond_order=bond_order,
        neighbour_bonds=np.append(bond_order, len(bonds))[bond_numbers],
        cosines=np.ascontiguousarray(np.cos(angles).T),
        sines=np.ascontiguousarray(np.sin(angles).T),
    )


def _neighbour_tables(bonds: np.ndarray, n_sites: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours, and the rows of `bonds` that lead to them, padded with the numbers of sites and bonds."""
    ends = np.concatenate([bonds, bonds[:, ::-1]])
    sorted_ends = np.lexsort((ends[:, 1], ends[:, 0]))
    ends = ends[sorted_ends]
    coordination = np.bincount(ends[:, 0], minlength=n_sites)
    first = np.cumsum(coordination) - coordination
    slot = np.arange(len(ends)) - first[ends[:, 0]]
    table = np.full((n_sites, int(coordination.max(initial=0))), n_sites, np.uint32)
    table[ends[:, 0], slot] = ends[:, 1]
    numbers = np.full(table.shape, len(bonds), np.int64)
    numbers[ends[:, 0], slot] = sorted_ends % max(1, len(bonds))
    return table, numbers
