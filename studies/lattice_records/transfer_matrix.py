# SPDX-License-Identifier: MIT
r"""Exact log Z of Ising tori of up to twelve cells a row, and of open squares, by transfer matrices.

Triangular lattice: the trace of a power of the matrix of rows. Honeycomb: one sublattice is summed out, which
leaves a triangular lattice of couplings K', ``exp(4 K') = cosh(3 K) / cosh(K)``, and a factor ``2 cosh(K)
exp(K')`` for each spin. Kagome: every triangle is written as a star of couplings L around a spin of its own,
``cosh(L)^2 = (exp(4 K) + 3) / 4``, and the spins of the lattice are summed out: a honeycomb lattice of
``exp(2 K'') = cosh(2 L)``.

References
----------
Kramers, Wannier, Phys. Rev. 60, 252 (1941). Onsager, Phys. Rev. 65, 117 (1944) (star and triangle).
Syozi, Prog. Theor. Phys. 6, 306 (1951) (kagome).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["honeycomb", "kagome", "open_square", "triangular"]


def _spins(n: int) -> NDArray[np.float64]:
    return 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)


def triangular(k: float, length: int) -> float:
    """log Z of a torus of ``length`` by ``length`` spins at the reduced coupling `k`.

    Examples
    --------
    >>> round(triangular(0.0, 3) / 9 - math.log(2.0), 12)
    0.0
    """
    rows = _spins(length)
    right = np.roll(rows, -1, axis=1)
    inside = (rows * right).sum(1)
    exponent = k * (inside[:, None] + rows @ (rows + right).T)
    top = exponent.max()
    matrix = np.exp(exponent - top)
    half = np.linalg.matrix_power(matrix, length // 2)
    other = half if length % 2 == 0 else half @ matrix
    return length * float(top) + math.log(float(np.einsum("ij,ji->", half, other)))


def honeycomb(k: float, length: int) -> float:
    """log Z of ``length`` by ``length`` cells of two spins."""
    inner = 0.25 * math.log(math.cosh(3.0 * k) / math.cosh(k))
    return length**2 * (math.log(2.0 * math.cosh(k)) + inner) + triangular(inner, length)


def kagome(k: float, length: int) -> float:
    """log Z of ``length`` by ``length`` cells of three spins, ``k >= 0``."""
    star = math.acosh(math.sqrt((math.exp(4.0 * k) + 3.0) / 4.0))
    triangle = math.log(2.0 * math.cosh(star)) + k
    spin = math.log(2.0) + 0.5 * math.log(math.cosh(2.0 * star))
    joined = 0.5 * math.log(math.cosh(2.0 * star))
    return length**2 * (3.0 * spin - 2.0 * triangle) + honeycomb(joined, length)


def open_square(k: float, length: int) -> float:
    """log Z of ``length`` by ``length`` spins with open edges, spin by spin."""
    spins, log_z = _spins(length), 0.0
    weight = np.exp(k * (spins[:, 1:] * spins[:, :-1]).sum(1))
    for _ in range(length - 1):
        for column in range(length):
            # The spin of the new row takes the place of that above it.
            pairs = weight.reshape(2 ** (length - 1 - column), 2, 2**column)
            up, down = pairs[:, 0] * math.exp(k), pairs[:, 1] * math.exp(-k)
            other = pairs[:, 0] * math.exp(-k) + pairs[:, 1] * math.exp(k)
            weight = np.stack([up + down, other], axis=1).reshape(-1)
            if column:
                weight = weight * np.exp(k * spins[:, column] * spins[:, column - 1])
        scale = float(weight.max())
        weight, log_z = weight / scale, log_z + math.log(scale)
    return log_z + math.log(float(weight.sum()))
