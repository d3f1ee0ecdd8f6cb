# SPDX-License-Identifier: MIT
r"""Orthonormal coordinates of the mean-free subspace, and loops over pairs of particles, for kernels.

    positions = B^T y,    y = B positions,    B_k = (1, ..., 1, -k, 0, ..., 0) / sqrt(k (k + 1)),  k = 1 ..

In the loops positions and slopes have the shape (n_axes, n_particles): sums run over rows of one axis.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["ANY_ORDER", "add_forces_below", "gather", "helmert", "spread", "squares_below"]


def helmert(n_particles: int) -> NDArray[np.float64]:
    """B, shape (n_particles - 1, n_particles): orthonormal rows, all orthogonal to (1, ..., 1).

    Examples
    --------
    >>> helmert(3) @ np.ones(3)
    array([0., 0.])
    """
    k = np.arange(1, n_particles)[:, None]
    i = np.arange(n_particles)[None, :]
    return np.where(i < k, 1.0, np.where(i == k, -k, 0.0)) / np.sqrt(k * (k + 1.0))


# 1 / sqrt(k (k + 1)): roots and divisions are half of what a transform of few particles costs.
_SCALES = np.concatenate([[0.0], 1.0 / np.sqrt(np.arange(1.0, 1024.0) * np.arange(2.0, 1025.0))])


@njit(nogil=True, cache=True)
def _scale(k):
    return _SCALES[k] if k < len(_SCALES) else 1.0 / math.sqrt(k * (k + 1.0))


# Sums of pairs run over rows of one axis, in any order, so that they use vector instructions.
ANY_ORDER = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True)
def spread(y, positions):
    """(B^T y)^T of y (n_variables,) into `positions`, shape (n_axes, n_particles), in O(n_variables)."""
    n_axes, n_particles = positions.shape
    for a in range(n_axes):
        above = 0.0  # sum over k > i of y_k / sqrt(k (k + 1))
        for i in range(n_particles - 1, 0, -1):
            term = y[(i - 1) * n_axes + a] * _scale(i)
            positions[a, i] = above - i * term
            above += term
        positions[a, 0] = above


@njit(nogil=True, cache=True)
def gather(slopes, gradient_out):
    """B slopes^T: from dE/dx_i, shape (n_axes, n_particles), to dE/dy."""
    n_axes, n_particles = slopes.shape
    for a in range(n_axes):
        below = slopes[a, 0]
        for k in range(1, n_particles):
            gradient_out[(k - 1) * n_axes + a] = (below - k * slopes[a, k]) * _scale(k)
            below += slopes[a, k]


@njit(nogil=True, cache=True, fastmath=ANY_ORDER)
def squares_below(positions, i, squares):
    """r_ij^2 of the particles j < i, into squares[:i]."""
    squares[:i] = 0.0
    for a in range(len(positions)):
        own = positions[a, i]
        for j in range(i):
            step = own - positions[a, j]
            squares[j] += step * step


@njit(nogil=True, cache=True, fastmath=ANY_ORDER)
def add_forces_below(slopes, positions, i, factors):
    """Add the forces of the pairs j < i, factors[j] = w'(r_ij) / r_ij, to dE/dx_i and dE/dx_j."""
    for a in range(len(positions)):
        own, total = positions[a, i], 0.0
        for j in range(i):
            part = factors[j] * (own - positions[a, j])
            total += part
            slopes[a, j] -= part
        slopes[a, i] += total
