# SPDX-License-Identifier: MIT
"""The sites of any lattice in the order of drawing: a root, classes from coarse to fine, exact ones.

At level l the cells are those whose coordinates are multiples of ``spacings[l]``; level 0 has all cells,
and from one level to the next every extent is halved that can be: while it is longer than 4, and even or
open. The cells left at the end carry the root. What level l adds to level l + 1 is split into classes by
the parity of the cell (most odd coordinates first: the centres of the squares, then of their edges) and by
the site within the cell, and each class into colours, two along each axis by default. The sites of one
colour are drawn at once.

Before all this a set of sites that no bond joins is taken out, as large as a few rules find it: half of a
square, cubic or honeycomb lattice, a third of kagome, a quarter of triangular. It is drawn last, with all
its neighbours known, so that its law is exact.

    square, 8 x 8:  root 4 x 4 = 16 sites,  one class of 16 sites (the centres) in 4 colours,  32 exact sites

Where the couplings differ from cell to cell no law serves two sites: nothing is halved, and all sites but
the exact ones are the root.

Time and memory are linear in the number of sites.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lattices import Lattice

__all__ = ["Classes", "SiteClass", "is_uneven", "split_sites"]

# Extents up to this one stay in the root: 4 x 4 sites are drawn one after the other, 8 x 8 would be slow.
_LONGEST_ROOT = 4
_UNEVEN, _ALIKE = 3.0, 1.5  # ratios of lengths of cells: of what counts as a short axis, and as equally short


@dataclass(frozen=True, eq=False)
class SiteClass:
    """One colour of one class: sites that are drawn at once.

    Attributes
    ----------
    level : int
        0 is the finest.
    parity : tuple of int
        Of the cell among those of the level; 0 along axes that the level does not halve.
    sublattice : int
        Number of the site within its cell.
    colour : int
    sites : int64 array, shape (n_sites_of_colour,)
        Ascending.
    """

    level: int
    parity: tuple[int, ...]
    sublattice: int
    colour: int
    sites: NDArray[np.int64]

    @property
    def name(self) -> str:
        """Such as "0.11.0.3" (level, parity, sublattice, colour): the same for every size of the lattice."""
        return f"{self.level}.{''.join(map(str, self.parity))}.{self.sublattice}.{self.colour}"


@dataclass(frozen=True, eq=False)
class Classes:
    """All sites of a lattice, each once, in the order of drawing: `root`, `learned` one by one, `exact`.

    Attributes
    ----------
    lattice : Lattice
    spacings : tuple of tuple of int
        Distance of neighbouring cells by axis at every level, the root's last.
    root : int64 array, shape (n_root,)
    learned : tuple of SiteClass
    exact : int64 array, shape (n_exact,)
        Mutually not joined.
    """

    lattice: Lattice
    spacings: tuple[tuple[int, ...], ...]
    root: NDArray[np.int64]
    learned: tuple[SiteClass, ...]
    exact: NDArray[np.int64]

    @property
    def n_levels(self) -> int:
        """Number of levels below the root."""
        return len(self.spacings) - 1


def split_sites(lattice: Lattice, n_colours: int = 2, *, halved: bool = True) -> Classes:
    """Root, classes and exact sites of a lattice.

    Parameters
    ----------
    lattice : Lattice
        Any unit cell, extents and boundaries.
    n_colours : int
        Colours along each axis; where they do not fit a periodic number of cells, the rest gets its own.
    halved : bool
        Whether there are coarser levels; if not, all sites that are not exact are the root.

    Examples
    --------
    >>> import lattices
    >>> classes = split_sites(lattices.build("square", (8, 8)))
    >>> len(classes.root), [len(one.sites) for one in classes.learned], len(classes.exact)
    (16, [4, 4, 4, 4], 32)
    """
    spacings = _spacings(lattice)
    is_exact = _independent_sites(lattice, np.array(spacings[: 2 if is_uneven(lattice) else 1][-1]))
    spacings = spacings if halved else spacings[:1]
    is_root = np.all(lattice.cells % np.array(spacings[-1]) == 0, axis=1) & ~is_exact
    sites = np.flatnonzero(~is_root & ~is_exact)
    level = np.zeros(len(sites), dtype=np.int64)
    for number, spacing in enumerate(spacings):
        level[np.all(lattice.cells[sites] % np.array(spacing) == 0, axis=1)] = number
    learned = [
        one
        for number in range(len(spacings) - 2, -1, -1)
        for one in _classes_of_level(
            lattice, number, spacings[number], spacings[number + 1], sites[level == number], n_colours
        )
    ]
    return Classes(lattice, spacings, np.flatnonzero(is_root), tuple(learned), np.flatnonzero(is_exact))


def _spacings(lattice: Lattice) -> tuple[tuple[int, ...], ...]:
    periodic, lengths, uneven = np.array(lattice.pbc), _lengths(lattice), is_uneven(lattice)
    spacings, count = [np.ones(lattice.n_axes, dtype=np.int64)], np.array(lattice.extent)
    while np.any(halved := (count > _LONGEST_ROOT) & ((count % 2 == 0) | ~periodic)):
        if uneven:
            now = lengths * spacings[-1]
            halved &= now <= _ALIKE * now[halved].min()
        spacings.append(np.where(halved, 2, 1) * spacings[-1])
        count = np.where(halved, (count + 1) // 2, count)
    return tuple(tuple(spacing.tolist()) for spacing in spacings)


def _lengths(lattice: Lattice) -> NDArray[np.float64]:
    return np.linalg.norm(lattice.basis_vectors, axis=1)


def is_uneven(lattice: Lattice) -> bool:
    """Whether cells are much shorter along some axes, as along the imaginary time of a path integral.

    Then these are halved first, until the cells have no short side; only sites between those of the next
    level are exact, so that none of them loses its neighbours along the short axis.
    """
    return float(np.ptp(np.log(_lengths(lattice)))) > math.log(_UNEVEN)


def _classes_of_level(
    lattice: Lattice,
    level: int,
    spacing: tuple[int, ...],
    coarse: tuple[int, ...],
    sites: NDArray[np.int64],
    n_colours: int,
) -> list[SiteClass]:
    """Sites of one level by (parity, sublattice, colour), in the order of drawing."""
    cells, sublattices = lattice.cells[sites].astype(np.int64), lattice.sublattices[sites]
    parity = (cells // np.array(spacing)) % (np.array(coarse) // np.array(spacing))
    colour = _colours(lattice, cells // np.array(coarse), coarse, n_colours)
    keys = np.column_stack([-parity.sum(1), parity, sublattices, colour])
    kinds, inverse = np.unique(keys, axis=0, return_inverse=True)
    return [
        SiteClass(
            level, tuple(kind[1:-2].tolist()), int(kind[-2]), int(kind[-1]), sites[inverse.ravel() == row]
        )
        for row, kind in enumerate(kinds)
    ]


def _colours(
    lattice: Lattice, index: NDArray[np.int64], coarse: tuple[int, ...], n_colours: int
) -> NDArray[np.int64]:
    """Colour of the coarse cells `index`, shape (n, n_axes): neighbours around a torus never share one."""
    number = np.zeros(len(index), dtype=np.int64)
    for axis, (extent, step, periodic) in enumerate(zip(lattice.extent, coarse, lattice.pbc, strict=True)):
        count = -(-extent // step)
        rest = count % n_colours if periodic else 0
        along = index[:, axis]
        colour = np.where(along < count - rest, along % n_colours, along - count + rest + n_colours)
        number = number * (n_colours + rest) + colour
    return number


def _independent_sites(lattice: Lattice, finest: NDArray[np.int64]) -> NDArray[np.bool_]:
    """A set of sites that no bond joins, the same in every block of two cells: bool (n_sites,).

    Sites are grouped by the parity of the cell (along odd periodic axes by its coordinate) and the site
    within it. Groups are taken greedily, the last sublattice first, then few odd coordinates before many:
    the edges of the squares on a square lattice. The group of site 0 is not taken, so that the root is
    never empty. Along the axes where `finest`, shape (n_axes,), is 2 only odd cells are taken.
    """
    between = np.all(lattice.cells[:, finest > 1] % 2 == 1, axis=1)
    periodic_odd = np.array(lattice.pbc) & (np.array(lattice.extent) % 2 == 1)
    reduced = np.where(periodic_odd, lattice.cells, lattice.cells % 2)
    odd = (reduced % 2).sum(1)
    keys = np.column_stack([-lattice.sublattices, np.where(odd == 0, lattice.n_axes + 1, odd), reduced])
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.ravel()
    ends = np.unique(group[lattice.bonds], axis=0)
    around: list[set[int]] = [set() for _ in range(int(group.max()) + 1)]
    for first, second in ends.tolist():
        around[first].add(second)
        around[second].add(first)
    taken: set[int] = set()
    inside = set(group[~between].tolist())
    for number, others in enumerate(around):
        if number not in others | inside and number != group[0] and not others & taken:
            taken.add(number)
    return np.isin(group, list(taken))
