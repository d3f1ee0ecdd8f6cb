# SPDX-License-Identifier: MIT
"""The local update of phi^4, which every algorithm but hybrid Monte Carlo contains.

With its neighbours fixed, the action of one site is

    s(phi) = -2 h phi + quadratic phi^2 + quartic phi^4,        h = hop sum_j phi_j.

A site proposes phi + width (2 u - 1), u uniform in [0, 1), and accepts with min(1, exp(s(phi) - s(phi'))).
The width is tuned in the warm-up to an acceptance of one half and frozen afterwards.

References
----------
Robbins and Monro, Ann. Math. Stat. 22, 400 (1951), doi:10.1214/aoms/1177729586 (the tuning).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.core.acceptance import lowers_enough
from edgphys.mcmc.core.sampler import ACCEPTED, ATTEMPTED, ChainState
from edgphys.mcmc.phi4.base import AbstractPhi4Sampler
from edgphys.mcmc.random.xoshiro import advance_words, unit_interval

__all__ = ["AbstractPhi4Local", "adapt_width", "change_of_site", "local_sweep", "neighbour_sum"]

_TARGET_ACCEPTANCE = 0.5
# Places in ChainState.tuning: log width, and how often it was adapted.
_LOG_WIDTH, _N_STEPS = 0, 1


class AbstractPhi4Local(AbstractPhi4Sampler):
    """A phi^4 chain with local updates of a tuned width."""

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        state = super().start(index, seed)
        state.tuning[_LOG_WIDTH] = math.log(2 * self._amplitude())
        return state

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        return {"width": math.exp(np.mean([s.tuning[_LOG_WIDTH] for s in states]))}

    def _args(self, state: ChainState) -> tuple:
        return state.configuration, state.rng, state.counts, self.layout.neighbours, self._action()


@njit(nogil=True, cache=True, inline="always")
def neighbour_sum(phi, neighbours, i):
    """Sum of the field over the neighbours of site i."""
    total = 0.0
    for j in range(neighbours.shape[1]):
        total += phi[neighbours[i, j]]
    return total


@njit(nogil=True, cache=True, inline="always")
def change_of_site(h, old, new, action):
    """s(new) - s(old)."""
    old2, new2 = old * old, new * new
    return -2.0 * h * (new - old) + (new2 - old2) * (action[1] + action[2] * (new2 + old2))


@njit(nogil=True, cache=True)
def local_sweep(phi, rng, counts, neighbours, action, width):
    """One update of every site in storage order; the fraction accepted."""
    n_sites = neighbours.shape[0]
    s0, s1, s2, s3 = rng[0], rng[1], rng[2], rng[3]
    accepted = 0
    for i in range(n_sites):
        h = action[0] * neighbour_sum(phi, neighbours, i)
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        new = phi[i] + width * (2.0 * unit_interval(word) - 1.0)
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        if lowers_enough(word, change_of_site(h, phi[i], new, action)):
            phi[i] = new
            accepted += 1
    rng[0], rng[1], rng[2], rng[3] = s0, s1, s2, s3
    counts[ATTEMPTED] += n_sites
    counts[ACCEPTED] += accepted
    return accepted / n_sites


@njit(nogil=True, cache=True)
def adapt_width(tuning, accepted_fraction):
    """Robbins-Monro step of the log width."""
    tuning[_N_STEPS] += 1.0
    tuning[_LOG_WIDTH] += 2.0 * (accepted_fraction - _TARGET_ACCEPTANCE) / tuning[_N_STEPS] ** 0.6
