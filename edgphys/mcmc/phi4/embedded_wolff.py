# SPDX-License-Identifier: MIT
"""Embedded Wolff clusters for phi^4: the signs by clusters, the moduli by local updates.

At fixed |phi| the signs are an Ising model with couplings 2 hop |phi_i phi_j|. A cluster follows a satisfied
bond (hop phi_i phi_j > 0) with probability 1 - exp(-4 hop phi_i phi_j) and its field is negated; satisfied
bonds only, so either sign of hop is exact, also where the lattice frustrates it (an odd ring with hop < 0).
Clusters alone never change |phi|: each sweep starts with local Metropolis sweeps, which make the chain
ergodic, and with reflections (`edgphys.mcmc.phi4.reflections`), which decorrelate phi^2 several times
faster than more of the former would, at a fraction of their time.

One sweep is `n_local` times `n_over` sweeps of reflections and a Metropolis sweep, and then a number of
clusters that visits n_sites spins on average (`edgphys.mcmc.ising.clusters.sweep_length`).

References
----------
Brower and Tamayo, Phys. Rev. Lett. 62, 1087 (1989), doi:10.1103/PhysRevLett.62.1087.
Wolff, Phys. Rev. Lett. 62, 361 (1989), doi:10.1103/PhysRevLett.62.361.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from edgphys import _checks
from edgphys.mcmc.core.acceptance import follows
from edgphys.mcmc.core.sampler import CLUSTERS, VISITED, ChainState
from edgphys.mcmc.core.spectrum import keep_configuration
from edgphys.mcmc.ising.clusters import sweep_length as clusters
from edgphys.mcmc.phi4.base import measure_field
from edgphys.mcmc.phi4.reflections import AbstractPhi4Reflecting, cycle, tuning_cycle
from edgphys.mcmc.random.xoshiro import advance_words, random_site, unit_interval

__all__ = ["Phi4EmbeddedWolff"]


class Phi4EmbeddedWolff(AbstractPhi4Reflecting):
    """Sign clusters and local updates; any lattice and couplings.

    Options: ``n_local``, local Metropolis sweeps in each sweep, at least 1; ``n_over``, mean number of
    sweeps of reflections before each of these, at least 0.
    """

    name = "embedded_wolff"
    rank = 30
    sweep = (
        "n_local times n_over sweeps of n_sites reflections and one of n_sites Metropolis updates, then sign "
        "clusters that visit n_sites spins on average, their mean number frozen after the warm-up"
    )
    defaults = {"n_local": 1, "n_over": 1}  # noqa: RUF012  (read only)

    def _check_options(self) -> None:
        for name, least in (("n_local", 1), ("n_over", 0)):
            _checks.count(self.options[name], name, least)

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        half = max(first, n_total // 2)
        args, n_over = self._args(state), int(self.options["n_over"])
        _warm_up(*args, state.tuning, n_over, max(0, min(half - first, n_sweeps)))
        before = state.counts.copy()
        _warm_up(*args, state.tuning, n_over, max(0, min(first + n_sweeps - half, n_sweeps)))
        clusters.remember(state, before)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        n_clusters = clusters.mean_number(states, self.layout.n_sites)
        return super().freeze(states) | {"clusters_per_sweep": n_clusters}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        _sample(*self._args(state), self._steps(tuned), self._probe(), thin, rows, kept)

    def sweep_each(self, chains: ChainState, tuned: dict[str, float], kept) -> None:
        _sweep_each(*self._args(chains), self._steps(tuned), self.layout.order, kept)

    def _steps(self, tuned: dict[str, float]) -> tuple:
        numbers_of = int(self.options["n_local"]), int(self.options["n_over"]), tuned["clusters_per_sweep"]
        return tuned["width"], tuned["slope"], *numbers_of

    def report(self, states: list[ChainState]) -> dict[str, float]:
        return super().report(states) | clusters.mean_size(states)


@njit(nogil=True, cache=True)
def _flip_cluster(phi, rng, neighbours, hop, members, inside):
    """Grow one cluster from a random site and negate its field; its size.

    `inside` marks the members and is all False before and after. Marks are needed here: on a lattice that
    frustrates the bonds a member may be unsatisfied with another one, which a negated field would hide.
    """
    n_sites, q = neighbours.shape
    members[0] = random_site(rng, n_sites)
    inside[members[0]] = True
    s0, s1, s2, s3 = rng[0], rng[1], rng[2], rng[3]
    size, done = 1, 0
    while done < size:
        i = members[done]
        done += 1
        for j in range(q):
            k = neighbours[i, j]
            bond = 4.0 * hop * phi[i] * phi[k]  # 0 for the padding entry
            if bond > 0.0 and not inside[k]:
                word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
                if follows(unit_interval(word), bond):
                    inside[k] = True
                    members[size] = k
                    size += 1
    rng[0], rng[1], rng[2], rng[3] = s0, s1, s2, s3
    for m in range(size):
        i = members[m]
        phi[i] = -phi[i]
        inside[i] = False
    return size


@njit(nogil=True, cache=True)
def _warm_up(phi, rng, counts, neighbours, action, tuning, n_over, n_sweeps):
    """Tuning: clusters until n_sites sites are visited, a biased stopping rule; nothing is measured."""
    n_sites = neighbours.shape[0]
    members, inside = np.empty(n_sites, np.uint32), np.zeros(n_sites + 1, np.bool_)
    for _ in range(n_sweeps):
        tuning_cycle(phi, rng, counts, neighbours, action, tuning, n_over)
        visited = 0
        while visited < n_sites:
            visited += _flip_cluster(phi, rng, neighbours, action[0], members, inside)
            counts[CLUSTERS] += 1
        counts[VISITED] += visited


@njit(nogil=True, cache=True)
def _sweep(phi, rng, counts, neighbours, action, steps, members, inside):
    """One sweep; `members` and `inside` as for `_flip_cluster`."""
    width, slope, n_local, n_over, mean_clusters = steps
    for _ in range(n_local):
        cycle(phi, rng, counts, neighbours, action, (width, slope), n_over)
    n_clusters = clusters.draw_number(rng, mean_clusters)
    for _ in range(n_clusters):
        counts[VISITED] += _flip_cluster(phi, rng, neighbours, action[0], members, inside)
    counts[CLUSTERS] += n_clusters


@njit(nogil=True, cache=True)
def _sweep_each(phi, rng, counts, neighbours, action, steps, order, kept):
    n_sites = neighbours.shape[0]
    members, inside = np.empty(n_sites, np.uint32), np.zeros(n_sites + 1, np.bool_)
    for k in range(phi.shape[0]):
        _sweep(phi[k], rng[k], counts[k], neighbours, action, steps, members, inside)
        keep_configuration(phi[k], order, kept[k])


@njit(nogil=True, cache=True)
def _sample(phi, rng, counts, neighbours, action, steps, probe, thin, rows, kept):
    n_sites = neighbours.shape[0]
    members, inside = np.empty(n_sites, np.uint32), np.zeros(n_sites + 1, np.bool_)
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            _sweep(phi, rng, counts, neighbours, action, steps, members, inside)
        measure_field(phi, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
