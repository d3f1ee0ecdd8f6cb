# SPDX-License-Identifier: MIT
r"""Ising model on any small lattice, by counting all 2^n_sites states.

``H = -J sum_<ij> s_i s_j - h sum_i s_i``, k_B = 1; a bond listed twice counts twice. The states are visited
in Gray-code order (one spin flip per step) and sorted into the joint histogram of ``sum_<ij> s_i s_j`` and
``sum_i s_i``. The histogram does not depend on temperature, coupling or field, is kept for the last few
lattices, and gives every estimate as a sum of a few hundred terms. Up to 20 spins: about a million states,
tens of milliseconds after compilation. With couplings and fields of bonds and sites of their own, the
energies of all states are there at once.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numba
import numpy as np

from edgphys._checks import finite, positive
from edgphys.errors import NotExactError
from edgphys.exact.ratios import (
    binder_cumulant,
    second_moment_length,
)
from lattices.momenta import lattice_momenta, lowest_momenta

if TYPE_CHECKING:
    from lattices import Lattice

__all__ = ["MAX_SPINS", "energy_estimates", "ising", "ising_of_couplings", "order_estimates", "wave_rows"]

MAX_SPINS = 20
# Squared amplitude of a wave per state below which it is a rounding error of zero.
_NO_WAVE = 1e-20
# Sums over a wave are built afresh after 2**_BLOCK_BITS flips, lest rounding pile up.
_BLOCK_BITS = 10


def ising(
    lattice: Lattice, temperature: float, coupling: float = 1.0, field: float = 0.0
) -> dict[str, float]:
    """All estimates of the Ising model on `lattice`, by enumeration.

    Parameters
    ----------
    lattice : Lattice
        At most 20 sites.
    temperature : float
        Positive, k_B = 1.
    coupling, field : float
        J and h, of either sign.

    Returns
    -------
    dict of float
        ``log_z``, ``free_energy`` (-T ln Z), ``energy`` (<H>, total), ``specific_heat`` (per site),
        ``magnetization``, ``abs_magnetization``, ``susceptibility`` (beta N (<m^2> - <m>^2)),
        ``binder_cumulant`` and, on lattices periodic along all axes, ``correlation_length`` (second moment;
        with a field the correlator at zero momentum is the connected one). The last five with ``staggered_``
        in front too, where J < 0 and the lattice is bipartite.

    Raises
    ------
    NotExactError
        If the lattice has more than 20 sites.
    ValueError, TypeError
        If a number is out of range.

    Examples
    --------
    >>> import lattices
    >>> exact = ising(lattices.build("square", (4, 4)), temperature=2.0)
    >>> round(exact["log_z"], 6), round(exact["energy"], 6)
    (17.105367, -28.086085)
    """
    temperature = positive(temperature, "temperature")
    coupling, field = finite(coupling, "coupling"), finite(field, "field")
    n_sites = _checked_size(lattice)
    waves = wave_rows(lattice)
    signs = lattice.bipartition if coupling < 0 else None
    tables = [(waves, np.ones(n_sites, np.int64))]
    if signs is not None:
        tables.append((waves * signs, signs.astype(np.int64)))
    bonds = np.ascontiguousarray(lattice.bonds, dtype=np.int64)
    counts, *sums = _histogram(
        n_sites, bonds.tobytes(), *(np.concatenate(one).tobytes() for one in zip(*tables, strict=True))
    )
    bond_index, spin_index = np.nonzero(counts)
    bond_sum, spin_sum = 2.0 * bond_index - len(bonds), 2.0 * spin_index - n_sites
    states = counts[bond_index, spin_index].astype(np.float64)
    energy = -coupling * bond_sum - field * spin_sum
    log_weight = np.log(states) - energy / temperature
    top = log_weight.max()
    p = np.exp(log_weight - top)
    log_z = float(top + math.log(p.sum()))
    p /= p.sum()
    power, orders = (one[bond_index, spin_index] / states[:, None] for one in sums)
    mean_energy = float((p * energy).sum())
    result = {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": mean_energy,
        "specific_heat": float((p * (energy - mean_energy) ** 2).sum()) / (temperature**2 * n_sites),
    }
    lowest = p @ power
    for k, name in enumerate(("", "staggered_")[: len(tables)]):
        vanishes = field == 0 or (k == 1 and lattice.sublattices_alike)
        axes = lowest[k * len(waves) // 2 : (k + 1) * len(waves) // 2]
        part = order_estimates(
            p, orders[:, 4 * k : 4 * k + 4].T, axes, lattice, temperature, vanishes=vanishes
        )
        result |= {name + key: value for key, value in part.items()}
    return result


def ising_of_couplings(
    lattice: Lattice, temperature: float, bonds: np.ndarray, sites: np.ndarray, *, staggered: bool = False
) -> dict[str, float]:
    """As `ising`, with ``H = -sum_<ij> J_ij s_i s_j - sum_i h_i s_i``.

    Parameters
    ----------
    lattice : Lattice
        At most 20 sites.
    temperature : float
    bonds, sites : float64 arrays, shapes (n_bonds,) and (n_sites,)
        J_ij in the order of ``lattice.bonds``, and h_i.
    staggered : bool
        Whether to give the staggered order too; the lattice must have two sublattices.

    Raises
    ------
    NotExactError
        If the lattice has more than 20 sites.
    """
    n_sites = _checked_size(lattice)
    spins = [
        np.array([1.0, -1.0]).reshape([2 if k == site else 1 for k in range(n_sites)])
        for site in range(n_sites)
    ]

    def total(values) -> np.ndarray:
        """Sum of v_i s_i for every state."""
        out = np.zeros([2] * n_sites)
        for value, spin in zip(values, spins, strict=True):
            out += value * spin
        return out.ravel()

    energy = np.zeros([2] * n_sites)
    for coupling, (i, j) in zip(bonds.tolist(), lattice.bonds.tolist(), strict=True):
        energy -= coupling * spins[i] * spins[j]
    energy = energy.ravel() - total(sites)
    p, result = energy_estimates(energy, temperature, n_sites)
    waves = wave_rows(lattice)
    tables = {"": np.ones(n_sites)} | (
        {"staggered_": np.array(lattice.bipartition, float)} if staggered else {}
    )
    for name, signs in tables.items():
        m = total(signs)
        lowest = np.array([p @ total(row * signs) ** 2 for row in waves]).reshape(-1, 2).sum(1)
        table = np.stack([m, np.abs(m), m**2, m**4])
        part = order_estimates(p, table, lowest, lattice, temperature, vanishes=not sites.any())
        result |= {name + key: value for key, value in part.items()}
    return result


def energy_estimates(
    energy: np.ndarray, temperature: float, n_sites: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Probabilities of all states, shape (n_states,), and the estimates that follow from their energies."""
    p = np.exp(-(energy - energy.min()) / temperature)
    log_z = math.log(p.sum()) - float(energy.min()) / temperature
    p /= p.sum()
    mean = float(p @ energy)
    return p, {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": mean,
        "specific_heat": float(p @ (energy - mean) ** 2) / (temperature**2 * n_sites),
    }


