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
from numba import njit, uint64

from edgphys import _checks
from edgphys.mcmc.core.sampler import CLUSTERS, VISITED, ChainState
from edgphys.mcmc.ising.clusters.improved import wave_table
from edgphys.mcmc.ising.clusters.labelling import (
    begins_at,
    bonds_of,
    find_roots,
    label_sites,
    link,
    make_runs,
    run_from,
)
from edgphys.mcmc.ising.clusters.sweep_length import mean_size
from edgphys.mcmc.ising.clusters.swendsen_wang import measure_clusters
from edgphys.mcmc.ising.clusters.words import make_words
from edgphys.mcmc.random.xoshiro import random_site, uniform
from edgphys.mcmc.states.base import measure_states
from edgphys.mcmc.states.local import chosen
from edgphys.mcmc.states.reflections import AbstractStatesClusters, link_reflected

__all__ = ["StatesSwendsenWang"]

_ZERO, _ONE = np.uint64(0), np.uint64(1)
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
            bonds, self._n_groups = bonds_of(system, 0.5 * system.beta * strengths)
            self._rule = bonds, sites
        else:
            self._rule = self._reflecting(), sites
        self._improved = bool(self.options["improved"]) and self._by_colour and not system.has_field
        if self._improved:
            self.improved_columns = (*_IMPROVED, *self._correlators)
        self._waves = wave_table(self.layout) if self._improved else np.ones((1, 1))

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
        n_sites = self.layout.n_sites
        if self._by_colour:
            n_digits = int(self.system.n_states - 1).bit_length()
            runs = make_runs(n_sites, self._n_groups)
            scratch = make_words(n_sites, n_digits), runs, np.empty(n_sites, np.int8)
        else:
            scratch = np.empty(n_sites, np.uint32), np.empty(n_sites), np.empty(n_sites, np.bool_)
        return state.configuration, state.rng, state.counts, self._rule, scratch


@njit(nogil=True, cache=True)
def _draw_colours(rng, runs, n_runs, sites, colours):
    """A state for every run, that of its cluster, from the sites' energies if there are any."""
    q = sites.shape[1]
    costs = np.zeros((n_runs if sites.shape[0] > 0 else 0, q))
    if sites.shape[0] > 0:
        run = np.int64(-1)
        for i in range(runs.parent.size):
            run += begins_at(runs, i)
            for a in range(q):
                costs[runs.parent[run], a] += sites[i if sites.shape[0] > 1 else 0, a]
    for run in range(n_runs):
        root = runs.parent[run]  # the first run of its cluster
        if root != run:
            colours[run] = colours[root]
        elif sites.shape[0] == 0:
            colours[run] = random_site(rng, q)
        else:
            colours[run] = _drawn(costs[run], rng)


@njit(nogil=True, cache=True)
def _drawn(costs, rng):
    """A state of probability ~ exp(-cost); the costs are used up."""
    least, total = math.inf, 0.0
    for a in range(costs.size):
        least = min(least, costs[a])
    for a in range(costs.size):
        costs[a] = math.exp(least - costs[a])
        total += costs[a]
    return chosen(costs, uniform(rng) * total)


@njit(nogil=True, cache=True)
def _pack_states(states, planes):
    """The binary digits of the states, one in each of the planes."""
    planes[:] = _ZERO
    for i in range(states.size - 1):
        for digit in range(planes.shape[0]):
            planes[digit, (i >> 6) + 1] |= ((uint64(states[i]) >> uint64(digit)) & _ONE) << uint64(i & 63)


@njit(nogil=True, cache=True)
def _paint(planes, runs, colours):
    """Give the sites of each run its colour."""
    run = 0
    for w in range(1, planes.shape[1] - 1):
        left = runs.starts[w]
        planes[:, w] = _ZERO
        while left != _ZERO:
            first = left & (_ZERO - left)
            left ^= first
            members, colour = run_from(first, left), uint64(colours[run])
            run += 1
            for digit in range(planes.shape[0]):
                planes[digit, w] |= members & (_ZERO - ((colour >> uint64(digit)) & _ONE))


@njit(nogil=True, cache=True)
def _colour_sweeps(states, rng, counts, rule, scratch, n_sweeps):
    """Sweeps by colour; the number of clusters of the last, whose roots are in the scratch."""
    bonds, sites = rule
    planes, runs, colours = scratch
    _pack_states(states, planes)
    n_clusters = 0
    for _ in range(n_sweeps):
        n_runs = link(planes, rng, bonds, runs)
        n_clusters = find_roots(runs.parent[:n_runs])
        _draw_colours(rng, runs, n_runs, sites, colours)
        _paint(planes, runs, colours)
        counts[CLUSTERS] += n_clusters
        counts[VISITED] += runs.parent.size
    if n_sweeps > 0:
        run = -1
        for i in range(runs.parent.size):
            run += begins_at(runs, i)
            states[i] = colours[run]
    return n_clusters


@njit(nogil=True, cache=True)
def _reflected_sweeps(states, rng, counts, rule, scratch, n_sweeps):
    """Sweeps by one reflection each."""
    tables, sites = rule
    parent, costs, turned = scratch
    images = tables[3]
    for _ in range(n_sweeps):
        which = random_site(rng, images.shape[0])
        link_reflected(states, rng, tables, which, parent)
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
            label_sites(scratch[1], labels)
            measure_clusters(ones, labels, n_clusters, waves, row[3 : 6 + n_correlators], q - 1)


@njit(nogil=True, cache=True)
def _sample_reflected(states, rng, counts, rule, scratch, probe, thin, rows, kept):
    for draw in range(rows.shape[0]):
        _reflected_sweeps(states, rng, counts, rule, scratch, thin)
        measure_states(states, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
