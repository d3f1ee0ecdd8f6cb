# SPDX-License-Identifier: MIT
r"""Swendsen-Wang clusters for Potts and clock models, in a field too.

Potts, J >= 0: every bond between equal states is active with probability 1 - exp(-beta J), and each cluster
takes a new state a with probability ~ exp(-beta sum_{x in c} site_x(a)), all states alike without a field.
Both steps are heat baths of the joint law of states and bonds (Edwards and Sokal).

Else (clock models, J < 0): one reflection R of the states is drawn for the sweep, bonds are active as in
`edgphys.mcmc.states.reflections`, and R acts on each cluster with probability 1 / (1 + exp(beta dE_c)), dE_c
the change of the energies of its sites: one half without a field.

A sweep may find no active bond at all, and then every state can follow at each site (of one reflection two,
and of several sweeps all): the chain is irreducible and aperiodic. Refused, with the reason, where a loop is
frustrated, or the energies of bonds have no such exchanges of states.

Improved estimators (Potts, J >= 0, no field): given the bonds the states of clusters are independent, so that
|m|^2, |m|^4 and the correlators have known averages, those of `edgphys.mcmc.ising.clusters.improved` with
(e_c . e_d)^2 = 1 / (q - 1) on average for different clusters.

References
----------
Swendsen and Wang, Phys. Rev. Lett. 58, 86 (1987), doi:10.1103/PhysRevLett.58.86. Edwards and Sokal, Phys.
Rev. D 38, 2009 (1988), doi:10.1103/PhysRevD.38.2009.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys import _checks
from edgphys.mcmc.core.sampler import CLUSTERS, VISITED, ChainState
from edgphys.mcmc.ising.clusters.growth import follow_threshold, make_links, make_weighed_links
from edgphys.mcmc.ising.clusters.improved import wave_table
from edgphys.mcmc.ising.clusters.labelling import find_roots, link, make_scratch, number_clusters, unite
from edgphys.mcmc.ising.clusters.sweep_length import mean_size
from edgphys.mcmc.ising.clusters.swendsen_wang import measure_clusters
from edgphys.mcmc.random.xoshiro import random_site, uniform
from edgphys.mcmc.states.base import measure_states
from edgphys.mcmc.states.local import chosen
from edgphys.mcmc.states.reflections import AbstractStatesClusters, link_reflected

__all__ = ["StatesSwendsenWang"]

_IMPROVED = ("magnetization_2", "magnetization_4", "correlator_zero")


class StatesSwendsenWang(AbstractStatesClusters):
    """All clusters at once; any field, couplings without frustration.

    Options: ``improved`` (True), estimate |m|^2, |m|^4 and the correlators from the clusters of the last
    sweep of a draw (of Potts models with J >= 0 without a field; else the plain ones are measured).
    """

    name = "swendsen_wang"
    rank = 20
    sweep = "all n_sites sites divided into clusters, and each cluster given a new state"
    defaults = {"improved": True}  # noqa: RUF012  (read only)

    def _check_options(self) -> None:
        _checks.flag(self.options["improved"], "improved")

    def _prepare(self) -> None:
        super()._prepare()
        system = self.system
        # Table of a bond: a number, and another one for equal states.
        strengths = system.bond_weights * (system.bond_table[0, 1] - system.bond_table[0, 0])
        self._by_colour = system.bonds_by_colour and bool((strengths >= 0.0).all())
        sites = system.beta * self._site_rows() if system.has_field else np.empty((0, system.n_states))
        if self._by_colour:
            rule = self._colour_rule(0.5 * system.beta * strengths)
            self._rule = rule, sites
        else:
            self._rule = self._reflecting(), sites
        self._improved = bool(self.options["improved"]) and self._by_colour and not system.has_field
        if self._improved:
            self.improved_columns = (*_IMPROVED, *self._correlators)
        self._waves = wave_table(self.layout) if self._improved else np.ones((1, 1))

    def _colour_rule(self, strengths: np.ndarray) -> tuple:
        """As that of `edgphys.mcmc.ising.clusters.swendsen_wang`: links, thresholds, sign +1, no field."""
        if self.system.pair_weights is None:
            threshold = follow_threshold(float(strengths[0]) if len(strengths) else 0.0)
            return make_links(self.system.lattice, earlier_only=True), threshold, 1, 0.0
        return *make_weighed_links(self.system, True, strengths), 0.0

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        sweeps = _colour_sweeps if self._by_colour else _reflected_sweeps
        sweeps(*self._args(state), n_sweeps)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        return {}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        args = self._args(state)
        if self._by_colour:
            switches = self._improved, len(self._correlators)
            _sample_by_colour(*args, self._probe(), self._waves, switches, thin, rows, kept)
        else:
            _sample_reflected(*args, self._probe(), thin, rows, kept)

    def report(self, states: list[ChainState]) -> dict[str, float]:
        return mean_size(states)

    def _args(self, state: ChainState) -> tuple:
        scratch = make_scratch(self.layout.n_sites, len(self.layout.bonds))
        return state.configuration, state.rng, state.counts, self._rule, scratch


@njit(nogil=True, cache=True)
def _draw_colours(states, rng, parent, sites, q):
    """A state for every cluster, from its sites' energies if there are any; written to the sites."""
    if sites.shape[0] == 0:
        for i in range(parent.size):
            root = parent[i]  # the first site of its cluster
            states[i] = random_site(rng, q) if root == i else states[root]
        return
    costs = np.zeros((parent.size, q))
    for i in range(parent.size):
        for a in range(q):
            costs[parent[i], a] += sites[i if sites.shape[0] > 1 else 0, a]
    for i in range(parent.size):
        root = parent[i]
        if root != i:
            states[i] = states[root]
            continue
        least, total = math.inf, 0.0
        for a in range(q):
            least = min(least, costs[i, a])
        for a in range(q):
            costs[i, a] = math.exp(least - costs[i, a])
            total += costs[i, a]
        states[i] = chosen(costs[i], uniform(rng) * total)


