# SPDX-License-Identifier: MIT
r"""One site at a time: heat bath and Metropolis for any energy of sites with finitely many states.

With e_i(a) = site(a) + sum_j w_ij bond(a, s_j), the energy of site i in state a among its neighbours,

    heat bath     a drawn with probability exp(-beta e_i(a)) / sum_b exp(-beta e_i(b))
    metropolis    one of the other states, all alike, accepted with probability LAZY min(1, exp(-beta dE))

Where all bonds and sites are alike and states are few, the law of the new state stands in a table, see
`edgphys.mcmc.states.law_table`. Else the heat bath multiplies factors exp(-beta w bond) from a table, and no
exponential is taken, unless all products underflow (strong bonds that want different states): then it adds
energies. Each satisfies detailed balance at every visit of a site, and leads from any state to any other in
one sweep; LAZY = 15/16, for the reason in `edgphys.mcmc.ising.metropolis`.

Orders: ``checkerboard`` (colour after colour, the default) and ``random`` (each update picks a site). One
sweep is n_sites visits.

References
----------
Metropolis et al., J. Chem. Phys. 21, 1087 (1953), doi:10.1063/1.1699114. Newman and Barkema, Monte Carlo
Methods in Statistical Physics, Oxford University Press (1999), section 4.5.1 (Potts: heat bath).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numba import njit, uint64

from edgphys import _checks
from edgphys.mcmc.core.sampler import ACCEPTED, ATTEMPTED, ChainState
from edgphys.mcmc.ising.flip_probabilities import LAZY
from edgphys.mcmc.random.xoshiro import next_word, random_site, uniform
from edgphys.mcmc.states.base import AbstractStatesSampler, measure_states
from edgphys.mcmc.states.law_table import heat_bath_law, metropolis_law, sweep_by_table

__all__ = ["StatesHeatBath", "StatesMetropolis", "chosen"]

_LAZY, _TOP = LAZY, 2.0**64
# Products of factors that are smaller have lost digits.
_LEAST = 1e-250


class _AbstractStatesLocal(AbstractStatesSampler):
    """Local updates; any lattice and energy."""

    defaults = {"order": "checkerboard"}  # noqa: RUF012  (read only)
    _heat_bath: ClassVar[bool]
    _law: ClassVar[Callable[..., np.ndarray | None]]

    def _check_options(self) -> None:
        _checks.choice(self.options["order"], "order", ("checkerboard", "random"))

    def _prepare(self) -> None:
        system, layout = self.system, self.layout
        weights, kinds = self._weight_kinds()
        # Row b of a table: neighbour in state b; the least of a row at 0, so that no factor overflows.
        costs = [system.beta * w * system.bond_table for w in weights]
        costs = self._over_neighbours([one - one.min(1, keepdims=True) for one in costs])
        of_sites = system.beta * self._site_rows()
        of_sites = of_sites - of_sites.min(1, keepdims=True)
        most = layout.neighbours.shape[1]
        alike = len(costs) == len(of_sites) == 1 and self.options["order"] == "checkerboard"
        law = type(self)._law(costs[0], of_sites[0], most) if alike else None
        law = np.empty((0, 1, 1), np.uint64) if law is None else law
        self._tables = layout.neighbours, kinds, np.exp(-costs), costs, np.exp(-of_sites), of_sites, law

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        _sweeps(*self._args(state), n_sweeps)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        return {}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        _sample(*self._args(state), self._probe(), thin, rows, kept)

    def _args(self, state: ChainState) -> tuple:
        rule = self._heat_bath, self.options["order"] == "random"
        return state.configuration, state.rng, state.counts, self._tables, rule


class StatesHeatBath(_AbstractStatesLocal):
    """A state drawn anew given its neighbours; any lattice and energy.

    Options: ``order``, "checkerboard" or "random".
    """

    name = "heat_bath"
    rank = 70
    sweep = "n_sites draws of one state from the law given the neighbours"
    _heat_bath = True
    _law = staticmethod(heat_bath_law)


class StatesMetropolis(_AbstractStatesLocal):
    """Another state proposed; any lattice and energy.

    Options: ``order``, "checkerboard" or "random".
    """

    name = "metropolis"
    rank = 60
    sweep = "n_sites attempted changes of one state"
    _heat_bath = False
    _law = staticmethod(metropolis_law)


@njit(nogil=True, cache=True)
def _by_energies(states, tables, i, p):
    """exp(-beta e_i) over its largest into `p`; the sum."""
    neighbours, kinds, _, costs, _, of_sites, _ = tables
    row, least, total = i if of_sites.shape[0] > 1 else 0, math.inf, 0.0
    for a in range(p.size):  # loops in place of array expressions, which take long to compile
        p[a] = of_sites[row, a]
        for j in range(neighbours.shape[1]):
            p[a] += costs[kinds[i, j], states[neighbours[i, j]], a]
        least = min(least, p[a])
    for a in range(p.size):
        p[a] = math.exp(least - p[a])
        total += p[a]
    return total


@njit(nogil=True, cache=True)
def chosen(p, left):
    """The state at which the sum of weights `p` exceeds `left`, a uniform share of the whole sum."""
    last = 0
    for a in range(p.size):
        left -= p[a]
        if left < 0.0:
            return a
        last = a if p[a] > 0.0 else last
    return last  # rounding has left nothing


@njit(nogil=True, cache=True)
def _heat_bath_sweep(states, rng, counts, tables, at_random):
    """One sweep; every site takes a state from its law given the neighbours."""
    neighbours, kinds, factors, _, site_factors, _, _ = (
        tables  # unpacked once: a tuple of arrays is dear to hand on
    )
    n_sites, q, by_site = neighbours.shape[0], factors.shape[2], site_factors.shape[0] > 1
    p, changed = np.empty(q), 0
    for visit in range(n_sites):
        i = np.int64(random_site(rng, n_sites)) if at_random else visit
        for a in range(q):
            p[a] = site_factors[i if by_site else 0, a]
        for j in range(neighbours.shape[1]):
            kind, state = uint64(kinds[i, j]), uint64(states[neighbours[i, j]])
            for a in range(q):
                p[a] *= factors[kind, state, a]
        total = 0.0
        for a in range(q):
            total += p[a]
        if total < _LEAST:
            total = _by_energies(states, tables, i, p)
        new = chosen(p, uniform(rng) * total)
        changed += new != states[i]
        states[i] = new
    counts[ATTEMPTED] += n_sites
    counts[ACCEPTED] += changed


@njit(nogil=True, cache=True)
def _metropolis_sweep(states, rng, counts, tables, at_random):
    """One sweep; every site is proposed one of the other states."""
    neighbours, kinds, _, costs, _, of_sites, _ = tables
    n_sites, q, by_site, changed = neighbours.shape[0], costs.shape[2], of_sites.shape[0] > 1, 0
    for visit in range(n_sites):
        i = np.int64(random_site(rng, n_sites)) if at_random else visit
        row, old = i if by_site else 0, np.int64(states[i])
        new = (old + 1 + np.int64(random_site(rng, q - 1))) % q if q > 2 else 1 - old
        cost = of_sites[row, new] - of_sites[row, old]
        for j in range(neighbours.shape[1]):
            kind, state = uint64(kinds[i, j]), uint64(states[neighbours[i, j]])
            cost += costs[kind, state, new] - costs[kind, state, old]
        if next_word(rng) < np.uint64(_LAZY * math.exp(-max(cost, 0.0)) * _TOP):
            states[i] = new
            changed += 1
    counts[ATTEMPTED] += n_sites
    counts[ACCEPTED] += changed


@njit(nogil=True, cache=True)
def _sweeps(states, rng, counts, tables, rule, n_sweeps):
    for _ in range(n_sweeps):
        if tables[6].shape[0] > 0:
            sweep_by_table(states, rng, counts, tables[0], tables[6])
        elif rule[0]:
            _heat_bath_sweep(states, rng, counts, tables, rule[1])
        else:
            _metropolis_sweep(states, rng, counts, tables, rule[1])


@njit(nogil=True, cache=True)
def _sample(states, rng, counts, tables, rule, probe, thin, rows, kept):
    for draw in range(rows.shape[0]):
        _sweeps(states, rng, counts, tables, rule, thin)
        measure_states(states, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
