# SPDX-License-Identifier: MIT
r"""Wolff clusters of rotors: reflections at a random plane, without a field.

With a random unit vector r and a_i = r . S_i, the reflection S_i -> S_i - 2 a_i r changes the sign of a_i
alone: the a_i are an embedded Ising model with couplings K_ij a_i a_j. From a random site, bonds with
K_ij a_i a_j > 0 are followed with probability 1 - exp(-2 K_ij a_i a_j), and the cluster is reflected.
Detailed balance as for Ising spins; every spin is a cluster by itself with positive
probability, for any r, so that all configurations are reached.

Refused, with the reason: in a field (the reflection would need another acceptance step), and where bonds
frustrate a loop (clusters span the lattice there and decorrelate nothing).

One sweep is a number of clusters that visits n_sites spins on average
(`edgphys.mcmc.ising.clusters.sweep_length`).

References
----------
Wolff, Phys. Rev. Lett. 62, 361 (1989), doi:10.1103/PhysRevLett.62.361.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.core.acceptance import follows
from edgphys.mcmc.core.sampler import CLUSTERS, VISITED, ChainState
from edgphys.mcmc.ising.clusters import sweep_length as clusters
from edgphys.mcmc.random.xoshiro import advance_words, random_site, unit_interval
from edgphys.mcmc.rotors.base import AbstractRotorSampler
from edgphys.mcmc.rotors.measure import measure_rotors
from edgphys.mcmc.rotors.site_laws import circle_point

__all__ = ["RotorWolff"]


class RotorWolff(clusters.WolffSweeps, AbstractRotorSampler):
    """Single-cluster updates; field 0, and no frustration."""

    name = "wolff"
    rank = 10
    sweep = "Wolff clusters that visit n_sites spins on average, their mean number frozen after the warm-up"

    @classmethod
    def serves(cls, system) -> str | None:
        if system.site_fields.any():
            return "wolff needs field = 0 (a reflection would change its energy); use 'overrelaxation'"
        if system.order_signs is None:
            return (
                f"wolff needs couplings without frustration (frustrated clusters span the lattice), got a "
                f"loop with an odd number of negative ones in {system!r}; use 'overrelaxation'"
            )
        return None

    def _grow(self, state: ChainState, n_sweeps: int) -> None:
        _until_all_visited(*self._args(state), n_sweeps)

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        _sample(*self._args(state), tuned["clusters_per_sweep"], self._probe(), thin, rows, kept)

    def calls(self, states: list[ChainState]) -> tuple[int, int]:
        visited = sum(int(s.counts[VISITED]) for s in states)
        return math.ceil(visited / self.layout.n_sites), 0

    def _args(self, state: ChainState) -> tuple:
        return state.configuration, state.rng, state.counts, self._tables[:2]


@njit(nogil=True, cache=True)
def _direction(solid, s0, s1, s2, s3):
    """A unit vector, uniform on the circle or on the sphere, and the state of the generator."""
    x, y, s0, s1, s2, s3 = circle_point(s0, s1, s2, s3)
    if not solid:
        return x, y, 0.0, s0, s1, s2, s3
    word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
    z = 2.0 * unit_interval(word) - 1.0
    across = math.sqrt(1.0 - z * z)
    return across * x, across * y, z, s0, s1, s2, s3


@njit(nogil=True, cache=True)
def _flip_cluster(spins, rng, tables, members, along):
    """Grow one cluster from a random site and reflect it; its size.

    ``members[:size]`` are its sites, and `along` what r . S is there now. A reflected spin is no longer
    satisfied with its cluster, so that no mark is needed.
    """
    neighbours, couplings = tables
    n_sites, q = neighbours.shape
    solid = spins.shape[1] == 3
    seed = random_site(rng, n_sites)
    s0, s1, s2, s3 = rng[0], rng[1], rng[2], rng[3]
    rx, ry, rz, s0, s1, s2, s3 = _direction(solid, s0, s1, s2, s3)
    members[0] = seed
    a = rx * spins[seed, 0] + ry * spins[seed, 1] + (rz * spins[seed, 2] if solid else 0.0)
    spins[seed, 0] -= 2.0 * a * rx
    spins[seed, 1] -= 2.0 * a * ry
    if solid:
        spins[seed, 2] -= 2.0 * a * rz
    along[0] = -a
    size, done = 1, 0
    while done < size:
        i, mine = members[done], -2.0 * along[done]
        done += 1
        for j in range(q):
            k = neighbours[i, j]
            a = rx * spins[k, 0] + ry * spins[k, 1] + (rz * spins[k, 2] if solid else 0.0)
            bond = mine * couplings[i, j] * a
            if bond > 0.0:
                word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
                if follows(unit_interval(word), bond):
                    spins[k, 0] -= 2.0 * a * rx
                    spins[k, 1] -= 2.0 * a * ry
                    if solid:
                        spins[k, 2] -= 2.0 * a * rz
                    members[size], along[size] = k, -a
                    size += 1
    rng[0], rng[1], rng[2], rng[3] = s0, s1, s2, s3
    return size


@njit(nogil=True, cache=True)
def _until_all_visited(spins, rng, counts, tables, n_sweeps):
    """Warm-up sweeps: clusters until n_sites spins are visited (a biased rule): nothing is measured."""
    n_sites = spins.shape[0] - 1
    members, along = np.empty(n_sites, np.uint32), np.empty(n_sites)
    for _ in range(n_sweeps):
        visited = 0
        while visited < n_sites:
            visited += _flip_cluster(spins, rng, tables, members, along)
            counts[CLUSTERS] += 1
        counts[VISITED] += visited


@njit(nogil=True, cache=True)
def _sample(spins, rng, counts, tables, mean_clusters, probe, thin, rows, kept):
    n_sites = spins.shape[0] - 1
    members, along = np.empty(n_sites, np.uint32), np.empty(n_sites)
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            n_clusters = clusters.draw_number(rng, mean_clusters)
            for _ in range(n_clusters):
                counts[VISITED] += _flip_cluster(spins, rng, tables, members, along)
            counts[CLUSTERS] += n_clusters
        measure_rotors(spins, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
