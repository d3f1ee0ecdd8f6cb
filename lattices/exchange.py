# SPDX-License-Identifier: MIT
"""Exchange of lattices with netket, both ways, with the same site numbers, positions, bonds and bond colours.

For quantum references, and for graphs that are there already. netket numbers sites as `lattices` does; both
directions check it, site by site and bond by bond. netket takes seconds to import and starts jax, so that is
done inside the functions.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import numpy as np

from lattices.build import expand
from lattices.lattice import Lattice
from lattices.numbering import sort_bonds
from lattices.symmetry import isometries, operations, point_group
from lattices.unit_cell import Bond, UnitCell

__all__ = ["from_netket", "to_netket"]

_FRACTIONS = (0, 1 / 2, 1 / 3, 2 / 3, 1 / 4, 3 / 4, 1 / 6, 5 / 6)  # where axes of rotation may cross a cell


def to_netket(lattice: Lattice):
    """The same lattice for netket, with its point group.

    Parameters
    ----------
    lattice : Lattice

    Returns
    -------
    netket.graph.Lattice
        Sites and bond colours as in `lattice`; ``space_group()`` is `Lattice.space_group`.

    Raises
    ------
    TypeError
        If `lattice` is none.
    RuntimeError
        If this version of netket numbers sites or bonds differently.

    Examples
    --------
    >>> import lattices
    >>> graph = to_netket(lattices.build("kagome", (3, 3)))
    >>> graph.n_nodes, graph.n_edges, len(graph.space_group())
    (27, 54, 108)
    """
    if not isinstance(lattice, Lattice):
        raise TypeError(f"lattice must be made by lattices.build, got {type(lattice).__name__}")
    cell, extent, basis = lattice.unit_cell, lattice.extent, lattice.basis_vectors
    offsets = np.array(cell.site_offsets)
    edges = []
    for bond in cell.bonds:
        if all(p or abs(step) < n for step, n, p in zip(bond.cell, extent, lattice.pbc, strict=True)):
            start, end = bond.sites
            step = (np.array(bond.cell) + offsets[end] - offsets[start]) @ basis
            edges.append((start, end, step, bond.colour))
    graph = _netket_lattice_class()(
        basis_vectors=np.array(basis),
        extent=list(extent),
        pbc=list(lattice.pbc),
        site_offsets=offsets @ basis,
        custom_edges=edges,
        point_group=_netket_point_group(lattice),
    )
    if not _are_equal(lattice, graph):
        raise RuntimeError(f"netket must number sites and bonds as {lattice!r} does, got others")
    return graph


def from_netket(graph, name: str = "netket") -> Lattice:
    """The same lattice from netket: ``Chain``, ``Square``, ``Honeycomb``, ``Pyrochlore``, own ones.

    The point group is worked out from sites and bonds about the point of highest symmetry that is found;
    netket's own is not read.

    Parameters
    ----------
    graph : netket.graph.Lattice
    name : str
        Name of the result.

    Returns
    -------
    Lattice

    Raises
    ------
    TypeError
        If `graph` is no ``netket.graph.Lattice``: other graphs have neither positions nor boundaries.
    ValueError
        If `graph` has no edges or too short a periodic axis, or if its unit cells do not all have the same
        bonds. ``netket.graph.Square(2)`` and the like have single bonds around an axis of extent 2, where a
        periodic lattice has double ones: make them with ``pbc=False``.

    Examples
    --------
    >>> import lattices
    >>> from_netket(to_netket(lattices.build("honeycomb", (4, 3))), name="honeycomb")
    Lattice('honeycomb', extent=(4, 3), pbc=(True, True), n_sites=24, n_bonds=36)
    """
    if not isinstance(graph, _netket_lattice_class()):
        raise TypeError(
            f"graph must be a netket.graph.Lattice (Chain, Square, ...), got {type(graph).__name__}"
        )
    if not graph.n_edges:
        raise ValueError("graph must have at least one edge, got none")
    basis = np.array(graph.basis_vectors, dtype=np.float64)
    offsets = graph.site_offsets @ np.linalg.inv(basis)
    origin = (0.0,) * len(basis)
    cell = UnitCell(name, _tuples(basis), _tuples(offsets), _bonds_of_a_cell(graph, offsets), origin)
    cell = replace(cell, origin=_most_symmetric_point(cell))
    lattice = expand(cell, tuple(graph.extent.tolist()), tuple(graph.pbc.tolist()), True)
    if not _are_equal(lattice, graph):
        raise ValueError(
            "graph must have the same bonds in every unit cell, and double ones around a periodic axis of "
            f"extent 2 (or pbc=False there), got {graph.n_edges} edges for extent {lattice.extent}"
        )
    return lattice


def _netket_lattice_class() -> type:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of jax and its friends, on import: nothing the caller could act on
        from netket.graph import Lattice as NetketLattice
    return NetketLattice


def _netket_point_group(lattice: Lattice):
    from netket.utils.group import Identity, PGSymmetry, PointGroup

    basis = lattice.basis_vectors
    _, matrices, origin = point_group(lattice.unit_cell, lattice.extent, lattice.pbc)
    # our matrices act on rows of fractional coordinates, netket's on Cartesian columns
    rotations = [(np.linalg.inv(basis) @ matrix @ basis).T for matrix in matrices[1:]]
    symmetries = [PGSymmetry(rotation).change_origin(origin @ basis) for rotation in rotations]
    periods = basis * np.array(lattice.extent)[:, None]
    return PointGroup([Identity(), *symmetries], ndim=lattice.n_axes, unit_cell=periods)


def _are_equal(lattice: Lattice, graph) -> bool:
    """Whether both have the same sites and bonds, in number and colour."""
    edges = np.array(graph.edges(return_color=True), dtype=np.int64)
    bonds, colours = sort_bonds(edges[:, :2], edges[:, 2])
    return (
        np.array_equal(bonds, lattice.bonds)
        and np.array_equal(colours, lattice.bond_colours)
        and np.array_equal(graph.basis_coords, np.column_stack([lattice.cells, lattice.sublattices]))
        and np.allclose(graph.positions, lattice.positions, rtol=0, atol=1e-9)
    )


def _bonds_of_a_cell(graph, offsets: np.ndarray) -> tuple[Bond, ...]:
    """The kinds of edges by sublattices, step in cells and colour, in ascending order."""
    first, second, colours = np.array(graph.edges(return_color=True), dtype=np.int64).T
    sublattices = graph.basis_coords[:, -1]
    first, second = np.where(sublattices[first] <= sublattices[second], (first, second), (second, first))
    steps = graph.basis_coords[second, :-1] - graph.basis_coords[first, :-1]
    forward, backward = (np.where(graph.pbc, step % graph.extent, step) for step in (steps, -steps))
    columns = (sublattices[first], sublattices[second], forward, backward, colours)
    kinds = {
        ((start, end), tuple(min(step, back) if start == end else step), colour)
        for start, end, step, back, colour in zip(*(column.tolist() for column in columns), strict=True)
    }
    images = np.array(list(itertools.product(*((0, -1) if p else (0,) for p in graph.pbc)))) * graph.extent
    bonds = []
    for (start, end), step, colour in sorted(kinds):
        cells = step + images
        lengths = np.linalg.norm((cells + offsets[end] - offsets[start]) @ graph.basis_vectors, axis=1)
        bonds.append(Bond((start, end), tuple(cells[np.argmin(np.round(lengths, 9))].tolist()), colour))
    return tuple(bonds)


def _most_symmetric_point(cell: UnitCell) -> tuple[float, ...]:
    """The first of some points of a cell about which no other has more operations that keep the lattice."""
    matrices, offsets = isometries(cell.basis_vectors), np.array(cell.site_offsets)
    grid = (offsets[0] + np.array(shift) for shift in itertools.product(_FRACTIONS, repeat=cell.n_axes))
    best, most = cell.origin, 0
    for point in itertools.chain([np.array(cell.origin), offsets.mean(axis=0)], grid):
        order = len(operations(cell, tuple(point.tolist()), matrices))
        if order > most:
            best, most = tuple(point.tolist()), order
        if most == len(matrices):
            break
    return best


def _tuples(array: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in array.tolist())
