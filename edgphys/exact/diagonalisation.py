# SPDX-License-Identifier: MIT
r"""Quantum Ising models of few sites, any lattice, by diagonalising the whole Hamiltonian.

    H = -sum_<ij> J_ij sz_i sz_j - Gamma sum_i sx_i - h sum_i sz_i,     M = sum_i sz_i

    susceptibility              (1 / (N beta)) int int <M(t) M(t')> - <M>^2 dt dt', t over imaginary times: of
                                Kubo, the derivative of <M> / N by h
    equal_time_magnetization_2  <M^2> / N^2, and _4: <M^4> / N^4

Dense; without h in the two sectors of the parity prod_i sx_i, between which M leads.

References
----------
Kubo, J. Phys. Soc. Jpn. 12, 570 (1957), doi:10.1143/JPSJ.12.570 (the susceptibility).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lattices import Lattice

__all__ = ["MOST_SITES", "transverse_ising"]

MOST_SITES = 10  # one matrix of 1024 rows, or two of 512: a second


def transverse_ising(
    lattice: Lattice,
    temperature: float,
    field: float,
    couplings: NDArray[np.float64],
    longitudinal_field: float = 0.0,
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
    longitudinal_field : float
        h.

    Returns
    -------
    dict
        log_z, free_energy, energy, specific_heat and susceptibility per site, magnetization (<sz>),
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
    m = spins.sum(1).astype(float)
    diagonal = -(spins[:, lattice.bonds[:, 0]] * spins[:, lattice.bonds[:, 1]]) @ couplings
    diagonal = diagonal - longitudinal_field * m
    # States s and -s combined: the first half, with the last spin up, stands for both.
    rows, parities = (2**n, (0.0,)) if longitudinal_field else (2 ** (n - 1), (1.0, -1.0))
    diagonal, m = diagonal[:rows], m[:rows]
    sectors = [np.linalg.eigh(_hamiltonian(diagonal, field, n, sign)) for sign in parities]
    energies = np.concatenate([values for values, _ in sectors])
    ground = energies.min()
    weights = np.exp(-beta * (energies - ground))
    z = weights.sum()
    weights /= z
    log_z = float(np.log(z) - beta * ground)
    mean = float(weights @ energies)
    density = np.concatenate([v**2 for _, v in sectors], axis=1) @ weights  # of s, and of -s with it
    average = float(density @ m) if longitudinal_field else 0.0
    # H = diagonal + the field: what is left of the mean energy.
    transverse = (float(density @ diagonal) - mean) / (field * n) if field else 0.0
    return {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": mean,
        "specific_heat": float(beta**2 * (weights @ (energies - mean) ** 2) / n),
        "magnetization": average / n,
        "transverse_magnetization": transverse,
        "susceptibility": (_kubo(sectors, m, beta, ground, z) - beta * average**2) / n,
        "equal_time_magnetization_2": float(density @ m**2) / n**2,
        "equal_time_magnetization_4": float(density @ m**4) / n**4,
    }


def _hamiltonian(diagonal: NDArray, field: float, n: int, parity: float) -> NDArray:
    """On (|s> + parity |-s>) / sqrt 2, s with the last spin up: turning that one gives minus a state.

    With parity 0 on all |s>.
    """
    states = np.arange(len(diagonal))
    h = np.diag(diagonal)
    for site in range(n - 1 if parity else n):
        h[states, states ^ (1 << site)] -= field
    if parity:
        h[states, len(states) - 1 - states] -= parity * field
    return h


def _kubo(sectors: list, m: NDArray, beta: float, ground: float, z: float) -> float:
    """sum_ab |M_ab|^2 (exp(-beta E_a) - exp(-beta E_b)) / (E_b - E_a) / Z, over all pairs of states.

    M leads from the first to the last sector and back, if they differ.
    """
    (e, u), (f, v) = sectors[0], sectors[-1]
    between = (u.T * m) @ v
    gap = np.subtract.outer(f, e).T
    low = np.minimum.outer(e, f)
    size = np.abs(gap)
    near = size * beta < 1e-9
    factor = np.where(near, beta, -np.expm1(-beta * size) / np.where(near, 1.0, size))
    return float(len(sectors) * np.sum(between**2 * np.exp(-beta * (low - ground)) * factor) / z)
