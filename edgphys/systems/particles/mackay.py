# SPDX-License-Identifier: MIT
"""Icosahedral (Mackay) clusters: an atom in the centre, and complete shells of 12, 42, 92, ... around it.

Shell k has 10 k^2 + 2 atoms: the 12 vertices of an icosahedron of radius k, k - 1 on each of its 30 edges and
(k - 1)(k - 2)/2 on each of its 20 faces. Clusters of 13, 55, 147 ... atoms are the ground states of
Lennard-Jones atoms.

References
----------
Mackay, A dense non-crystallographic packing of equal spheres, Acta Cryst. 15, 916 (1962),
doi:10.1107/S0365110X6200239X.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAGIC_NUMBERS", "mackay_cluster"]

MAGIC_NUMBERS = (13, 55, 147, 309)


def mackay_cluster(n_particles: int, radius: float = 1.0) -> NDArray[np.float64]:
    """Positions of a complete Mackay cluster, mean zero.

    Parameters
    ----------
    n_particles : {13, 55, 147, 309}
    radius : float
        Distance of the first shell from the centre, which is the shortest distance; along a shell neighbours
        are 5 % further apart.

    Returns
    -------
    float64 array, shape (n_particles, 3)

    Raises
    ------
    ValueError
        If `n_particles` completes no shell.

    Examples
    --------
    >>> shell = np.linalg.norm(mackay_cluster(55), axis=1).round(3)
    >>> [(float(r), int((shell == r).sum())) for r in np.unique(shell)]
    [(0.0, 1), (1.0, 12), (1.701, 30), (2.0, 12)]
    """
    if n_particles not in MAGIC_NUMBERS:
        raise ValueError(f"n_particles must be one of {MAGIC_NUMBERS}, got {n_particles}")
    vertices = _icosahedron()
    edge = min(np.linalg.norm(vertices[0] - v) for v in vertices[1:]) * 1.01

    def joined(*corners) -> bool:
        return all(
            np.linalg.norm(vertices[a] - vertices[b]) < edge for a, b in itertools.combinations(corners, 2)
        )

    edges = [pair for pair in itertools.combinations(range(12), 2) if joined(*pair)]
    faces = [triple for triple in itertools.combinations(range(12), 3) if joined(*triple)]
    points = [np.zeros(3)]
    for k in range(1, MAGIC_NUMBERS.index(n_particles) + 2):
        points += [k * v for v in vertices]
        points += [m * vertices[a] + (k - m) * vertices[b] for a, b in edges for m in range(1, k)]
        for a, b, c in faces:
            inner = itertools.product(range(1, k), repeat=2)
            points += [
                p * vertices[a] + q * vertices[b] + (k - p - q) * vertices[c] for p, q in inner if p + q < k
            ]
    return radius * np.array(points)


def _icosahedron() -> NDArray[np.float64]:
    """Twelve unit vectors."""
    golden = 0.5 * (1.0 + math.sqrt(5.0))
    corners = [
        np.roll([0.0, s, t * golden], shift) for shift in range(3) for s in (1.0, -1.0) for t in (1.0, -1.0)
    ]
    return np.array(corners) / math.hypot(1.0, golden)
