# SPDX-License-Identifier: MIT
r"""Swendsen-Wang clusters for the Ising model, in a field too.

Every satisfied bond (J s_i s_j > 0) is made active with probability 1 - exp(-2 beta |J|); the sites joined by
active bonds form clusters; each cluster takes a new sign. Spins and bonds together have the weight (Edwards
and Sokal)

    prod_<ij> [ exp(-beta |J|) (bond inactive)  or  2 sinh(beta |J|) (active and satisfied) ]
        * prod_c exp(beta h M_c),      M_c = sum_{x in c} s_x ,

whose marginal in the spins is exp(-beta H). The sweep draws the bonds given the spins, then the signs given
the bonds, where a cluster is turned over with probability 1 / (1 + exp(2 beta h M_c)), one half without a
field. (Bonds to a ghost spin would do it with probability min(1, exp(-2 beta h M_c)) / 2, less often.) Both
steps are heat baths, so exp(-beta H) is stationary; a sweep may find no active bond at all, and then every
state can follow, so the chain is irreducible and aperiodic. For J < 0 on a bipartite lattice the spins of a
cluster alternate, and M_c is their signed sum.

With couplings and fields of bonds and sites of their own, each bond has its own probability, and M_c h is the
sum of h_x s_x.

Refused, with the reason, for J < 0 on a lattice that is not bipartite, or where a loop is frustrated.

How clusters are found is in `edgphys.mcmc.ising.clusters.labelling`.

References
----------
Swendsen and Wang, Phys. Rev. Lett. 58, 86 (1987), doi:10.1103/PhysRevLett.58.86. Edwards and Sokal, Phys.
Rev. D 38, 2009 (1988), doi:10.1103/PhysRevD.38.2009.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, types, uint32, uint64
from numba.extending import overload

from edgphys.mcmc.core.sampler import CLUSTERS, VISITED, ChainState
from edgphys.mcmc.ising.base import measure_spins
from edgphys.mcmc.ising.bits.waves import count_bits
from edgphys.mcmc.ising.clusters.base import AbstractClusterSampler
from edgphys.mcmc.ising.clusters.growth import why_no_clusters
from edgphys.mcmc.ising.clusters.improved import add_wave_power, correlate, label_sums
from edgphys.mcmc.ising.clusters.labelling import (
    begins_at,
    bonds_of,
    find_roots,
    label_sites,
    link,
    make_runs,
    run_from,
)
from edgphys.mcmc.ising.clusters.words import make_words, pack_spins, unpack_spins
from edgphys.mcmc.random.xoshiro import next_word, uniform

__all__ = ["IsingSwendsenWang", "measure_clusters"]

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_S6, _LOW6 = np.uint64(6), np.uint64(63)


class IsingSwendsenWang(AbstractClusterSampler):
    """All clusters at once; any field, and coupling >= 0 or a bipartite lattice.

    Options: ``improved`` (True), estimate m^2, m^4 and the correlators from the clusters of the last sweep of
    a draw (without a field; in a field the plain ones are measured, whatever the option); ``correlation``
    (False), also measure <s_x s_y> along the axes.
    """

    name = "swendsen_wang"
    rank = 20
    sweep = "all n_sites spins divided into clusters, and each cluster given a new sign"
    defaults = {"improved": True, "correlation": False}  # noqa: RUF012  (read only)

    @classmethod
    def serves(cls, system) -> str | None:
        return why_no_clusters(system, cls.name)

    def _prepare(self) -> None:
        self._prepare_columns(("magnetization_2", "magnetization_4", "correlator_zero"))
        system, beta = self.system, self.system.beta
        field = 2.0 * beta * system.field if system.is_uniform else 2.0 * beta * system.site_fields
        # No field is a number: the sums over clusters are left out then.
        bonds, self._n_groups = bonds_of(system, beta * system.bond_couplings)
        self._rule = bonds, field if np.any(field) else 0.0

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        _sweeps(*self._args(state), n_sweeps)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        return {}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        _sample(*self._args(state), self._measures(), thin, rows, kept)

    def sweep_each(self, chains: ChainState, tuned: dict[str, float], kept) -> None:
        _sweep_each(*self._args(chains), kept)

    def _args(self, state: ChainState) -> tuple:
        n_sites = self.layout.n_sites
        turns = np.empty(n_sites // 64 + 1, np.uint64)
        scratch = make_words(n_sites), make_runs(n_sites, self._n_groups), turns
        return state.configuration, state.rng, state.counts, self._rule, scratch


def _draw_turns(words, rng, runs, n_runs, turns, field):
    """Heat bath: the bit of every root in `turns` says whether its cluster is turned over."""
    raise NotImplementedError  # compiled only, by what fields are


@overload(_draw_turns)
def _typed_draw_turns(words, rng, runs, n_runs, turns, field):
    draw = _draw_turns_by_site if isinstance(field, types.Array) else _draw_turns_alike
    return lambda words, rng, runs, n_runs, turns, field: draw(words, rng, runs, n_runs, turns, field)


@njit(nogil=True, cache=True)
def _draw_turns_by_site(words, rng, runs, n_runs, turns, fields):
    """As `_draw_turns_alike`, with a field for each site."""
    costs, run = np.zeros(n_runs), np.int64(-1)
    for i in range(fields.size):
        place, bit = (i >> 6) + 1, uint64(i & 63)
        run += begins_at(runs, i)
        costs[runs.parent[run]] += fields[i] if (words[place] >> bit) & _ONE else -fields[i]
    _turn_at(rng, runs, turns, costs)


@njit(nogil=True, cache=True)
def _draw_turns_alike(words, rng, runs, n_runs, turns, field):
    """Heat bath: the bit of every root in `turns` says whether its cluster is turned over."""
    if field == 0.0:
        for w in range((n_runs + 63) // 64):
            turns[w] = next_word(rng)
        return
    costs, run = np.zeros(n_runs), 0
    for w in range(runs.sites.size):
        left = runs.starts[w + 1]
        while left != _ZERO:
            first = left & (_ZERO - left)
            left ^= first
            members = run_from(first, left) & runs.sites[w]
            excess = 2 * count_bits(members & words[w + 1]) - count_bits(members)
            costs[runs.parent[run]] += field * excess
            run += 1
    _turn_at(rng, runs, turns, costs)


@njit(nogil=True, cache=True)
def _turn_at(rng, runs, turns, costs):
    """Turn clusters over whose turning costs so much, in units of the temperature; a place for each run."""
    turns[:] = _ZERO
    for run in range(costs.size):
        if runs.parent[run] == run and uniform(rng) * (1.0 + math.exp(costs[run])) < 1.0:
            turns[run >> 6] |= _ONE << uint64(run & 63)


@njit(nogil=True, cache=True)
def _turn_over(words, runs, turns):
    """Turn the spins of the clusters whose root has its bit in `turns`."""
    run = _ZERO
    for w in range(1, words.size - 1):
        left, turned = runs.starts[w], _ZERO
        while left != _ZERO:
            first = left & (_ZERO - left)
            left ^= first
            root = uint64(runs.parent[run])
            run += _ONE
            turned |= run_from(first, left) & (_ZERO - ((turns[root >> _S6] >> (root & _LOW6)) & _ONE))
        words[w] ^= turned


@njit(nogil=True, cache=True)
def _sweeps(spins, rng, counts, rule, scratch, n_sweeps):
    """Sweeps; the number of clusters of the last, whose roots are in the scratch."""
    planes, runs, turns = scratch
    bonds, field = rule
    pack_spins(spins, planes[0])
    n_clusters = 0
    for _ in range(n_sweeps):
        n_runs = link(planes, rng, bonds, runs)
        n_clusters = find_roots(runs.parent[:n_runs])
        _draw_turns(planes[0], rng, runs, n_runs, turns, field)
        _turn_over(planes[0], runs, turns)
        counts[CLUSTERS] += n_clusters
        counts[VISITED] += spins.size - 1
    unpack_spins(planes[0], spins)
    return n_clusters


@njit(nogil=True, cache=True)
def _sweep_each(spins, rng, counts, rule, scratch, kept):
    for k in range(spins.shape[0]):
        _sweeps(spins[k], rng[k], counts[k], rule, scratch, 1)
        kept[k] = spins[k, :-1]


@njit(nogil=True, cache=True)
def measure_clusters(spins, labels, n_clusters, waves, row, n_components=1):
    """m^2, m^4, correlator_zero and the other correlators of the clusters into `row`; see `improved`.

    With several components the clusters have unit vectors, independent ones, with (e_c . e_d)^2 =
    1 / n_components on average.
    """
    n_sites = labels.size
    sums = label_sums(spins, labels, n_clusters, waves)
    squares, fourths = 0.0, 0.0
    row[3:] = 0.0
    for c in range(n_clusters):
        square = sums[c, 0] ** 2
        squares += square
        fourths += square**2
        add_wave_power(sums[c], 1, row[3:])
    row[0] = squares / n_sites**2
    crossed = 2.0 / n_components
    row[1] = ((1.0 + crossed) * squares**2 - crossed * fourths) / float(n_sites) ** 4
    row[2] = squares / n_sites
    row[3:] /= n_sites


@njit(nogil=True, cache=True)
def _sample(spins, rng, counts, rule, scratch, measures, thin, rows, kept):
    probe, waves, blocks, (improved, n_distances, n_correlators) = measures
    n_sites = spins.size - 1
    labels = np.zeros(n_sites, np.uint32)
    for draw in range(rows.shape[0]):
        n_clusters = _sweeps(spins, rng, counts, rule, scratch, thin)
        row = rows[draw]
        measure_spins(spins, probe, row, kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
        if improved:
            label_sites(scratch[1], labels)
            measure_clusters(spins, labels, n_clusters, waves, row[2 : 5 + n_correlators])
        if n_distances > 0:  # the labels stay 0 for the plain estimator
            signed = (labels + uint32(1)).astype(np.int32) * spins[:n_sites]
            correlate(signed.astype(np.int32), blocks, row[row.size - n_distances :])
