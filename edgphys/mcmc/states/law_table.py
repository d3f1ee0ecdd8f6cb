# SPDX-License-Identifier: MIT
"""Where all bonds and sites are alike: the law of a new state, looked up by the states of the neighbours.

One row for each combination of states of the neighbours (q + 1 values each, q for one that is not there) and,
for Metropolis, of the state before: probabilities that the new state is at most 0, 1, ..., q - 2, as 64-bit
integers to compare one random word with.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

from edgphys.mcmc.core.sampler import ACCEPTED, ATTEMPTED
from edgphys.mcmc.ising.flip_probabilities import LAZY
from edgphys.mcmc.random.xoshiro import advance_words

__all__ = ["MOST_ENTRIES", "heat_bath_law", "metropolis_law", "sweep_by_table"]

# Two megabytes: what stays in a cache.
MOST_ENTRIES = 1 << 18


def _energies(costs: np.ndarray, site: np.ndarray, coordination: int) -> np.ndarray:
    """beta times the energy of a state among its neighbours, shape (combinations, q), the first slowest."""
    energies = site[None]
    for _ in range(coordination):
        energies = (energies[:, None] + costs).reshape(-1, len(site))
    return energies


def _thresholds(p: np.ndarray) -> np.ndarray:
    """Sums of probabilities along the last axis times 2^64, without the last."""
    sums = np.minimum(np.cumsum(p, axis=-1)[..., :-1], 1.0)
    return np.where(sums < 1.0, sums * 2.0**64, 0.0).astype(np.uint64) - (sums == 1.0).astype(np.uint64)


def heat_bath_law(costs: np.ndarray, site: np.ndarray, coordination: int) -> np.ndarray | None:
    """Thresholds of exp(-beta e) over its sum, uint64, shape (combinations, 1, q - 1); None if too many.

    Parameters
    ----------
    costs : float64, shape (q + 1, q)
        beta times the energies of a bond, by the state of the neighbour and one's own.
    site : float64, shape (q,)
    coordination : int
        Largest number of neighbours.
    """
    q = len(site)
    if (q + 1) ** coordination * (q - 1) > MOST_ENTRIES:
        return None
    energies = _energies(costs, site, coordination)
    p = np.exp(energies.min(1, keepdims=True) - energies)
    return _thresholds(p / p.sum(1, keepdims=True))[:, None]


def metropolis_law(costs: np.ndarray, site: np.ndarray, coordination: int) -> np.ndarray | None:
    """The same of LAZY min(1, exp(-beta dE)) / (q - 1), shape (combinations, old state, q - 1)."""
    q = len(site)
    if (q + 1) ** coordination * q * (q - 1) > MOST_ENTRIES:
        return None
    energies = _energies(costs, site, coordination)
    p = LAZY * np.exp(-np.maximum(energies[:, None, :] - energies[:, :, None], 0.0)) / (q - 1)
    same = np.arange(q)
    p[:, same, same] = 0.0
    p[:, same, same] = 1.0 - p.sum(-1)
    return _thresholds(p)


@njit(nogil=True, cache=True)
def sweep_by_table(states, rng, counts, neighbours, law):
    """One sweep in the order of the layout."""
    n_sites, most = neighbours.shape
    n_old, less = uint64(law.shape[1]), uint64(law.shape[2])
    flat, base, changed = law.ravel(), less + uint64(2), 0
    s0, s1, s2, s3 = rng[0], rng[1], rng[2], rng[3]
    for i in range(n_sites):
        row = uint64(0)
        for j in range(most):
            row = row * base + uint64(states[neighbours[i, j]])
        old = uint64(states[i])
        row = (row * n_old + (old if n_old > uint64(1) else uint64(0))) * less
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        new = uint64(0)
        for a in range(less):  # arithmetic in place of a branch that would be mispredicted
            new += uint64(word >= flat[row + uint64(a)])
        states[i] = new
        changed += new != old
    rng[0], rng[1], rng[2], rng[3] = s0, s1, s2, s3
    counts[ATTEMPTED] += n_sites
    counts[ACCEPTED] += changed
