# SPDX-License-Identifier: MIT
r"""Symmetries of a lattice as site permutations, worked out from its geometry, not from a group's name.

A point operation about the origin f0 sends the fractional position f to ``f' = (f - f0) M + f0``, where the
integer matrix M leaves the metric alone, ``M G M^T = G`` with ``G = A A^T`` and A the rows of basis
vectors. Kept are those that send sites to sites and bonds to bonds, colour classes whole (colours may be
relabelled), that send the periods of the torus to periods, and that map the box onto itself along open
axes. So a 4 x 6 torus keeps D2 of the square's D4, and a chain with ends keeps its mirror about the middle.

Along open axes the origin is the centroid of the sites, which every symmetry of a box fixes; along periodic
ones it is that of the unit cell, or a quarter-cell shift of it when an open axis makes another one more
symmetric. Operations that need a translation on top (glides) are in no site's point group and are left out.
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import numpy as np

from lattices.numbering import all_sites, site_index
from lattices.unit_cell import UnitCell

__all__ = [
    "Operation",
    "check_declared_order",
    "distances",
    "generators",
    "isometries",
    "operations",
    "pair_orbits",
    "point_group",
    "translations",
]

_ATOL = 1e-6  # fractional coordinates, as in unit_cell
_MOST_VECTORS = 1_000_000  # a second of search; reduced bases need at most 5**4


class Operation(NamedTuple):
    """Point operation on sites: ``(cell, s) -> (cell @ matrix + shifts[s], images[s])``."""

    matrix: np.ndarray
    images: np.ndarray
    shifts: np.ndarray


@functools.lru_cache(maxsize=64)
def isometries(basis_vectors: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """Integer matrices M with ``M G M^T = G``, int64 (order, n_axes, n_axes), identity first.

    Row i of M is the image of basis vector i: a lattice vector of the same length, with the right angles to
    the rows above it.

    Raises
    ------
    ValueError
        If the basis is so skew that the search would be long.

    Examples
    --------
    >>> len(isometries(((1.0, 0.0), (0.0, 1.0))))
    8
    """
    basis = np.array(basis_vectors)
    gram, n_axes = basis @ basis.T, len(basis)
    longest = np.sqrt(gram.diagonal().max())
    # |c_k| = |v . b_k| <= |v| |b_k|, b_k the dual vector, bounds the coefficients of any vector v
    bound = np.floor(longest * np.linalg.norm(np.linalg.inv(basis), axis=0) + _ATOL).astype(int)
    if np.prod(2.0 * bound + 1) > _MOST_VECTORS:
        raise ValueError(f"basis_vectors must be short and not nearly parallel, got {basis.tolist()}")
    vectors = np.stack(np.meshgrid(*(np.arange(-b, b + 1) for b in bound), indexing="ij"), axis=-1)
    vectors, atol = vectors.reshape(-1, n_axes), _ATOL * longest**2
    squares = np.einsum("vi,ij,vj->v", vectors, gram, vectors)
    vectors = vectors[np.any(np.abs(squares[:, None] - gram.diagonal()) < atol, axis=1)]
    products = vectors @ gram @ vectors.T
    partial: list[tuple[int, ...]] = [()]
    for row in range(n_axes):
        long_enough = np.flatnonzero(np.abs(products.diagonal() - gram[row, row]) < atol).tolist()
        partial = [
            (*rows, k)
            for rows in partial
            for k in long_enough
            if all(abs(products[k, rows[i]] - gram[row, i]) < atol for i in range(row))
        ]
    matrices = vectors[np.array(partial)]
    is_identity = np.all(matrices == np.eye(n_axes, dtype=int), axis=(1, 2))
    matrices = matrices[np.argsort(~is_identity, kind="stable")]
    matrices.setflags(write=False)  # cached
    return matrices


def operations(cell: UnitCell, origin: tuple[float, ...], matrices: np.ndarray) -> list[Operation]:
    """Those of `matrices`, taken about `origin`, that keep the infinite lattice.

    Sites go to sites and bonds to bonds. Colours may be permuted, but bonds of one colour stay of one colour.
    """
    offsets, origin_row = np.array(cell.site_offsets), np.array(origin)
    images = (offsets - origin_row) @ matrices + origin_row  # (n_matrices, n_sites, n_axes)
    shifts = images[:, :, None, :] - offsets
    near = np.all(np.abs(shifts - np.rint(shifts)) < _ATOL, axis=-1)  # (n_matrices, n_sites, n_sites)
    good = np.all(near.sum(axis=1) == 1, axis=1) & np.all(near.sum(axis=2) == 1, axis=1)
    kept = []
    for k in np.flatnonzero(good):
        target = near[k].argmax(axis=1)
        shift = np.rint(shifts[k, np.arange(len(offsets)), target]).astype(int)
        operation = Operation(matrices[k], target, shift)
        if _preserves_bonds(cell, operation):
            kept.append(operation)
    return kept


def _preserves_bonds(cell: UnitCell, operation: Operation) -> bool:
    colours = {bond.canonical(): bond.colour for bond in cell.bonds}
    relabelled: dict[int, int] = {}
    for bond in cell.bonds:
        first, second = bond.sites
        displacement = bond.cell @ operation.matrix + operation.shifts[second] - operation.shifts[first]
        here, there = int(operation.images[first]), int(operation.images[second])
        forward, backward = tuple(displacement.tolist()), tuple((-displacement).tolist())
        image = colours.get(min((here, there, forward), (there, here, backward)))
        if image is None or relabelled.setdefault(bond.colour, image) != image:
            return False
    return len(set(relabelled.values())) == len(relabelled)


def check_declared_order(cell: UnitCell) -> None:
    """Check that the point group declared by a cell, if any, has the order that its geometry gives.

    Raises
    ------
    ValueError
        If it has not, or as `isometries`.
    """
    matrices = isometries(cell.basis_vectors)
    if cell.point_group_order is None:
        return
    order = len(operations(cell, cell.origin, matrices))
    if order != cell.point_group_order:
        raise ValueError(
            f"lattice {cell.name!r}: key 'point_group.order' must be {order}, the number of operations about "
            f"point_group.origin that keep sites and bonds, got {cell.point_group_order}"
        )


def point_group(
    cell: UnitCell, extent: tuple[int, ...], pbc: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Point group of a finite lattice.

    Parameters
    ----------
    cell : UnitCell
    extent, pbc : one entry per axis

    Returns
    -------
    permutations : int32 (order, n_sites)
        Site i goes to ``permutations[g, i]``; identity first, each permutation once.
    matrices : int64 (order, n_axes, n_axes)
        M of each element (of one of them, where a small extent makes several equal).
    origin : float64 (n_axes,)
        The common fixed point, in units of the basis vectors.
    """
    matrices = isometries(cell.basis_vectors)
    matrices = matrices[[_keeps_torus(m, extent, pbc) for m in matrices]]
    found = []
    for origin in _origins(cell, extent, pbc):
        found.append((*_distinct_permutations(cell, origin, matrices, extent, pbc), np.array(origin)))
        if len(found[-1][0]) == len(matrices):
            break
    return max(found, key=lambda group: len(group[0]))


