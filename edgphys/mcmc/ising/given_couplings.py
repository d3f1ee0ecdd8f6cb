# SPDX-License-Identifier: MIT
"""One spin at a time where bonds and sites have couplings of their own: no table of probabilities fits.

    x_i = 2 beta s_i (sum_j J_ij s_j + h_i)      beta times the cost of a flip

    heat bath     flip with probability 1 / (1 + exp(x_i))
    metropolis    flip with probability LAZY min(1, exp(-x_i))

A probability, or its complement where that is smaller, is compared with a 64-bit random number, so that rare
excitations keep their rate to the rounding of a double, as those of the tables do.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.core.layout import Layout
from edgphys.mcmc.core.sampler import ACCEPTED, ATTEMPTED
from edgphys.mcmc.ising.base import measure_spins
from edgphys.mcmc.ising.flip_probabilities import LAZY
from edgphys.mcmc.random.xoshiro import next_word, random_site

__all__ = ["local_tables", "sample", "sweep_in_order"]

_LAZY, _TOP = LAZY, 2.0**64


def local_tables(layout: Layout, beta: float, bonds: np.ndarray, sites: np.ndarray) -> tuple:
    """Neighbours, 2 beta J of each of them, and 2 beta h, in the order of the layout.

    Parameters
    ----------
    layout : Layout
    beta : float
    bonds, sites : float64, shapes (n_bonds,) and (n_sites,)
        J and h in the order of the lattice.

    Returns
    -------
    neighbours : uint32, shape (n_sites, max coordination)
    weights : float64, of the same shape
        0 where there is no neighbour.
    fields : float64, shape (n_sites,)
    """
    padded = np.append(2.0 * beta * bonds, 0.0)
    return layout.neighbours, padded[layout.neighbour_bonds], 2.0 * beta * sites[layout.order]


@njit(nogil=True, cache=True)
def _flips(word, cost, heat_bath):
    """Whether a spin flips whose flip costs `cost` in units of the temperature."""
    if heat_bath:
        small = math.exp(-abs(cost))
        small /= 1.0 + small
        below = word < np.uint64(small * _TOP)  # small <= 1/2: no overflow
        return below if cost > 0.0 else not below
    if cost <= 0.0:
        return word < np.uint64(_LAZY * _TOP)
    return word < np.uint64(_LAZY * math.exp(-cost) * _TOP)


@njit(nogil=True, cache=True)
def _visit(spins, rng, tables, i, heat_bath):
    neighbours, weights, fields = tables
    local = fields[i]
    for j in range(neighbours.shape[1]):
        local += weights[i, j] * spins[neighbours[i, j]]
    if _flips(next_word(rng), spins[i] * local, heat_bath):
        spins[i] = -spins[i]
        return 1
    return 0


@njit(nogil=True, cache=True)
def sweep_in_order(spins, rng, tables, heat_bath):
    """One sweep in the order of the layout; the number of flips."""
    accepted = 0
    for i in range(tables[2].size):
        accepted += _visit(spins, rng, tables, i, heat_bath)
    return accepted


@njit(nogil=True, cache=True)
def sweep_at_random(spins, rng, tables, heat_bath):
    """n_sites attempted flips at random sites; the number of flips."""
    accepted = 0
    for _ in range(tables[2].size):
        accepted += _visit(spins, rng, tables, random_site(rng, tables[2].size), heat_bath)
    return accepted


@njit(nogil=True, cache=True)
def sample(spins, rng, counts, tables, heat_bath, random_order, probe, thin, rows, kept):
    """Fill `rows` and `kept`, `thin` sweeps apart."""
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            if random_order:
                counts[ACCEPTED] += sweep_at_random(spins, rng, tables, heat_bath)
            else:
                counts[ACCEPTED] += sweep_in_order(spins, rng, tables, heat_bath)
            counts[ATTEMPTED] += tables[2].size
        measure_spins(spins, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
