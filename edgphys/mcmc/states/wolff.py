# SPDX-License-Identifier: MIT
"""Wolff clusters for Potts and clock models without a field.

From a random site a cluster is grown by a reflection that moves its state, see
`edgphys.mcmc.states.reflections`: of a Potts model the sites of one colour take another, with bonds followed
with probability 1 - exp(-beta J); of a clock model they are reflected. As many reflections move one state as
any other, and those that move it move its image, so that each is chosen as often for the way back. Every
single site is a cluster with positive probability, and reflections lead from any state to any other: all
configurations are reached.

Refused, with the reason: in a field, where a loop is frustrated, and where the energies of bonds have no such
reflections. One sweep is a number of clusters that visits n_sites sites on average
(`edgphys.mcmc.ising.clusters.sweep_length`).

References
----------
U. Wolff, Phys. Rev. Lett. 62, 361 (1989), doi:10.1103/PhysRevLett.62.361.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from edgphys.mcmc.core.sampler import CLUSTERS, VISITED, ChainState
from edgphys.mcmc.ising.clusters import sweep_length as clusters
from edgphys.mcmc.states.base import measure_states
from edgphys.mcmc.states.reflections import AbstractStatesClusters, flip_cluster, why_no_clusters

__all__ = ["StatesWolff"]


class StatesWolff(clusters.WolffSweeps, AbstractStatesClusters):
    """Single-cluster updates; no field, and couplings without frustration."""

    name = "wolff"
    rank = 10
    sweep = "Wolff clusters that visit n_sites sites on average, their mean number frozen after the warm-up"

    @classmethod
    def serves(cls, system) -> str | None:
        if system.has_field:
            return (
                "wolff needs sites without energies of their own (a cluster would change them), got a field "
                f"in {system!r}; use 'metropolis' or 'swendsen_wang'"
            )
        return why_no_clusters(system, cls.name)

    def _prepare(self) -> None:
        super()._prepare()
        self._tables = self._reflecting()

    def _grow(self, state: ChainState, n_sweeps: int) -> None:
        _until_all_visited(*self._args(state), n_sweeps)

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        _sample(*self._args(state), tuned["clusters_per_sweep"], self._probe(), thin, rows, kept)

    def _args(self, state: ChainState) -> tuple:
        scratch = np.empty(self.layout.n_sites, np.uint32), np.zeros(self.layout.n_sites + 1, np.bool_)
        return state.configuration, state.rng, state.counts, self._tables, scratch


@njit(nogil=True, cache=True)
def _until_all_visited(states, rng, counts, tables, scratch, n_sweeps):
    """Warm-up sweeps: clusters until n_sites sites are visited (a biased rule): nothing is measured."""
    members, inside = scratch
    for _ in range(n_sweeps):
        visited = 0
        while visited < states.size - 1:
            visited += flip_cluster(states, rng, tables, members, inside)
            counts[CLUSTERS] += 1
        counts[VISITED] += visited


@njit(nogil=True, cache=True)
def _sample(states, rng, counts, tables, scratch, mean_clusters, probe, thin, rows, kept):
    members, inside = scratch
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            n_clusters = clusters.draw_number(rng, mean_clusters)
            for _ in range(n_clusters):
                counts[VISITED] += flip_cluster(states, rng, tables, members, inside)
            counts[CLUSTERS] += n_clusters
        measure_states(states, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