def order_estimates(
    p: np.ndarray,
    moments: np.ndarray,
    lowest: np.ndarray,
    lattice: Lattice,
    temperature: float,
    *,
    vanishes: bool,
) -> dict[str, float]:
    """Estimates of a magnetization M from M, |M|, M^2, M^4 of each weight `p`, and powers of lowest waves."""
    n_sites = lattice.n_sites
    first, absolute, second, fourth = (row / n_sites**k for k, row in zip((1, 1, 2, 4), moments, strict=True))
    mean = 0.0 if vanishes else float((p * first).sum())
    # The variance within what shares a weight, and between: no cancellation where one state has all weight.
    within = (moments[2] - moments[0] ** 2) / n_sites**2
    variance = float((p * (first - mean) ** 2).sum()) + float((p * within).sum())
    result = {
        "magnetization": mean,
        "abs_magnetization": float((p * absolute).sum()),
        "susceptibility": n_sites * variance / temperature,
        "binder_cumulant": binder_cumulant(float((p * second).sum()), float((p * fourth).sum())),
    }
    zero = n_sites * variance
    if len(lowest):
        result["correlation_length"] = second_moment_length(zero, lowest / n_sites, lattice_momenta(lattice))
    return result


def _checked_size(lattice: Lattice) -> int:
    """Number of sites, few enough to be enumerated."""
    if lattice.n_sites > MAX_SPINS:
        raise NotExactError(
            f"lattice must have at most {MAX_SPINS} sites to be enumerated, got {lattice.n_sites}"
        )
    return lattice.n_sites


