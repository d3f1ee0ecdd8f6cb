# SPDX-License-Identifier: MIT
"""How many clusters make one sweep, for the cluster algorithms.

A sweep is to visit n_sites spins on average. It must not stop because it has: a number of clusters that
depends on the clusters just grown biases the draw. So the mean cluster size is measured in the second half
of the warm-up, and from then on the number of clusters in a sweep is ``max(1, floor(n - 1/2 + 2 u))``, u
uniform in [0, 1), n = n_sites / mean size: its mean is n (up to n + 1/4 for n < 3/2, since a draw without a
cluster would have nothing to estimate from), and it takes at least two values, so that flips of certain
clusters (one spin at J = 0, the whole lattice at temperature 0) do not make the chain periodic.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np
from numba import njit

from edgphys.mcmc.core.sampler import CLUSTERS, VISITED, AbstractLatticeSampler, ChainState
from edgphys.mcmc.random.xoshiro import uniform

__all__ = ["WolffSweeps", "draw_number", "mean_number", "mean_size", "remember"]

# Places in ChainState.tuning.
_VISITED, _CLUSTERS = 6, 7


@njit(nogil=True, cache=True)
def draw_number(rng, mean):
    """Number of clusters in one sweep, at least 1; for `mean` >= 3/2 that is its mean."""
    return max(1, math.floor(mean - 0.5 + 2.0 * uniform(rng)))


def remember(state: ChainState, counts_before: np.ndarray) -> None:
    """Add the clusters since `counts_before` to the memory of the warm-up."""
    state.tuning[_VISITED] += state.counts[VISITED] - counts_before[VISITED]
    state.tuning[_CLUSTERS] += state.counts[CLUSTERS] - counts_before[CLUSTERS]


def mean_number(states: list[ChainState], n_sites: int) -> float:
    """Clusters a sweep, pooled over chains; 1 when there was no warm-up to learn from."""
    visited = sum(float(s.tuning[_VISITED]) for s in states)
    clusters = sum(float(s.tuning[_CLUSTERS]) for s in states)
    return n_sites * clusters / visited if visited else 1.0


def mean_size(states: list[ChainState]) -> dict[str, float]:
    """Mean size of all clusters grown, as samplers report it; nothing if there are none."""
    grown = sum(int(s.counts[CLUSTERS]) for s in states)
    return {"mean_cluster_size": sum(int(s.counts[VISITED]) for s in states) / grown} if grown else {}


class WolffSweeps(AbstractLatticeSampler):
    """A sampler whose sweep is a number of single clusters, found in the warm-up."""

    @abstractmethod
    def _grow(self, state: ChainState, n_sweeps: int) -> None:
        """Sweeps of the warm-up: clusters until n_sites spins are visited (a biased rule)."""

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        half = max(first, n_total // 2)
        self._grow(state, max(0, min(half - first, n_sweeps)))
        before = state.counts.copy()
        self._grow(state, max(0, min(first + n_sweeps - half, n_sweeps)))
        remember(state, before)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        return {"clusters_per_sweep": mean_number(states, self.layout.n_sites)}

    def report(self, states: list[ChainState]) -> dict[str, float]:
        return mean_size(states)
