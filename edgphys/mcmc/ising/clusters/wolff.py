# SPDX-License-Identifier: MIT
"""Wolff clusters for the Ising model without a field.

From a random site, satisfied bonds (J s_i s_j > 0) are followed with probability 1 - exp(-2 beta |J|), and
the cluster is flipped. For J > 0 clusters are of one sign; for J < 0 on a bipartite lattice they are those
of the ferromagnet that the map s -> s * bipartition makes of it. Detailed balance: the bonds not followed
across the boundary of the cluster have exactly the Boltzmann weight that the flip exchanges (Wolff, eq. 4).
Every single site is a cluster with positive probability, so all states are reached.

Refused, with the reason: in a field (the flip would need another acceptance step), and for J < 0 on a
lattice that is not bipartite (clusters there span the lattice far above any ordering and decorrelate
nothing). Bonds with couplings of their own are followed with their own probabilities, and refused where a
loop of them is frustrated.

Where the clusters of the warm-up are large, they are grown by words of 64 sites
(`edgphys.mcmc.ising.clusters.wolff_words`): the same law, in half the time.

One sweep is a number of clusters that visits n_sites spins on average
(`edgphys.mcmc.ising.clusters.sweep_length`).

References
----------
Wolff, Phys. Rev. Lett. 62, 361 (1989), doi:10.1103/PhysRevLett.62.361.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types, uint32, uint64
from numba.extending import overload

from edgphys.mcmc.core.sampler import CLUSTERS, VISITED, ChainState
from edgphys.mcmc.ising.base import measure_spins
from edgphys.mcmc.ising.clusters import sweep_length as clusters
from edgphys.mcmc.ising.clusters import wolff_words as words
from edgphys.mcmc.ising.clusters.base import AbstractClusterSampler
from edgphys.mcmc.ising.clusters.growth import (
    follow_threshold,
    followed_bits,
    make_links,
    make_weighed_links,
    why_no_clusters,
)
from edgphys.mcmc.ising.clusters.improved import add_wave_power, correlate, member_sums, pairs_in_cluster
from edgphys.mcmc.ising.clusters.words import make_word_bonds
from edgphys.mcmc.random.xoshiro import next_word, random_site
from edgphys.systems.lattice.couplings import coupling_words

__all__ = ["IsingWolff", "why_not_wolff"]

_ZERO, _ONE = np.uint64(0), np.uint64(1)


def why_not_wolff(system) -> str | None:
    """Why Wolff clusters do not apply to this Ising system; None if they do."""
    if system.site_fields.any():
        came = coupling_words(system.parameters[system.field_name])
        return (
            f"wolff needs {system.field_name} = 0 (a flip would change the field energy), got {came}; "
            "use 'metropolis' or 'swendsen_wang'"
        )
    return why_no_clusters(system, "wolff")


class IsingWolff(clusters.WolffSweeps, AbstractClusterSampler):
    """Single-cluster updates; field 0, and coupling >= 0 or a bipartite lattice.

    Options: ``improved`` (False), estimate m^2 and the correlators from the clusters of the last sweep of a
    draw; ``correlation`` (False), also measure <s_x s_y> along the axes. The few clusters of a sweep estimate
    m^2 much better than the spins do where clusters are small (64x64, T = 2.6: 37 times as many independent
    draws in the same time), somewhat worse at T_c (0.7 times), and badly below, where it matters whether a
    cluster happens to be the large one: hence off unless asked for.
    """

    name = "wolff"
    rank = 10
    sweep = "Wolff clusters that visit n_sites spins on average, their mean number frozen after the warm-up"
    defaults = {"improved": False, "correlation": False}  # noqa: RUF012  (read only)

    @classmethod
    def serves(cls, system) -> str | None:
        return why_not_wolff(system)

    def _prepare(self) -> None:
        self._prepare_columns(("magnetization_2", "correlator_zero"))
        system, bonds = self.system, None
        if system.n_sites >= words.LEAST_SIZE and not self._improved:
            bonds = make_word_bonds(system.lattice, system.beta * system.bond_couplings)
        self._words = None if bonds is None else (bonds, words.make_bridges(bonds))
        if not system.is_uniform:
            self._tables = make_weighed_links(system)
            return
        threshold = follow_threshold(system.beta * abs(system.coupling))
        self._tables = make_links(system.lattice), threshold, self._sign()

    def _grow(self, state: ChainState, n_sweeps: int) -> None:
        _until_all_visited(*self._args(state), n_sweeps)

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        n_sites, how = self.layout.n_sites, (tuned["clusters_per_sweep"], self._measures(), thin, rows, kept)
        if self._words is not None and n_sites >= words.LEAST_SIZE * tuned["clusters_per_sweep"]:
            arrays = state.configuration, state.rng, state.counts
            growth = words.make_growth(n_sites, *self._words)
            words.sample(*arrays, self._words[0], growth, *how)
        else:
            _sample(*self._args(state), *how)

    def sweep_each(self, chains: ChainState, tuned: dict[str, float], kept) -> None:
        _sweep_each(*self._args(chains), tuned["clusters_per_sweep"], kept)

    def _args(self, state: ChainState) -> tuple:
        queue = np.empty(self.layout.n_sites + 1, np.uint32)
        scratch = queue, np.zeros(2, np.uint64)
        return state.configuration, state.rng, state.counts, self._tables, scratch


@njit(nogil=True, cache=True)
def _flip_cluster(spins, rng, tables, scratch):
    """One cluster grown from a random site and flipped; its size. ``queue[:size]`` are its members."""
    return _flip(spins, rng, tables, scratch)


def _flip(spins, rng, tables, scratch):
    raise NotImplementedError  # compiled only, by what couplings are


@overload(_flip)
def _typed_flip(spins, rng, tables, scratch):
    flip = _flip_weighed if isinstance(tables[1], types.Array) else _flip_equal
    return lambda spins, rng, tables, scratch: flip(spins, rng, tables, scratch)


@njit(nogil=True, cache=True)
def _flip_weighed(spins, rng, tables, scratch):
    """As `_flip_equal`, where every bond has a coupling of its own."""
    (neighbours, degrees), thresholds, signs = tables
    queue, _ = scratch
    seed = random_site(rng, degrees.size)
    spins[seed] = -spins[seed]
    queue[0] = seed
    head, end = 0, 1
    while head < end:
        i = queue[head]
        head += 1
        for j in range(degrees[i]):
            k = neighbours[i, j]
            # spins[i] is flipped already: what is not satisfied now was before.
            if spins[k] == -signs[i, j] * spins[i] and next_word(rng) < thresholds[i, j]:
                spins[k] = -spins[k]
                queue[end] = k
                end += 1
    return end


@njit(nogil=True, cache=True)
def _flip_equal(spins, rng, tables, scratch):
    """Grow one cluster from a random site and flip it; its size. ``queue[:size]`` are its members.

    A flipped spin is no longer satisfied with its cluster, so that no mark is needed. First in, first out:
    what is taken next was written long ago, so that the loads of several members overlap. Every neighbour is
    written to the end of the queue, which moves on by 0 or 1: a branch would be mispredicted. So the queue
    has one place more than there are sites. `spare` holds the random bits that are left over, and how many.
    """
    (classes, steps, degrees), threshold, sign = tables
    queue, spare = scratch
    bits, left = spare[0], np.int64(spare[1])
    q = steps.shape[1]
    seed = random_site(rng, classes.size)
    spins[seed] = -spins[seed]
    queue[0] = seed
    head, end = _ZERO, _ONE
    while head < end:
        i = queue[head]
        head += _ONE
        if left < q:
            bits, left = followed_bits(rng, threshold), 64
        left -= q
        partner = -sign * spins[i]  # spins[i] is flipped already
        kind = classes[i]
        for j in range(degrees[kind]):
            k = uint32(i + steps[kind, j])
            spin = spins[k]
            joins = (spin == partner) & (bits & _ONE != _ZERO)
            bits >>= _ONE
            spins[k] = -spin if joins else spin
            queue[end] = k
            end += uint64(joins)
    spare[0], spare[1] = bits, uint64(left)
    return np.int64(end)


@njit(nogil=True, cache=True)
def _until_all_visited(spins, rng, counts, tables, scratch, n_sweeps):
    """Warm-up sweeps: clusters until n_sites spins are visited (a biased rule): nothing is measured."""
    n_sites = spins.size - 1
    for _ in range(n_sweeps):
        visited = 0
        scratch[1][:] = _ZERO  # a sweep does not depend on where the run was cut
        while visited < n_sites:
            visited += _flip_cluster(spins, rng, tables, scratch)
            counts[CLUSTERS] += 1
        counts[VISITED] += visited


@njit(nogil=True, cache=True)
def _sweep(spins, rng, counts, tables, scratch, mean_clusters):
    n_clusters = clusters.draw_number(rng, mean_clusters)
    scratch[1][:] = _ZERO
    for _ in range(n_clusters):
        counts[VISITED] += _flip_cluster(spins, rng, tables, scratch)
    counts[CLUSTERS] += n_clusters


@njit(nogil=True, cache=True)
def _sweep_each(spins, rng, counts, tables, scratch, mean_clusters, kept):
    for k in range(spins.shape[0]):
        _sweep(spins[k], rng[k], counts[k], tables, scratch, mean_clusters)
        kept[k] = spins[k, :-1]


@njit(nogil=True, cache=True)
def _measured_sweep(spins, rng, counts, tables, scratch, mean_clusters, measures, inside, row):
    """A `_sweep` whose clusters give row[2:]: their means, since their number does not depend on them."""
    _, waves, blocks, (_, n_distances, n_correlators) = measures
    n_clusters = clusters.draw_number(rng, mean_clusters)
    scratch[1][:] = _ZERO
    row[2:] = 0.0
    pairs = np.empty(n_distances)
    for _ in range(n_clusters):
        size = _flip_cluster(spins, rng, tables, scratch)
        members = scratch[0][:size]
        sums = member_sums(spins, members, waves)
        row[3] += sums[0] ** 2 / size
        add_wave_power(sums, size, row[4 : 4 + n_correlators])
        if n_distances > 0:
            for i in members:
                inside[i] = spins[i]
            pairs_in_cluster(inside, members, blocks, pairs)
            row[row.size - n_distances :] += pairs
            for i in members:
                inside[i] = 0
        counts[VISITED] += size
    counts[CLUSTERS] += n_clusters
    row[2:] /= n_clusters
    row[2] = row[3] / (spins.size - 1)


@njit(nogil=True, cache=True)
def _sample(spins, rng, counts, tables, scratch, mean_clusters, measures, thin, rows, kept):
    probe, _, blocks, (improved, n_distances, _) = measures
    n_sites = spins.size - 1
    inside = np.zeros(n_sites, np.int32)
    for draw in range(rows.shape[0]):
        row = rows[draw]
        for _ in range(thin - 1 if improved else thin):
            _sweep(spins, rng, counts, tables, scratch, mean_clusters)
        if improved:
            _measured_sweep(spins, rng, counts, tables, scratch, mean_clusters, measures, inside, row)
        measure_spins(spins, probe, row, kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
        if n_distances > 0 and not improved:
            correlate(spins[:n_sites].astype(np.int32), blocks, row[row.size - n_distances :])
