# SPDX-License-Identifier: MIT
"""Particles at random that do not overlap: where chains of clusters start."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gas"]


def gas(rng: np.random.Generator, n_particles: int, n_axes: int, spacing: float) -> NDArray[np.float64]:
    """Points one after the other in a ball, no two closer than `spacing`; a full ball grows."""
    points, radius, misses = np.empty((n_particles, n_axes)), spacing * n_particles ** (1.0 / n_axes), 0
    placed = 0
    while placed < n_particles:
        point = rng.standard_normal(n_axes)
        point *= radius * rng.random() ** (1.0 / n_axes) / np.linalg.norm(point)
        if placed and np.linalg.norm(points[:placed] - point, axis=1).min() < spacing:
            misses += 1
            if misses % 100 == 0:
                radius *= 1.05
            continue
        points[placed] = point
        placed += 1
    return points
