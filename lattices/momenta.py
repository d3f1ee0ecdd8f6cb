# SPDX-License-Identifier: MIT
r"""Lowest momenta of a finite lattice along its axes, and their size as the lattice itself measures it.

    k_mu = b_mu / L_mu,   a_mu . b_nu = 2 pi delta_mu_nu,

with a_mu the basis vectors and L_mu the extents. With lambda(k) the lowest band of the lattice Laplacian,

    khat_mu^2 = |k_mu|^2 lambda(k_mu) / (its quadratic part at k_mu),

which is |k|^2 for small k in every direction, in units of the inverse nearest-neighbour distance: 2 sin(k/2)
along an axis of a hypercubic lattice, sqrt(2/3 sum_d (2 - 2 cos k.d)) over the three directions d of a
triangular one. A free field of mass m has the correlator 1/(m^2 + khat^2) on lattices of one site per cell.
"""

from __future__ import annotations

import numpy as np

from lattices.lattice import Lattice

__all__ = ["lattice_momenta", "lowest_momenta", "reciprocal_vectors"]


def reciprocal_vectors(lattice: Lattice) -> np.ndarray:
    """b_mu with a_mu . b_nu = 2 pi delta_mu_nu, Cartesian, float64 (n_axes, n_dims).

    Examples
    --------
    >>> from lattices import build
    >>> (reciprocal_vectors(build("triangular", (6, 6))) / np.pi).round(6).tolist()
    [[2.0, -1.154701], [0.0, 2.309401]]
    """
    return 2.0 * np.pi * np.linalg.pinv(lattice.basis_vectors).T


def lowest_momenta(lattice: Lattice) -> np.ndarray:
    """Smallest non-zero momentum along each axis, Cartesian, float64 (n_axes, n_dims).

    Examples
    --------
    >>> from lattices import build
    >>> lowest_momenta(build("square", (4, 8))).round(3).tolist()
    [[1.571, 0.0], [0.0, 0.785]]
    """
    return reciprocal_vectors(lattice) / np.asarray(lattice.extent, dtype=np.float64)[:, None]


def lattice_momenta(lattice: Lattice) -> np.ndarray:
    """khat of the lowest momentum along each axis, in inverse lattice spacings, float64 (n_axes,).

    NaN along an axis that no bond follows. See the module docstring.

    Examples
    --------
    >>> from lattices import build
    >>> lattice_momenta(build("triangular", (6, 6))).round(6).tolist()
    [1.154701, 1.154701]
    """
    if _is_hypercubic(lattice):
        return 2.0 * np.sin(np.pi / np.asarray(lattice.extent, dtype=np.float64))
    first, second, steps = _cell_bonds(lattice)
    spacing = np.linalg.norm(steps, axis=1).min()
    sizes = [_size(first, second, steps, lattice.n_sites_per_cell, k) for k in lowest_momenta(lattice)]
    return spacing * np.array(sizes)


def _is_hypercubic(lattice: Lattice) -> bool:
    """Whether the cell has unit bonds along its axes and no others: a sine then, to the last digit."""
    cell = lattice.unit_cell
    unit = sorted(tuple(int(a == b) for b in range(cell.n_axes)) for a in range(cell.n_axes))
    is_cube = np.array_equal(lattice.basis_vectors, np.eye(cell.n_axes))
    return cell.n_sites == 1 and is_cube and sorted(tuple(map(abs, bond.cell)) for bond in cell.bonds) == unit


def _cell_bonds(lattice: Lattice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sublattices of the two ends of the bonds of a cell, and the Cartesian vectors between them."""
    cell = lattice.unit_cell
    ends = np.array([bond.sites for bond in cell.bonds])
    offsets = np.array(cell.site_offsets)
    steps = np.array([bond.cell for bond in cell.bonds]) + offsets[ends[:, 1]] - offsets[ends[:, 0]]
    return ends[:, 0], ends[:, 1], steps @ lattice.basis_vectors


def _size(first: np.ndarray, second: np.ndarray, steps: np.ndarray, n: int, k: np.ndarray) -> float:
    """sqrt(|k|^2 lambda(k) / its quadratic part)."""
    phase = steps @ k
    degree = np.diag(np.bincount(np.concatenate([first, second]), minlength=n).astype(np.float64))

    def hopping(values: np.ndarray) -> np.ndarray:
        matrix = np.zeros((n, n), complex)
        np.add.at(matrix, (first, second), values)
        return matrix + matrix.conj().T

    lowest = float(np.linalg.eigvalsh(degree - hopping(np.exp(1j * phase)))[0])
    # Second-order perturbation theory about the uniform mode of k = 0.
    uniform = np.full(n, n**-0.5)
    slope = -hopping(1j * phase) @ uniform
    at_zero = np.linalg.pinv(degree - hopping(np.ones(len(phase), complex)), rcond=1e-10, hermitian=True)
    quadratic = uniform @ hopping(0.5 * phase**2 + 0j) @ uniform - slope.conj() @ at_zero @ slope
    return float(np.sqrt(k @ k * lowest / quadratic.real)) if quadratic.real > 1e-12 * (k @ k) else np.nan
