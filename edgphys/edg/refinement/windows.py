# SPDX-License-Identifier: MIT
"""What a site sees when it is drawn: the known sites around it, one pattern for all of its colour.

A window holds the known sites within a radius, nearest first. Distances are those of the lattice with its
cells pulled together by the spacing of the level, in units of the mean distance of the sites that are not
exact, so that one radius means as many sites on every lattice and level. The pattern is a list of steps
(cells, sublattice) and does not depend on the size of the lattice: on a small torus it may meet a site
twice.

    table[i, k] = site at step k from the i-th site of the colour; n_sites if it is missing or not known

Fields are padded by one zero behind the last site before the table is read. A column that lacks some of its
sites (at open edges, around odd tori) has a column in `edges`, 1 where the site is missing, as an input
that does not change sign with the field.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgphys.edg.refinement.classes import Classes, SiteClass, is_uneven
from lattices import Lattice
from lattices.numbering import site_index

__all__ = ["Window", "neighbour_table", "neighbour_weights", "windows_of"]


@dataclass(frozen=True, eq=False)
class Window:
    """Index table of one colour.

    Attributes
    ----------
    sites : int64 array, shape (n_sites_of_colour,)
    table : int64 array, shape (n_sites_of_colour, n_window)
    edges : float32 array, shape (n_sites_of_colour, n_edges)
    """

    sites: NDArray[np.int64]
    table: NDArray[np.int64]
    edges: NDArray[np.float32]


def windows_of(classes: Classes, radius: float, n_most: int = 64) -> tuple[Window, ...]:
    """Windows of the learned classes, in their order.

    Parameters
    ----------
    classes : Classes
    radius : float
        In units of the mean distance of neighbouring sites of the level, see the module docstring.
    n_most : int
        Shells of equal distance that would bring a window above this number of sites are left out.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.edg.refinement.classes import split_sites
    >>> classes = split_sites(lattices.build("square", (8, 8)))
    >>> [window.table.shape for window in windows_of(classes, radius=1.5)]
    [(4, 4), (4, 6), (4, 6), (4, 8)]
    """
    lattice = classes.lattice
    known = np.zeros(lattice.n_sites + 1, dtype=bool)  # the last entry stands for all that is missing
    known[classes.root] = True
    windows = []
    for one in classes.learned:
        steps, sublattices, distances = _steps(classes, one, radius)
        table = _sites_at(lattice, one, steps, sublattices)
        table = np.where(known[table], table, lattice.n_sites)
        present = np.flatnonzero((table < lattice.n_sites).any(axis=0))
        table = table[:, present[: _whole_shells(distances[present], n_most)]]
        missing = table == lattice.n_sites
        windows.append(Window(one.sites, table, missing[:, missing.any(axis=0)].astype(np.float32)))
        known[one.sites] = True
    return tuple(windows)


def neighbour_weights(
    lattice: Lattice, sites: NDArray[np.int64], weights: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Weights of the bonds to all neighbours of `sites`, as `neighbour_table` lists them; None if all 1."""
    return None if weights is None else np.append(weights, 0.0)[lattice.neighbour_bonds[sites]]


def neighbour_table(lattice: Lattice, sites: NDArray[np.int64]) -> NDArray[np.int64]:
    """All neighbours of `sites`, one joined twice listed twice; n_sites where there are fewer."""
    around = lattice.neighbours[sites].astype(np.int64)
    return np.where(around < 0, lattice.n_sites, around)


def _steps(
    classes: Classes, one: SiteClass, radius: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Steps in cells, sublattices at their ends and distances of the candidates, nearest first."""
    lattice, spacing = classes.lattice, np.array(classes.spacings[one.level])
    basis, offsets = _pulled(classes, one.level), np.array(lattice.unit_cell.site_offsets)
    reach = radius * _unit(classes, one.level)
    # |step_k| = |v . b_k| <= |v| |b_k|, b_k the dual vector; one more for the offsets within the cell.
    bound = np.ceil(reach * np.linalg.norm(np.linalg.inv(basis), axis=0)).astype(int) + 1
    steps = np.array(list(itertools.product(*(range(-b, b + 1) for b in bound))))
    steps = np.repeat(steps, len(offsets), axis=0) * spacing
    ends = np.tile(np.arange(len(offsets)), len(steps) // len(offsets))
    distances = np.linalg.norm(((steps + offsets[ends] - offsets[one.sublattice]) / spacing) @ basis, axis=1)
    order = np.lexsort((*steps.T, ends, np.round(distances, 6)))
    order = order[distances[order] <= reach + 1e-6]
    # Axes that are not halved are as short in every lattice of the family: there no site is met twice.
    fixed = np.array(lattice.pbc) & (np.array(classes.spacings[-1]) == 1)
    wrapped = np.where(fixed, steps % np.array(lattice.extent), steps)[order]
    _, first = np.unique(np.column_stack([wrapped, ends[order]]), axis=0, return_index=True)
    order = order[np.sort(first)]
    return steps[order], ends[order], np.round(distances[order], 6)


def _pulled(classes: Classes, level: int) -> NDArray[np.float64]:
    """Basis vectors of the cells of a level, pulled together; as long as they are if some axes are short."""
    basis = classes.lattice.basis_vectors
    return np.array(classes.spacings[level])[:, None] * basis if is_uneven(classes.lattice) else basis


def _unit(classes: Classes, level: int) -> float:
    """Mean distance of the sites of a level that are not exact, its cells pulled together to spacing 1."""
    lattice = classes.lattice
    in_level = np.all(lattice.cells % np.array(classes.spacings[level]) == 0, axis=1)
    n_cells = int(in_level.sum()) / lattice.n_sites_per_cell
    in_level[classes.exact] = False
    volume = abs(float(np.linalg.det(_pulled(classes, level))))
    return (volume * n_cells / int(in_level.sum())) ** (1.0 / lattice.n_axes)


def _sites_at(
    lattice: Lattice, one: SiteClass, steps: NDArray[np.int64], sublattices: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Sites at all steps, n_sites beyond an open edge, shape (n_sites_of_colour, n_steps)."""
    cells = lattice.cells[one.sites].astype(np.int64)[:, None, :] + steps
    inside = np.all(((cells >= 0) & (cells < np.array(lattice.extent))) | np.array(lattice.pbc), axis=-1)
    index = site_index(cells, sublattices, lattice.extent, lattice.n_sites_per_cell)
    return np.where(inside, index, lattice.n_sites)


def _whole_shells(distances: NDArray[np.float64], n_most: int) -> int:
    """How many of the ascending `distances` can be kept, at most `n_most`, without cutting a shell."""
    if len(distances) <= n_most:
        return len(distances)
    ends = np.flatnonzero(np.diff(distances[: n_most + 1]) > 0.0)
    return int(ends[-1]) + 1 if len(ends) else n_most
