# SPDX-License-Identifier: MIT
r"""One site at a time: heat bath and Metropolis for any energy of sites with finitely many states.

With e_i(a) = site(a) + sum_j w_ij bond(a, s_j), the energy of site i in state a among its neighbours,

    heat bath     a drawn with probability exp(-beta e_i(a)) / sum_b exp(-beta e_i(b))
    metropolis    one of the other states, all alike, accepted with probability LAZY min(1, exp(-beta dE))

The heat bath multiplies factors exp(-beta w bond) from a table, and no exponential is taken, unless all
products underflow (strong bonds that want different states): then it adds energies. Each satisfies detailed
balance at every visit of a site, and leads from any state to any other in one sweep; LAZY = 15/16, for the
reason in `edgphys.mcmc.ising.metropolis`.

Orders: ``checkerboard`` (colour after colour, the default) and ``random`` (each update picks a site). One
sweep is n_sites visits.

References
----------
Metropolis et al., J. Chem. Phys. 21, 1087 (1953), doi:10.1063/1.1699114. Newman and Barkema, Monte Carlo
Methods in Statistical Physics, Oxford University Press (1999), section 4.5.1 (Potts: heat bath).
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numba import njit

from edgphys import _checks
from edgphys.mcmc.core.sampler import ACCEPTED, ATTEMPTED, ChainState
from edgphys.mcmc.ising.flip_probabilities import LAZY
from edgphys.mcmc.random.xoshiro import next_word, random_site, uniform
from edgphys.mcmc.states.base import AbstractStatesSampler, measure_states

__all__ = ["StatesHeatBath", "StatesMetropolis", "chosen"]

_LAZY, _TOP = LAZY, 2.0**64
# Products of factors that are smaller have lost digits.
_LEAST = 1e-250


class _AbstractStatesLocal(AbstractStatesSampler):
    """Local updates; any lattice and energy."""

    defaults = {"order": "checkerboard"}  # noqa: RUF012  (read only)
    _heat_bath: ClassVar[bool]

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
        self._tables = layout.neighbours, kinds, np.exp(-costs), costs, np.exp(-of_sites), of_sites

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


class StatesMetropolis(_AbstractStatesLocal):
    """Another state proposed; any lattice and energy.

    Options: ``order``, "checkerboard" or "random".
    """

    name = "metropolis"
    rank = 60
    sweep = "n_sites attempted changes of one state"
    _heat_bath = False


@njit(nogil=True, cache=True)
def _by_energies(states, tables, i, p):
    """exp(-beta e_i) over its largest into `p`; the sum."""
    neighbours, kinds, _, costs, _, of_sites = tables
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
def _draw(states, rng, tables, i, p):
    """A state for site i from its law given the neighbours; `p` is overwritten."""
    neighbours, kinds, factors, _, site_factors, _ = tables
    row, q = i if site_factors.shape[0] > 1 else 0, p.size
    for a in range(q):
        p[a] = site_factors[row, a]
    for j in range(neighbours.shape[1]):
        kind, state = kinds[i, j], states[neighbours[i, j]]
        for a in range(q):
            p[a] *= factors[kind, state, a]
    total = 0.0
    for a in range(q):
        total += p[a]
    if total < _LEAST:
        total = _by_energies(states, tables, i, p)
    return chosen(p, uniform(rng) * total)


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
def _propose(states, rng, tables, i, q):
    """One of the other states, or the same where it is refused."""
    neighbours, kinds, _, costs, _, of_sites = tables
    row, old = i if of_sites.shape[0] > 1 else 0, np.int64(states[i])
    new = (old + 1 + random_site(rng, q - 1)) % q if q > 2 else 1 - old
    cost = of_sites[row, new] - of_sites[row, old]
    for j in range(neighbours.shape[1]):
        kind, state = kinds[i, j], states[neighbours[i, j]]
        cost += costs[kind, state, new] - costs[kind, state, old]
    accepted = next_word(rng) < np.uint64(_LAZY * math.exp(-max(cost, 0.0)) * _TOP)
    return new if accepted else old


@njit(nogil=True, cache=True)
def _sweep(states, rng, counts, tables, rule):
    heat_bath, at_random = rule
    n_sites, q = tables[0].shape[0], tables[3].shape[2]
    p = np.empty(q)
    changed = 0
    for visit in range(n_sites):
        i = np.int64(random_site(rng, n_sites)) if at_random else visit
        new = _draw(states, rng, tables, i, p) if heat_bath else _propose(states, rng, tables, i, q)
        changed += new != states[i]
        states[i] = new
    counts[ATTEMPTED] += n_sites
    counts[ACCEPTED] += changed


@njit(nogil=True, cache=True)
def _sweeps(states, rng, counts, tables, rule, n_sweeps):
    for _ in range(n_sweeps):
        _sweep(states, rng, counts, tables, rule)


@njit(nogil=True, cache=True)
def _sample(states, rng, counts, tables, rule, probe, thin, rows, kept):
    for draw in range(rows.shape[0]):
        _sweeps(states, rng, counts, tables, rule, thin)
        measure_states(states, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
