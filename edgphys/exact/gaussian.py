# SPDX-License-Identifier: MIT
r"""Free scalar field on any lattice: the quartic coupling of phi^4 set to zero.

    S = -2 hop sum_<ij> phi_i phi_j + quadratic sum_i phi_i^2 = 1/2 phi^T Q phi,    Q = 2 (quadratic - hop A),

A the adjacency matrix (a double bond counts 2). On lattices with one site per cell and all axes periodic, A
is diagonal in momentum space and any size is cheap; else Q is diagonalised as a dense matrix, to 4096 sites.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edgphys._checks import finite
from edgphys.errors import NotExactError
from edgphys.exact.ratios import second_moment_length
from lattices.momenta import lattice_momenta, lowest_momenta

if TYPE_CHECKING:
    from lattices import Lattice

__all__ = ["MAX_DENSE_SITES", "free_field"]

MAX_DENSE_SITES = 4096


def free_field(lattice: Lattice, hop: float, quadratic: float) -> dict[str, float]:
    """All estimates of the free field.

    Parameters
    ----------
    lattice : Lattice
        Any boundary condition; at most 4096 sites unless translation invariant with one site per cell.
    hop, quadratic : float
        Coefficients of the action of the module docstring; ``quadratic`` must exceed ``hop`` times the
        eigenvalues of A.

    Returns
    -------
    dict of float
        ``log_z``, ``free_energy`` (-ln Z), ``energy`` (<S> = N/2), ``specific_heat`` (Var S / N = 1/2),
        ``magnetization``, ``abs_magnetization``, ``susceptibility`` (N <m^2>), ``binder_cumulant`` (0: m is
        Gaussian), ``phi2`` (site average of <phi^2>) and, on lattices periodic along all axes,
        ``correlation_length``.

    Raises
    ------
    ValueError, TypeError
        If a coefficient is not a finite number, or exp(-S) cannot be normalised.
    NotExactError
        If the lattice is too large for dense diagonalisation and not translation invariant.

    References
    ----------
    Montvay and Muenster, Quantum Fields on a Lattice, Cambridge University Press (1994), section 2.1.

    Examples
    --------
    >>> import lattices
    >>> exact = free_field(lattices.build("square", (8, 8)), hop=0.0, quadratic=0.5)
    >>> round(exact["log_z"] / 64, 9), exact["phi2"]  # independent normal variables
    (0.918938533, 1.0)
    """
    hop, quadratic = finite(hop, "hop"), finite(quadratic, "quadratic")
    n_sites = lattice.n_sites
    modes, zero, lowest = (_momentum_space if _is_circulant(lattice) else _dense)(lattice, hop, quadratic)
    log_z = 0.5 * n_sites * math.log(2.0 * math.pi) - 0.5 * float(np.log(modes).sum())
    result = {
        "log_z": log_z,
        "free_energy": -log_z,
        "energy": 0.5 * n_sites,
        "specific_heat": 0.5,
        "magnetization": 0.0,
        "abs_magnetization": math.sqrt(2.0 * zero / (math.pi * n_sites)),
        "susceptibility": zero,
        "binder_cumulant": 0.0,
        "phi2": float((1.0 / modes).mean()),
    }
    if all(lattice.pbc):
        result["correlation_length"] = second_moment_length(zero, lowest, lattice_momenta(lattice))
    return result


def _is_circulant(lattice: Lattice) -> bool:
    return all(lattice.pbc) and lattice.n_sites_per_cell == 1


def _check_positive(modes: np.ndarray, hop: float, quadratic: float) -> None:
    if not modes.min() > 0:
        needed = quadratic - 0.5 * float(modes.min())
        raise ValueError(
            f"quadratic must exceed {needed:.6g} for a free field with hop = {hop}, got {quadratic}"
        )


def _momentum_space(lattice: Lattice, hop: float, quadratic: float) -> tuple[np.ndarray, float, np.ndarray]:
    """Eigenvalues of Q, and the correlators at zero and at the lowest momentum of each axis."""
    row = np.zeros(lattice.n_sites)
    for first, second in ((0, 1), (1, 0)):
        at_origin = lattice.bonds[:, first] == 0
        np.add.at(row, lattice.bonds[at_origin, second], 1.0)
    modes = 2.0 * (quadratic - hop * np.fft.fftn(row.reshape(lattice.extent)).real)
    _check_positive(modes, hop, quadratic)
    # One step along an axis of the discrete Fourier transform is the lowest momentum there.
    lowest = [modes[tuple(np.eye(modes.ndim, dtype=int)[axis])] for axis in range(modes.ndim)]
    return modes.ravel(), float(1.0 / modes.ravel()[0]), 1.0 / np.array(lowest)


def _dense(lattice: Lattice, hop: float, quadratic: float) -> tuple[np.ndarray, float, np.ndarray]:
    """The same for any lattice, by diagonalisation; the last entry is empty where an axis is open."""
    n_sites = lattice.n_sites
    if n_sites > MAX_DENSE_SITES:
        raise NotExactError(
            f"lattice must have at most {MAX_DENSE_SITES} sites unless periodic with one site per cell, "
            f"got {n_sites}"
        )
    matrix = np.zeros((n_sites, n_sites))
    np.add.at(matrix, (lattice.bonds[:, 0], lattice.bonds[:, 1]), 1.0)
    modes, vectors = np.linalg.eigh(2.0 * (quadratic * np.eye(n_sites) - hop * (matrix + matrix.T)))
    _check_positive(modes, hop, quadratic)
    zero = float((vectors.sum(axis=0) ** 2 / modes).sum()) / n_sites
    if not all(lattice.pbc):
        return modes, zero, np.empty(0)
    waves = np.exp(1j * lowest_momenta(lattice) @ lattice.positions.T)
    return modes, zero, (np.abs(waves @ vectors) ** 2 / modes).sum(axis=1) / n_sites
