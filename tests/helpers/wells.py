# SPDX-License-Identifier: MIT
"""A tilted double well, shipped and as functions of a user, and exact draws from it."""

from __future__ import annotations

import numpy as np
from numba import njit

import edgphys as ep

__all__ = ["ALGORITHMS", "EDGES", "SYSTEMS", "WELL", "exact_draws", "torch_system", "torch_well"]

ALGORITHMS = ("random_walk", "mala", "hmc")
WELL = {"barrier": 2.0, "tilt": 0.3}
EDGES = np.array([-np.inf, -1.2, -0.9, -0.5, 0.0, 0.6, 0.9, 1.2, np.inf])


def torch_well(x):
    return 2.0 * (x[:, 0] ** 2 - 1.0) ** 2 + 0.3 * x[:, 0]


def torch_system(temperature=1.0):
    return ep.Potential(torch_well, 1, temperature, centres=[[1.0], [-1.0]])


@njit
def compiled_well(x):
    return 2.0 * (x[0] ** 2 - 1.0) ** 2 + 0.3 * x[0]


SYSTEMS = {
    "shipped": lambda **t: ep.DoubleWell(**WELL, **t),
    "torch": lambda **t: torch_system(**t),
    "compiled": lambda **t: ep.Potential(compiled_well, 1, centres=[[1.0], [-1.0]], **t),
}


def exact_draws(n, seed=0):
    """Independent draws from the well by the inverse of its distribution function, and cell probabilities."""
    x = np.linspace(-4, 4, 80_001)
    weight = np.exp(-(2 * (x**2 - 1) ** 2 + 0.3 * x))
    below = np.concatenate([[0.0], np.cumsum(0.5 * (weight[1:] + weight[:-1]))])
    below /= below[-1]
    inside = np.interp(EDGES[1:-1], x, below)
    cells = np.diff(np.concatenate([[0.0], inside, [1.0]]))
    return np.interp(np.random.default_rng(seed).random(n), below, x), cells
