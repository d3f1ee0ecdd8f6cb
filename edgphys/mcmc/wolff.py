# SPDX-License-Identifier: MIT
"""Wolff clusters for the Ising model without a field.

From a random site, satisfied bonds (J s_i s_j > 0) are followed with probability 1 - exp(-2 beta |J|), and
the cluster is flipped. For J > 0 clusters are of one sign; for J < 0 on a bipartite lattice they are those
of the ferromagnet that the map s -> s * bipartition makes of it. Detailed balance: the bonds not followed
across the boundary of the cluster have exactly the Boltzmann weight that the flip exchanges (Wolff, eq. 4).
Every single site is a cluster with positive probability, so all states are reached.

Refused, with the reason: in a field (the flip would need another acceptance step), and for J < 0 on a
lattice that is not bipartite (clusters there span the lattice far above any ordering and decorrelate
nothing).

One sweep is a number of clusters that visits n_sites spins on average (`edgphys.mcmc.clusters`).

References
----------
Wolff, Phys. Rev. Lett. 62, 361 (1989), doi:10.1103/PhysRevLett.62.361.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc import clusters
from edgphys.mcmc.ising_base import AbstractIsingSampler, measure_spins
from edgphys.mcmc.sampler import CLUSTERS, VISITED, ChainState
from edgphys.mcmc.xoshiro import next_word, random_site

__all__ = ["IsingWolff", "why_not_wolff"]


def why_not_wolff(system) -> str | None:
    """Why Wolff clusters do not apply to this Ising system; None if they do."""
    coupling, field = system.parameters["coupling"], system.parameters["field"]
    if field != 0:
        return f"wolff needs field = 0 (a flip would change the field energy), got {field}; use 'metropolis'"
    if coupling < 0 and system.lattice.bipartition is None:
        return (
            f"wolff needs coupling >= 0 on a {system.lattice.name} lattice that is not bipartite "
            f"(frustrated clusters span the lattice), got {coupling}; use 'metropolis'"
        )
    return None


class IsingWolff(AbstractIsingSampler):
    """Single-cluster updates; field 0, and coupling >= 0 or a bipartite lattice."""

    name = "wolff"
    sweep = "Wolff clusters that visit n_sites spins on average, their mean number frozen after the warm-up"

    @classmethod
    def why_not(cls, system) -> str | None:
        return why_not_wolff(system)

    def _prepare(self) -> None:
        strength = self.system.beta * self.system.parameters["coupling"]
        self._threshold = follow_threshold(abs(strength))
        self._sign = -1 if strength < 0 else 1

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        half = max(first, n_total // 2)
        args = self._args(state)
        _until_all_visited(*args, max(0, min(half - first, n_sweeps)))
        before = state.counts.copy()
        _until_all_visited(*args, max(0, min(first + n_sweeps - half, n_sweeps)))
        clusters.remember(state, before)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        return {"clusters_per_sweep": clusters.mean_number(states, self.layout.n_sites)}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        _sample(*self._args(state), tuned["clusters_per_sweep"], self._probe(), thin, rows, kept)

    def report(self, states: list[ChainState]) -> dict[str, float]:
        grown = sum(int(s.counts[CLUSTERS]) for s in states)
        return {"mean_cluster_size": sum(int(s.counts[VISITED]) for s in states) / grown} if grown else {}

    def _args(self, state: ChainState) -> tuple:
        tables = self.layout.neighbours, self._threshold, self._sign
        return state.configuration, state.rng, state.counts, tables


def follow_threshold(strength: float) -> np.uint64:
    """Probability 1 - exp(-2 strength) of following a bond, times 2**64 (the largest word stands for 1)."""
    scaled = -math.expm1(-2 * strength) * 2.0**64
    return np.uint64(min(int(scaled), 2**64 - 1))


@njit(nogil=True, cache=True)
def _flip_cluster(spins, rng, tables, stack):
    """Grow one cluster from a random site and flip it; its size.

    A flipped spin is no longer satisfied with its cluster, so that no mark is needed.
    """
    neighbours, threshold, sign = tables
    n_sites, q = neighbours.shape
    seed = random_site(rng, n_sites)
    spins[seed] = -spins[seed]
    stack[0] = seed
    waiting, size = 1, 1
    while waiting > 0:
        waiting -= 1
        i = stack[waiting]
        partner = -sign * spins[i]  # spins[i] is flipped already; the padding entry, 0, is nobody's partner
        for j in range(q):
            k = neighbours[i, j]
            if spins[k] == partner and next_word(rng) < threshold:
                spins[k] = -spins[k]
                stack[waiting] = k
                waiting += 1
                size += 1
    return size


@njit(nogil=True, cache=True)
def _until_all_visited(spins, rng, counts, tables, n_sweeps):
    """Warm-up sweeps: clusters until n_sites spins are visited (a biased rule): nothing is measured."""
    n_sites = tables[0].shape[0]
    stack = np.empty(n_sites, np.uint32)
    for _ in range(n_sweeps):
        visited = 0
        while visited < n_sites:
            visited += _flip_cluster(spins, rng, tables, stack)
            counts[CLUSTERS] += 1
        counts[VISITED] += visited


@njit(nogil=True, cache=True)
def _sample(spins, rng, counts, tables, mean_clusters, probe, thin, rows, kept):
    stack = np.empty(tables[0].shape[0], np.uint32)
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            n_clusters = clusters.draw_number(rng, mean_clusters)
            for _ in range(n_clusters):
                counts[VISITED] += _flip_cluster(spins, rng, tables, stack)
            counts[CLUSTERS] += n_clusters
        measure_spins(spins, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
