# SPDX-License-Identifier: MIT
"""Site colourings in which no bond joins equal colours, so that sites of one colour can be updated together.

Tried in this order, the first that does with few colours wins; all are deterministic:

1. two colours from the bipartition, where there is one;
2. three colours linear in the cell, ``colour = (k . cell + offset[sublattice]) mod 3``, where the extents
   allow it (triangular and kagome);
3. the best of DSATUR (the uncoloured site with most colours around it goes first), the parities of the cell
   (four colours on triangular with even extents), and linear colourings with 4 to 6 colours.

References
----------
D. Brelaz, Communications of the ACM 22, 251 (1979), doi:10.1145/359094.359101.
"""

from __future__ import annotations

import heapq
import itertools

import numpy as np

__all__ = ["balancing_signs", "bipartition", "proper_colouring"]

_MOST_LINEAR_CANDIDATES = 20_000  # about 10 ms of search; library cells stay far below


def bipartition(n_sites: int, bonds: np.ndarray) -> np.ndarray | None:
    """Signs +1 and -1, int8 (n_sites,), opposite at the ends of every bond, or None.

    None means that a loop of odd length forbids it. The first site of each connected part has +1.

    Examples
    --------
    >>> bipartition(3, np.array([[0, 1], [1, 2]])).tolist()
    [1, -1, 1]
    """
    return balancing_signs(n_sites, bonds, np.ones(len(bonds), bool))


def balancing_signs(n_sites: int, bonds: np.ndarray, negative: np.ndarray) -> np.ndarray | None:
    """Signs, int8 (n_sites,), opposite at the ends of the `negative` bonds and equal at those of the others.

    None if a loop has an odd number of negative bonds: it is frustrated. The first site of each connected
    part has +1.

    Parameters
    ----------
    n_sites : int
    bonds : int array, shape (n_bonds, 2)
    negative : bool array, shape (n_bonds,)

    References
    ----------
    Harary, Michigan Math. J. 2, 143 (1953) (balance of a signed graph).

    Examples
    --------
    >>> triangle = np.array([[0, 1], [1, 2], [0, 2]])
    >>> balancing_signs(3, triangle, np.array([True, True, False])).tolist()
    [1, -1, 1]
    >>> balancing_signs(3, triangle, np.array([True, True, True])) is None
    True
    """
    # The double cover (site, +), (site, -) falls apart into two copies exactly where no loop is frustrated.
    first, second = bonds.astype(np.int64).T
    other = np.where(negative, n_sites, 0)
    starts = np.concatenate([first, first + n_sites])
    ends = np.concatenate([second + other, second + n_sites - other])
    part = _smallest_in_part(2 * n_sites, starts, ends)
    plus, minus = part[:n_sites], part[n_sites:]
    if np.any(plus == minus):
        return None
    return np.where(plus < minus, 1, -1).astype(np.int8)


def _smallest_in_part(n_nodes: int, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Smallest node of the connected part of each node: roots of trees hook on to smaller ones."""
    root = np.arange(n_nodes)
    while True:
        a, b = root[starts], root[ends]
        if np.array_equal(a, b):
            return root
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while np.any(root != root[root]):
            root = root[root]


def proper_colouring(
    n_sites: int,
    bonds: np.ndarray,
    cells: np.ndarray,
    sublattices: np.ndarray,
    extent: tuple[int, ...],
    pbc: tuple[bool, ...],
) -> np.ndarray:
    """Colours of the sites, int32 (n_sites,), contiguous from 0, different at the ends of every bond."""
    signs = bipartition(n_sites, bonds)
    if signs is not None:
        return _contiguous(signs < 0)
    linear = _linear(3, bonds, cells, sublattices, extent, pbc)
    if linear is not None:
        return _contiguous(linear)
    candidates = [_contiguous(_dsatur(n_sites, bonds))]
    parity = (cells % 2) @ 2 ** np.arange(len(extent)) * (int(sublattices.max()) + 1) + sublattices
    if np.all(parity[bonds[:, 0]] != parity[bonds[:, 1]]):
        candidates.append(_contiguous(parity))
    fewest = min(int(colours.max()) + 1 for colours in candidates)
    linear = (_linear(n, bonds, cells, sublattices, extent, pbc) for n in range(4, min(fewest, 7)))
    candidates += [_contiguous(colours) for colours in linear if colours is not None]
    return min(candidates, key=lambda colours: int(colours.max()))


def _contiguous(colours: np.ndarray) -> np.ndarray:
    return np.unique(colours, return_inverse=True)[1].ravel().astype(np.int32)


def _linear(n_colours, bonds, cells, sublattices, extent, pbc) -> np.ndarray | None:
    """First proper ``(k . cell + offset[sublattice]) mod n_colours`` that closes around the torus."""
    n_sublattices = int(sublattices.max()) + 1
    slopes = [
        [k for k in range(n_colours) if not periodic or k * length % n_colours == 0]
        for length, periodic in zip(extent, pbc, strict=True)
    ]
    n_candidates = n_colours ** (n_sublattices - 1) * int(np.prod([len(s) for s in slopes]))
    if n_candidates > _MOST_LINEAR_CANDIDATES:
        return None
    few = bonds[:: max(1, len(bonds) // 64)]  # most candidates fail here already
    for slope in itertools.product(*slopes):
        base = cells @ np.array(slope)
        for offset in itertools.product(range(n_colours), repeat=n_sublattices - 1):
            shift = np.array((0, *offset))
            ends = (base[few] + shift[sublattices[few]]) % n_colours
            if np.any(ends[:, 0] == ends[:, 1]):
                continue
            colours = (base + shift[sublattices]) % n_colours
            if np.all(colours[bonds[:, 0]] != colours[bonds[:, 1]]):
                return colours
    return None


def _dsatur(n_sites: int, bonds: np.ndarray) -> np.ndarray:
    around: list[set[int]] = [set() for _ in range(n_sites)]
    for i, j in bonds.tolist():
        around[i].add(j)
        around[j].add(i)
    colours, taken = [-1] * n_sites, [set() for _ in range(n_sites)]
    queue = [(0, -len(around[i]), i) for i in range(n_sites)]
    heapq.heapify(queue)
    while queue:
        saturation, _, site = heapq.heappop(queue)
        if colours[site] >= 0 or -saturation != len(taken[site]):
            continue  # outdated entry
        colours[site] = next(c for c in itertools.count() if c not in taken[site])
        for other in around[site]:
            if colours[other] < 0 and colours[site] not in taken[other]:
                taken[other].add(colours[site])
                heapq.heappush(queue, (-len(taken[other]), -len(around[other]), other))
    return np.array(colours, dtype=np.int64)