@njit(nogil=True, cache=True)
def _colour_sweeps(states, rng, counts, rule, scratch, n_sweeps):
    """Sweeps by colour; the number of clusters of the last."""
    links, sites = rule
    parent, ones, others, _ = scratch
    n_clusters = 0
    for _ in range(n_sweeps):
        unite(parent, ones, others, link(states, rng, links, scratch))
        n_clusters = find_roots(parent)
        _draw_colours(states, rng, parent, sites, sites.shape[1])
        counts[CLUSTERS] += n_clusters
        counts[VISITED] += parent.size
    return n_clusters


@njit(nogil=True, cache=True)
def _reflected_sweeps(states, rng, counts, rule, scratch, n_sweeps):
    """Sweeps by one reflection each."""
    tables, sites = rule
    parent, ones, others, _ = scratch
    images = tables[3]
    costs, turned = np.empty(parent.size), np.empty(parent.size, np.bool_)
    for _ in range(n_sweeps):
        which = random_site(rng, images.shape[0])
        unite(parent, ones, others, link_reflected(states, rng, tables, which, scratch))
        counts[CLUSTERS] += find_roots(parent)
        counts[VISITED] += parent.size
        for i in range(parent.size):
            costs[i] = 0.0
        if sites.shape[0] > 0:
            for i in range(parent.size):
                row, state = i if sites.shape[0] > 1 else 0, states[i]
                costs[parent[i]] += sites[row, images[which, state]] - sites[row, state]
        for i in range(parent.size):
            root = parent[i]
            if root == i:
                turned[i] = uniform(rng) * (1.0 + math.exp(costs[i])) < 1.0
            if turned[root]:
                states[i] = images[which, states[i]]


@njit(nogil=True, cache=True)
def _sample_by_colour(states, rng, counts, rule, scratch, probe, waves, switches, thin, rows, kept):
    improved, n_correlators = switches
    n_sites, q = states.size - 1, rule[1].shape[1]
    labels, ones = np.zeros(n_sites, np.uint32), np.ones(n_sites, np.int8)
    for draw in range(rows.shape[0]):
        n_clusters = _colour_sweeps(states, rng, counts, rule, scratch, thin)
        row = rows[draw]
        measure_states(states, probe, row, kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
        if improved:
            number_clusters(scratch[0], labels)
            measure_clusters(ones, labels, n_clusters, waves, row[3 : 6 + n_correlators], q - 1)


@njit(nogil=True, cache=True)
def _sample_reflected(states, rng, counts, rule, scratch, probe, thin, rows, kept):
    for draw in range(rows.shape[0]):
        _reflected_sweeps(states, rng, counts, rule, scratch, thin)
        measure_states(states, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
