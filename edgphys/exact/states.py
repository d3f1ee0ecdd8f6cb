# SPDX-License-Identifier: MIT
r"""Any system of finitely many states per site on a small lattice, by counting all q^n_sites states.

    E(s) = sum_<ij> w_ij bond[s_i, s_j] + sum_i site[s_i],     m = (1/N) sum_i e(s_i)

A bond listed twice counts twice. The energies of all states are there at once, up to 2^20 of them.

The same functions give the estimates of the order parameter m, a vector, from the law of a system by any
other calculation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgphys.errors import NotExactError
from edgphys.exact.enumeration import MAX_SPINS, energy_estimates, wave_rows
from edgphys.exact.ratios import binder_cumulant, second_moment_length
from lattices.momenta import lattice_momenta

if TYPE_CHECKING:
    from lattices import Lattice

__all__ = ["can_enumerate", "enumerated", "free_sites"]


def can_enumerate(n_sites: int, n_states: int) -> bool:
    """Whether there are few enough states, 2^20 at most.

    Examples
    --------
    >>> can_enumerate(12, 3), can_enumerate(13, 3)
    (True, False)
    """
    return n_sites * math.log2(n_states) <= MAX_SPINS


def enumerated(
    lattice: Lattice,
    temperature: float,
    bond: NDArray[np.float64],
    site: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    vectors: NDArray[np.float64],
    *,
    staggered: bool = False,
    vanishes: bool = False,
) -> dict[str, float]:
    """All estimates, by enumeration.

    Parameters
    ----------
    lattice : Lattice
    temperature : float
        Positive, k_B = 1.
    bond, site : float64 arrays, shapes (q, q) and (q,) or (n_sites, q)
        Energies of one bond and one site.
    weights : float64 array, shape (n_bonds,), or None
        w_ij; None: all 1.
    vectors : float64 array, shape (q, n_components)
        e(s); by symmetry the mean of m points along the first axis.
    staggered : bool
        Whether to give the staggered order too; the lattice must have two sublattices.
    vanishes : bool
        Whether the mean of m is 0 by symmetry.

    Returns
    -------
    dict of float
        Names as in `edgphys.exact.enumeration.ising`, and ``order_parameter``, (q max_k n_k/N - 1) / (q - 1).

    Raises
    ------
    NotExactError
        If there are more than 2^20 states.

    Examples
    --------
    >>> from lattices import build
    >>> square = build("square", (3, 3))
    >>> exact = enumerated(square, 1.0, -np.eye(3), np.zeros(3), None, np.eye(3))
    >>> round(exact["log_z"], 6)
    19.609853
    """
    q, n_sites = len(bond), lattice.n_sites
    if not can_enumerate(n_sites, q):
        raise NotExactError(
            f"lattice must have at most {int(MAX_SPINS / math.log2(q))} sites of {q} states to be "
            f"enumerated, got {n_sites}"
        )
    energy = _energies(lattice, bond, np.broadcast_to(site, (n_sites, q)), weights)
    p, result = energy_estimates(energy, temperature, n_sites)
    signs = {"": np.ones(n_sites)} | (
        {"staggered_": np.array(lattice.bipartition, float)} if staggered else {}
    )
    for name, sign in signs.items():
        zero = vanishes or (name != "" and lattice.sublattices_alike)
        part = _order(lattice, temperature, p, vectors, sign, vanishes=zero)
        result |= {name + key: value for key, value in part.items()}
    most = np.max([_total(np.eye(q)[k] * np.ones((n_sites, 1))) for k in range(q)], axis=0)
    return result | {"order_parameter": float(p @ (q * most / n_sites - 1.0)) / (q - 1.0)}


def _on_axes(values: NDArray, axes: tuple[int, ...], n: int) -> NDArray:
    """A vector or a matrix over q states, along one or two of n axes; axes ascend."""
    q = values.shape[0]
    return values.reshape([q if k in axes else 1 for k in range(n)])


def _energies(lattice: Lattice, bond: NDArray, site: NDArray, weights: NDArray | None) -> NDArray:
    """Energy of every state, shape (q^n_sites,)."""
    q, n = len(bond), lattice.n_sites
    energy = np.zeros([q] * n)
    weights = np.ones(lattice.n_bonds) if weights is None else weights
    for weight, (i, j) in zip(weights.tolist(), lattice.bonds.tolist(), strict=True):
        energy += weight * _on_axes(bond, (i, j), n)
    return energy.ravel() + _total(site)


def _total(by_site: NDArray) -> NDArray:
    """sum_i by_site[i, s_i] for every state, shape (q^n_sites,)."""
    n, q = by_site.shape
    out = np.zeros([q] * n)
    for i, values in enumerate(by_site):
        out += _on_axes(values, (i,), n)
    return out.ravel()


def _order(
    lattice: Lattice, temperature: float, p: NDArray, vectors: NDArray, signs: NDArray, *, vanishes: bool
) -> dict[str, float]:
    """Estimates of m = sum_i signs_i e(s_i) / N, with p the probability of every state."""
    n = lattice.n_sites
    waves = wave_rows(lattice)
    square, lowest, first = np.zeros(len(p)), np.zeros(len(waves)), np.zeros(len(p))
    for k, component in enumerate(vectors.T):
        m = _total(signs[:, None] * component) / n
        first = m if k == 0 else first
        square += m * m
        lowest += [p @ _total((row * signs)[:, None] * component) ** 2 for row in waves]
    mean = 0.0 if vanishes else float(p @ first)
    variance = float(p @ (square - first**2)) + float(p @ (first - mean) ** 2)
    result = {
        "magnetization": mean,
        "abs_magnetization": float(p @ np.sqrt(square)),
        "susceptibility": n * variance / temperature,
        "binder_cumulant": binder_cumulant(float(p @ square), float(p @ square**2)),
    }
    if len(waves):
        powers = lowest.reshape(-1, 2).sum(1) / n
        result["correlation_length"] = second_moment_length(n * variance, powers, lattice_momenta(lattice))
    return result


def free_sites(
    n_sites: int, temperature: float, site: NDArray[np.float64], vectors: NDArray[np.float64]
) -> dict[str, float]:
    """Sites without bonds: moments of the energy, and of the order where all sites are alike.

    Parameters
    ----------
    n_sites : int
    temperature : float
    site : float64 array, shape (q,) or (n_sites, q)
    vectors : float64 array, shape (q, n_components)

    Examples
    --------
    >>> exact = free_sites(4, 1.0, np.zeros(3), np.eye(3))
    >>> bool(np.isclose(exact["log_z"], 4 * np.log(3)))
    True
    """
    by_site = np.broadcast_to(site, (n_sites, site.shape[-1]))
    log_terms = -by_site / temperature
    log_site = np.logaddexp.reduce(log_terms, axis=1)
    p = np.exp(log_terms - log_site[:, None])
    mean = (p * by_site).sum(1)
    variance = (p * (by_site - mean[:, None]) ** 2).sum(1)
    log_z = math.fsum(log_site)
    order = p @ vectors
    spread = p @ (vectors**2).sum(1) - (order**2).sum(1)
    return {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": math.fsum(mean),
        "specific_heat": math.fsum(variance) / (temperature**2 * n_sites),
        "magnetization": float(order[:, 0].mean()),
        "susceptibility": float(spread.mean()) / temperature,
    }