def _keeps_torus(matrix: np.ndarray, extent: tuple[int, ...], pbc: tuple[bool, ...]) -> bool:
    """Whether the image of every period is a sum of periods."""
    length, periodic = np.array(extent), np.array(pbc)
    images = (matrix * length[:, None])[periodic]
    return not np.any(images[:, ~periodic]) and not np.any(images[:, periodic] % length[periodic])


def _origins(cell: UnitCell, extent: tuple[int, ...], pbc: tuple[bool, ...]):
    """Fixed points worth trying, in order of preference."""
    if all(pbc):
        return [cell.origin]
    centroid = (np.array(extent) - 1) / 2 + np.mean(cell.site_offsets, axis=0)
    quarters = (0.0, 0.5, 0.25, 0.75)
    axes = zip(cell.origin, centroid.tolist(), pbc, strict=True)
    choices = [[start + q for q in quarters] if p else [middle] for start, middle, p in axes]
    return list(itertools.product(*choices))


def _distinct_permutations(
    cell: UnitCell,
    origin: tuple[float, ...],
    matrices: np.ndarray,
    extent: tuple[int, ...],
    pbc: tuple[bool, ...],
) -> tuple[np.ndarray, np.ndarray]:
    cells, sublattices = all_sites(extent, cell.n_sites)
    limits, open_axes = np.array(extent), ~np.array(pbc)
    found: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    for operation in operations(cell, origin, matrices):
        images = cells @ operation.matrix + operation.shifts[sublattices]
        if not np.all(((images >= 0) & (images < limits))[:, open_axes]):
            continue
        permutation = site_index(images, operation.images[sublattices], extent, cell.n_sites).astype(np.int32)
        found.setdefault(permutation.tobytes(), (permutation, operation.matrix))
    permutations, kept = zip(*found.values(), strict=True)
    return np.stack(permutations), np.stack(kept)


def translations(
    extent: tuple[int, ...], pbc: tuple[bool, ...], n_sites_per_cell: int, shifts: np.ndarray | None = None
) -> np.ndarray:
    """Translations by `shifts` (default: all along periodic axes, row-major, identity first).

    Returns
    -------
    int32 (n_shifts, n_sites)
        Site i goes to ``result[k, i]``.

    Examples
    --------
    >>> translations((3,), (True,), 1).tolist()
    [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    """
    if shifts is None:
        shifts, _ = all_sites(tuple(n if p else 1 for n, p in zip(extent, pbc, strict=True)), 1)
    cells, sublattices = all_sites(extent, n_sites_per_cell)
    result = np.empty((len(shifts), len(cells)), dtype=np.int32)
    for row, shift in zip(result, shifts, strict=True):
        row[:] = site_index(cells + shift, sublattices, extent, n_sites_per_cell)
    return result