def wave_rows(lattice: Lattice) -> np.ndarray:
    """Cosine and sine of the lowest momentum of each axis in turn, shape (2 n_axes, n_sites).

    None, (0, n_sites), unless all axes are periodic.
    """
    if not all(lattice.pbc):
        return np.zeros((0, lattice.n_sites))
    phase = lowest_momenta(lattice) @ lattice.positions.T
    return np.stack([np.cos(phase), np.sin(phase)], axis=1).reshape(-1, lattice.n_sites)


@functools.lru_cache(maxsize=16)
def _histogram(
    n_sites: int, bonds: bytes, waves: bytes, signs: bytes
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of states by (bond sum, spin sum), and sums over them; bytes make a cache key.

    Sums of the power of each wave (rows in pairs), and of M, |M|, M^2, M^4 of each row M of `signs`.
    """
    pairs = np.frombuffer(bonds, dtype=np.int64).reshape(-1, 2)
    partner = np.concatenate([pairs, pairs[:, ::-1]])
    partner = partner[np.argsort(partner[:, 0], kind="stable")]
    start = np.searchsorted(partner[:, 0], np.arange(n_sites + 1))
    rows = (np.frombuffer(waves).reshape(-1, n_sites), np.frombuffer(signs, np.int64).reshape(-1, n_sites))
    tables = _count(
        n_sites, np.ascontiguousarray(partner[:, 1]), start, *(np.ascontiguousarray(row.T) for row in rows)
    )
    counts, power, _ = tables  # powers that are zero: else their rounding is all there is at low temperature
    power[power < _NO_WAVE * counts[..., None]] = 0.0
    for table in tables:
        table.flags.writeable = False
    return tables


@numba.njit(cache=True)
def _count(n_sites, neighbours, start, waves, signs):  # pragma: no cover - compiled
    """Gray-code walk; partners of site i: `neighbours[start[i]:start[i+1]]`; `waves`, `signs` by site."""
    n_bonds, n_waves, n_orders = len(neighbours) // 2, waves.shape[1], signs.shape[1]
    counts = np.zeros((n_bonds + 1, n_sites + 1), dtype=np.int64)
    power = np.zeros((n_bonds + 1, n_sites + 1, n_waves // 2))
    orders = np.zeros((n_bonds + 1, n_sites + 1, 4 * n_orders))
    low = min(n_sites, _BLOCK_BITS)
    spins = np.empty(n_sites, dtype=np.int64)
    amplitude, order = np.empty(n_waves), np.empty(n_orders, np.int64)
    for block in range(1 << (n_sites - low)):
        for i in range(n_sites):
            spins[i] = -1 if i < low else 2 * ((block >> (i - low)) & 1) - 1
        twice_bond_sum = 0
        spin_sum = 0
        amplitude[:] = 0.0
        order[:] = 0
        for i in range(n_sites):
            spin_sum += spins[i]
            for j in range(start[i], start[i + 1]):
                twice_bond_sum += spins[i] * spins[neighbours[j]]
            for w in range(n_waves):
                amplitude[w] += spins[i] * waves[i, w]
            for k in range(n_orders):
                order[k] += spins[i] * signs[i, k]
        bond_sum = twice_bond_sum // 2
        for step in range(1, (1 << low) + 1):
            row, column = (bond_sum + n_bonds) // 2, (spin_sum + n_sites) // 2
            counts[row, column] += 1
            for w in range(n_waves):
                power[row, column, w // 2] += amplitude[w] ** 2
            for k in range(n_orders):
                square = float(order[k] * order[k])
                orders[row, column, 4 * k] += order[k]
                orders[row, column, 4 * k + 1] += abs(order[k])
                orders[row, column, 4 * k + 2] += square
                orders[row, column, 4 * k + 3] += square * square
            site = 0
            while site < low - 1 and not (step >> site) & 1:
                site += 1
            around = 0
            for j in range(start[site], start[site + 1]):
                around += spins[neighbours[j]]
            spins[site] = -spins[site]
            bond_sum += 2 * spins[site] * around
            spin_sum += 2 * spins[site]
            for w in range(n_waves):
                amplitude[w] += 2 * spins[site] * waves[site, w]
            for k in range(n_orders):
                order[k] += 2 * spins[site] * signs[site, k]
    return counts, power, orders
