# SPDX-License-Identifier: MIT
r"""Ising model on any small lattice, by counting all 2^n_sites states.

``H = -J sum_<ij> s_i s_j - h sum_i s_i``, k_B = 1; a bond listed twice counts twice. The states are visited
in Gray-code order (one spin flip per step) and sorted into the joint histogram of ``sum_<ij> s_i s_j`` and
``sum_i s_i``. The histogram does not depend on temperature, coupling or field, is kept for the last few
lattices, and gives every estimate as a sum of a few hundred terms. Up to 20 spins: about a million states,
tens of milliseconds after compilation.
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

if TYPE_CHECKING:
    from lattices import Lattice

__all__ = ["MAX_SPINS", "ising", "lowest_momenta"]

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
        with a field the correlator at zero momentum is the connected one).

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
    n_sites = lattice.n_sites
    if n_sites > MAX_SPINS:
        raise NotExactError(f"lattice must have at most {MAX_SPINS} sites to be enumerated, got {n_sites}")
    waves = _waves(lattice) if all(lattice.pbc) else np.zeros((0, n_sites))
    bonds = np.ascontiguousarray(lattice.bonds, dtype=np.int64)
    counts, power = _histogram(n_sites, bonds.tobytes(), waves.tobytes())
    bond_index, spin_index = np.nonzero(counts)
    bond_sum, spin_sum = 2.0 * bond_index - len(bonds), 2.0 * spin_index - n_sites
    states = counts[bond_index, spin_index].astype(np.float64)
    energy = -coupling * bond_sum - field * spin_sum
    log_weight = np.log(states) - energy / temperature
    top = log_weight.max()
    p = np.exp(log_weight - top)
    log_z = float(top + math.log(p.sum()))
    result = _moments(p / p.sum(), energy, spin_sum / n_sites, n_sites, temperature, symmetric=field == 0)
    result = {"log_z": log_z, "free_energy": -temperature * log_z, **result}
    if len(waves):
        zero = result["susceptibility"] * temperature
        minimum = float((p / p.sum() * power[bond_index, spin_index] / states).sum()) / (
            n_sites * lattice.n_axes
        )
        result["correlation_length"] = second_moment_length(zero, minimum, lattice.extent)
    return result


def _moments(
    p: np.ndarray, energy: np.ndarray, m: np.ndarray, n_sites: int, temperature: float, *, symmetric: bool
) -> dict[str, float]:
    """Estimates made of moments, from weights `p` that sum to 1, total energies and `m` per site."""
    mean_energy = float((p * energy).sum())
    mean_m = 0.0 if symmetric else float((p * m).sum())
    variance_m = float((p * (m - mean_m) ** 2).sum())
    return {
        "energy": mean_energy,
        "specific_heat": float((p * (energy - mean_energy) ** 2).sum()) / (temperature**2 * n_sites),
        "magnetization": mean_m,
        "abs_magnetization": float((p * np.abs(m)).sum()),
        "susceptibility": n_sites * variance_m / temperature,
        "binder_cumulant": binder_cumulant(float((p * m**2).sum()), float((p * m**4).sum())),
    }


def lowest_momenta(lattice: Lattice) -> np.ndarray:
    """Smallest non-zero momenta, reciprocal vector / extent, shape (n_axes, n_dims).

    The unit cell is read off the positions, which are linear in the cell coordinates within one sublattice.
    """
    first = np.flatnonzero(lattice.sublattices == lattice.sublattices[0])
    steps = (lattice.cells[first] - lattice.cells[first[0]]).astype(np.float64)
    cell, *_ = np.linalg.lstsq(steps, lattice.positions[first] - lattice.positions[first[0]], rcond=None)
    return 2.0 * np.pi * np.linalg.pinv(cell).T / np.array(lattice.extent, dtype=np.float64)[:, None]


def _waves(lattice: Lattice) -> np.ndarray:
    """Cosines and sines of the lowest momenta at all sites, shape (2 n_axes, n_sites)."""
    phase = lowest_momenta(lattice) @ lattice.positions.T
    return np.concatenate([np.cos(phase), np.sin(phase)])


@functools.lru_cache(maxsize=16)
def _histogram(n_sites: int, bonds: bytes, waves: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Number of states and sum of squared wave amplitudes by (bond sum, spin sum); bytes make a cache key."""
    pairs = np.frombuffer(bonds, dtype=np.int64).reshape(-1, 2)
    partner = np.concatenate([pairs, pairs[:, ::-1]])
    partner = partner[np.argsort(partner[:, 0], kind="stable")]
    start = np.searchsorted(partner[:, 0], np.arange(n_sites + 1))
    amplitudes = np.frombuffer(waves, dtype=np.float64).reshape(-1, n_sites)
    counts, power = _count(
        n_sites, np.ascontiguousarray(partner[:, 1]), start, np.ascontiguousarray(amplitudes.T)
    )
    power[power < _NO_WAVE * counts] = 0.0  # else rounding, of all states but few at low temperature
    counts.flags.writeable = power.flags.writeable = False
    return counts, power


@numba.njit(cache=True)
def _count(n_sites, neighbours, start, waves):  # pragma: no cover - compiled
    """Gray-code walk; partners of site i: `neighbours[start[i]:start[i+1]]`; `waves` (n_sites, n_waves)."""
    n_bonds, n_waves = len(neighbours) // 2, waves.shape[1]
    counts = np.zeros((n_bonds + 1, n_sites + 1), dtype=np.int64)
    power = np.zeros((n_bonds + 1, n_sites + 1))
    low = min(n_sites, _BLOCK_BITS)
    spins = np.empty(n_sites, dtype=np.int64)
    amplitude = np.empty(n_waves)
    for block in range(1 << (n_sites - low)):
        for i in range(n_sites):
            spins[i] = -1 if i < low else 2 * ((block >> (i - low)) & 1) - 1
        twice_bond_sum = 0
        spin_sum = 0
        amplitude[:] = 0.0
        for i in range(n_sites):
            spin_sum += spins[i]
            for j in range(start[i], start[i + 1]):
                twice_bond_sum += spins[i] * spins[neighbours[j]]
            for w in range(n_waves):
                amplitude[w] += spins[i] * waves[i, w]
        bond_sum = twice_bond_sum // 2
        for step in range(1, (1 << low) + 1):
            row, column = (bond_sum + n_bonds) // 2, (spin_sum + n_sites) // 2
            counts[row, column] += 1
            for w in range(n_waves):
                power[row, column] += amplitude[w] ** 2
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
    return counts, power