def generators(group: np.ndarray) -> list[np.ndarray]:
    """A few rows of the permutation group `group`, integer (order, n_sites), that generate all of it.

    Examples
    --------
    >>> [g.tolist() for g in generators(np.array([[0, 1, 2], [1, 2, 0], [2, 0, 1]]))]
    [[1, 2, 0]]
    """
    chosen: list[np.ndarray] = []
    known = {group[0].tobytes(): group[0]}
    for candidate in group[1:]:
        if candidate.tobytes() in known:
            continue
        chosen.append(candidate)
        queue = list(known.values())
        while queue:
            element = queue.pop()
            for generator in chosen:
                product = generator[element]
                if product.tobytes() not in known:
                    known[product.tobytes()] = product
                    queue.append(product)
    return chosen


def pair_orbits(lattice) -> np.ndarray:
    """Label of the orbit of each pair of sites under translations, point group and exchange of the two.

    Every pair is moved until its first site lies in cell 0 of the periodic axes; the orbit is named by the
    smallest such pair that point operations and exchange reach. Labels count up with the distance of the
    pair (shortest periodic image).

    Parameters
    ----------
    lattice : Lattice

    Returns
    -------
    int32 (n_sites, n_sites), symmetric, labels contiguous from 0
    """
    n_sites, periodic = lattice.n_sites, np.array(lattice.pbc)
    cells, sublattices = lattice.cells.astype(np.int64), lattice.sublattices.astype(np.int64)
    reference = np.flatnonzero(np.all(cells[:, periodic] == 0, axis=1))
    home = cells * ~periodic  # the cell of each site after its pair was moved
    rank = np.searchsorted(reference, site_index(home, sublattices, lattice.extent, lattice.n_sites_per_cell))

    def moved_key(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        shifted = cells[second] - (cells * periodic)[first]
        moved = site_index(shifted, sublattices[second], lattice.extent, lattice.n_sites_per_cell)
        return rank[first] * n_sites + moved

    first = np.repeat(reference, n_sites)
    second = np.tile(np.arange(n_sites), len(reference))
    key = moved_key(first, second)
    swapped = moved_key(second, first)
    images = [moved_key(p[first], p[second]) for p in generators(lattice.point_group)]
    key, before = np.minimum(key, key[swapped]), None
    while before is None or not np.array_equal(
        key, before
    ):  # until the smallest pair has reached its whole orbit
        before = key.copy()
        for image in images:
            np.minimum(key, key[image], out=key)
    labels = _labels_by_distance(lattice, key, reference).reshape(len(reference), n_sites)
    return _expand_labels(lattice, labels, rank)


def _labels_by_distance(lattice, key: np.ndarray, reference: np.ndarray) -> np.ndarray:
    representatives, inverse = np.unique(key, return_inverse=True)
    first, second = np.divmod(representatives, lattice.n_sites)
    distance = distances(lattice, lattice.positions[second] - lattice.positions[reference[first]])
    order = np.argsort(np.round(distance, 9), kind="stable")
    label = np.empty(len(order), dtype=np.int32)
    label[order] = np.arange(len(order))
    return label[inverse.ravel()]


def _expand_labels(lattice, labels: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Rows of the reference sites, carried to all sites by translation."""
    result = np.empty((lattice.n_sites, lattice.n_sites), dtype=np.int32)
    cells, sublattices = lattice.cells.astype(np.int64), lattice.sublattices.astype(np.int64)
    wound = cells * np.array(lattice.pbc)
    number = site_index(wound, 0, lattice.extent, 1)
    by_shift = np.argsort(number, kind="stable")
    for rows in np.split(by_shift, np.flatnonzero(np.diff(number[by_shift])) + 1):
        back = site_index(cells - wound[rows[0]], sublattices, lattice.extent, lattice.n_sites_per_cell)
        result[rows] = labels[np.ix_(rank[rows], back)]
    return result


def distances(lattice, displacements: np.ndarray) -> np.ndarray:
    """Length of the shortest periodic image of displacements (n, n_dims)."""
    periodic = np.array(lattice.pbc)
    periods = (lattice.basis_vectors * np.array(lattice.extent)[:, None])[periodic]
    if len(periods) == 0:
        return np.linalg.norm(displacements, axis=1)
    periods = _pairwise_reduced(periods)
    nearest = displacements - np.rint(displacements @ np.linalg.pinv(periods)) @ periods
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=len(periods)))) @ periods
    squares = np.full(len(displacements), np.inf)
    for shift in shifts:
        np.minimum(squares, np.sum((nearest + shift) ** 2, axis=1), out=squares)
    return np.sqrt(squares)


def _pairwise_reduced(periods: np.ndarray) -> np.ndarray:
    """Shorter basis of the same torus: long thin skew tori need it for one shell of images to be enough."""
    periods, changed = periods.copy(), True
    while changed:
        changed = False
        for i, j in itertools.permutations(range(len(periods)), 2):
            multiple = np.rint(periods[i] @ periods[j] / (periods[j] @ periods[j]) * (1 - 1e-9))
            if multiple:
                periods[i] -= multiple * periods[j]
                changed = True
    return periods
