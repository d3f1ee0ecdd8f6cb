# SPDX-License-Identifier: MIT
r"""Quantum Ising models of few sites, any lattice, by diagonalising the whole Hamiltonian.

    H = -sum_<ij> J_ij sz_i sz_j - Gamma sum_i sx_i,     M = sum_i sz_i

    susceptibility              (1 / (N beta)) int int <M(t) M(t')> dt dt', t over imaginary times: of Kubo
    equal_time_magnetization_2  <M^2> / N^2, and _4: <M^4> / N^4

Dense, in the two sectors of the parity prod_i sx_i, between which M leads.

References
----------
Kubo, J. Phys. Soc. Jpn. 12, 570 (1957), doi:10.1143/JPSJ.12.570 (the susceptibility).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lattices import Lattice

__all__ = ["MOST_SITES", "transverse_ising"]

MOST_SITES = 10  # two matrices of 512 rows: a second


def transverse_ising(
    lattice: Lattice, temperature: float, field: float, couplings: NDArray[np.float64]
) -> dict[str, float]:
    """All that is listed above, and the moments of the energy.

    Parameters
    ----------
    lattice : Lattice
        Of up to `MOST_SITES` sites.
    temperature, field : float
        T (k_B = 1) and Gamma.
    couplings : float64 array, shape (n_bonds,)
        J of each bond.

    Returns
    -------
    dict
        log_z, free_energy, energy, specific_heat and susceptibility per site, magnetization (0),
        transverse_magnetization, equal_time_magnetization_2 and _4.

    Examples
    --------
    >>> import lattices
    >>> pair = lattices.build("chain", (2,), False)
    >>> round(transverse_ising(pair, 1.0, 0.5, np.array([0.0]))["transverse_magnetization"], 6)  # tanh(1/2)
    0.462117
    """
    n, beta = lattice.n_sites, 1.0 / temperature
    spins = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    diagonal = -(spins[:, lattice.bonds[:, 0]] * spins[:, lattice.bonds[:, 1]]) @ couplings
    m = spins.sum(1).astype(float)
    # States s and -s combined: the first half, with the last spin up, stands for both.
    half = 2 ** (n - 1)
    sectors = [np.linalg.eigh(_hamiltonian(diagonal[:half], field, n, sign)) for sign in (1.0, -1.0)]
    energies = np.concatenate([values for values, _ in sectors])
    ground = energies.min()
    weights = np.exp(-beta * (energies - ground))
    z = weights.sum()
    weights /= z
    log_z = float(np.log(z) - beta * ground)
    mean = float(weights @ energies)
    density = np.concatenate([v**2 for _, v in sectors], axis=1) @ weights  # of s and -s together
    # H = diagonal + the field: what is left of the mean energy.
    transverse = (float(density @ diagonal[:half]) - mean) / (field * n) if field else 0.0
    return {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": mean,
        "specific_heat": float(beta**2 * (weights @ (energies - mean) ** 2) / n),
        "magnetization": 0.0,
        "transverse_magnetization": transverse,
        "susceptibility": _kubo(sectors, m[:half], beta, ground, z) / n,
        "equal_time_magnetization_2": float(density @ m[:half] ** 2) / n**2,
        "equal_time_magnetization_4": float(density @ m[:half] ** 4) / n**4,
    }


def _hamiltonian(diagonal: NDArray, field: float, n: int, parity: float) -> NDArray:
    """On (|s> + parity |-s>) / sqrt 2, s with the last spin up: turning that one gives minus a state."""
    states = np.arange(len(diagonal))
    h = np.diag(diagonal)
    for site in range(n - 1):
        h[states, states ^ (1 << site)] -= field
    h[states, len(states) - 1 - states] -= parity * field
    return h


def _kubo(sectors: list, m: NDArray, beta: float, ground: float, z: float) -> float:
    """sum_ab |M_ab|^2 (exp(-beta E_a) - exp(-beta E_b)) / (E_b - E_a) / Z, over all pairs of states."""
    (e, u), (f, v) = sectors
    between = (u.T * m) @ v
    gap = np.subtract.outer(f, e).T
    low = np.minimum.outer(e, f)
    size = np.abs(gap)
    near = size * beta < 1e-9
    factor = np.where(near, beta, -np.expm1(-beta * size) / np.where(near, 1.0, size))
    return float(2.0 * np.sum(between**2 * np.exp(-beta * (low - ground)) * factor) / z)
