# SPDX-License-Identifier: MIT
"""Self-consistent Gaussian (Hartree) solutions: the physics that decoders and encoders start from.

The best Gaussian N(m, C) in the sense of Gibbs and Bogoliubov solves  C^{-1} = <d^2 U>,  <dU> = 0. Local
averages are taken as equal on all sites (true on every vertex-transitive lattice, a fair start elsewhere), so
that C is a function of the hopping matrix and the fixed point a recursion of two numbers. Soft modes are held
at a floor: in an ordered phase the symmetric solution does not exist.

References
----------
Feynman, Statistical Mechanics (1972), ch. 2 (the inequality); Chang, Phys. Rev. D 12, 1071 (1975) (phi^4).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["phi4_gaussian", "phi4_stiffness", "soft_spin_gaussian"]

_FLOOR = 0.02  # smallest stiffness, relative to the local one
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_STEPS = 2000


def phi4_gaussian(
    adjacency: NDArray, hop: float, quadratic: float, quartic: float, *, broken: bool
) -> tuple[float, NDArray[np.float64]]:
    """Mean (times the order parameter's sign pattern) and covariance for phi^4.

    Parameters
    ----------
    adjacency : array, shape (n_sites, n_sites)
    hop, quadratic, quartic : float
        Coefficients of S as in `Phi4`.
    broken : bool
        Solve for a mean, instead of setting it to zero. Without a broken solution the mean comes back 0.

    Returns
    -------
    mean : float
    covariance : array, shape (n_sites, n_sites)
    """
    eigenvalues, vectors = np.linalg.eigh(adjacency)
    mean, stiffness = phi4_stiffness(eigenvalues, hop, quadratic, quartic, broken=broken)
    return mean, (vectors / stiffness) @ vectors.T


def phi4_stiffness(
    eigenvalues: NDArray, hop: float, quadratic: float, quartic: float, *, broken: bool
) -> tuple[float, NDArray[np.float64]]:
    """As `phi4_gaussian`, from the eigenvalues of the adjacency: mean, and 1 / variance of each mode."""
    strongest = float(np.abs(hop * eigenvalues).max())
    mean, variance = (1.0, 0.5) if broken else (0.0, 0.5)
    stiffness = np.ones_like(eigenvalues)
    for _ in range(_STEPS):
        local = 2.0 * quadratic + 12.0 * quartic * (mean**2 + variance)
        floor = _FLOOR * max(abs(local), 2.0 * strongest)
        stiffness = np.maximum(local - 2.0 * hop * eigenvalues, floor)
        change = float(np.mean(1.0 / stiffness)) - variance
        variance += 0.3 * change
        if broken:
            squared = (2.0 * strongest - 2.0 * quadratic - 12.0 * quartic * variance) / (4.0 * quartic)
            mean += 0.3 * (math.sqrt(max(squared, 0.0)) - mean)
        if abs(change) < 1e-10 * variance:
            break
    return mean, stiffness


def soft_spin_gaussian(
    coupling_matrix: NDArray, bias: float, *, broken: bool, order: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance for U(y) = |y|^2 / 2 - sum_i log 2 cosh((R y)_i + bias).

    Parameters
    ----------
    coupling_matrix : array, shape (n_spins, n_dims)
        R.
    bias : float
        Field on every spin, beta h.
    broken : bool
        Solve for the order; else it is held at zero.
    order : float
        Where the recursion starts, +1 or -1; it falls back to zero where there is no order.

    Returns
    -------
    mean : array, shape (n_dims,)
    covariance : array, shape (n_dims, n_dims)
    """
    n_spins, n_dims = coupling_matrix.shape
    eigenvalues, vectors = np.linalg.eigh(coupling_matrix.T @ coupling_matrix)
    # The pattern of order on the spins: the sign of the strongest mode.
    top = coupling_matrix @ vectors[:, -1]
    pattern = (
        np.where(top * np.sign(top[np.argmax(np.abs(top))]) < 0.0, -1.0, 1.0)
        if bias == 0.0
        else np.ones(n_spins)
    )
    strongest = float(pattern @ coupling_matrix @ coupling_matrix.T @ pattern) / n_spins
    order = order if broken else 0.0
    softness, stiffness = 0.5, np.ones(n_dims)
    for _ in range(_STEPS):
        stiffness = np.maximum(1.0 - eigenvalues * softness, _FLOOR)
        spread = math.sqrt(max(float(np.sum(eigenvalues / stiffness)) / n_spins, 0.0))
        local = np.abs(strongest * order + bias + spread * _NODES)
        # 1 / cosh^2 without overflow.
        change = float(_WEIGHTS @ (4.0 * np.exp(-2.0 * local) / (1.0 + np.exp(-2.0 * local)) ** 2)) - softness
        softness += 0.2 * change
        if broken:
            order += 0.2 * (float(_WEIGHTS @ np.tanh(strongest * order + bias + spread * _NODES)) - order)
        if abs(change) < 1e-10:
            break
    order = order if abs(order) > 1e-4 else 0.0
    return order * (coupling_matrix.T @ pattern), (vectors / stiffness) @ vectors.T
