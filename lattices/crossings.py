# SPDX-License-Identifier: MIT
"""Whether the bonds of a unit cell in the plane, as straight lines, meet in nothing but their sites."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from lattices.unit_cell import UnitCell

__all__ = ["bonds_cross"]

_ATOL = 1e-9


@functools.lru_cache(maxsize=32)
def bonds_cross(cell: UnitCell) -> bool:
    """Whether two bonds meet between their ends, or lie on each other; cells of two axes.

    Raises
    ------
    ValueError
        If the cell has other than two axes.

    Examples
    --------
    >>> from lattices import build
    >>> [bonds_cross(build(name, (4, 4)).unit_cell) for name in ("kagome", "square-j1j2")]
    [False, True]
    """
    if cell.n_axes != 2:
        raise ValueError(f"cell must have 2 axes, got {cell.n_axes}")
    basis, offsets = np.array(cell.basis_vectors), np.array(cell.site_offsets)
    first, second = np.array([bond.sites for bond in cell.bonds]).T
    starts = offsets[first]
    ends = offsets[second] + np.array([bond.cell for bond in cell.bonds])
    # Copies as far as the longest bond reaches: two that meet are within it of each other.
    reach = 1 + int(np.ceil(np.abs(ends - starts).max()))
    here = np.stack([starts, ends], 1) @ basis
    for shift in itertools.product(range(-reach, reach + 1), repeat=2):
        there = here + np.array(shift) @ basis
        for i, j in itertools.product(range(len(here)), repeat=2):
            if (any(shift) or i != j) and _meet(here[i], there[j]):
                return True
    return False


def _meet(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two segments, rows their ends, have a point in common that is not an end of both."""
    along, across = one[1] - one[0], other[1] - other[0]
    gap = other[0] - one[0]
    area = along[0] * across[1] - along[1] * across[0]
    if abs(area) < _ATOL:
        if abs(along[0] * gap[1] - along[1] * gap[0]) > _ATOL:
            return False  # on two parallel lines
        low, high = sorted((other - one[0]) @ along / (along @ along))
        return bool(min(high, 1.0) - max(low, 0.0) > _ATOL)
    s = (gap[0] * across[1] - gap[1] * across[0]) / area
    t = (gap[0] * along[1] - gap[1] * along[0]) / area
    inside = min(s, t) > -_ATOL and max(s, t) < 1.0 + _ATOL
    both_ends = min(abs(s), abs(s - 1.0)) < _ATOL and min(abs(t), abs(t - 1.0)) < _ATOL
    return bool(inside and not both_ends)
