# SPDX-License-Identifier: MIT
"""Local Metropolis updates for phi^4, in checkerboard order.

The update itself is `edgphys.mcmc.phi4.base.local_sweep`. Each visit of a site satisfies detailed balance and
reaches an interval of values with positive probability, so exp(-S) is the only stationary law. One sweep is
n_sites attempted updates.

References
----------
Metropolis et al., J. Chem. Phys. 21, 1087 (1953), doi:10.1063/1.1699114.
Robbins and Monro, Ann. Math. Stat. 22, 400 (1951), doi:10.1214/aoms/1177729586 (the tuning).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.core.sampler import ChainState
from edgphys.mcmc.phi4.base import AbstractPhi4Sampler, adapt_width, local_sweep, measure_field

__all__ = ["Phi4Metropolis"]


class Phi4Metropolis(AbstractPhi4Sampler):
    """Local updates; any lattice and couplings."""

    name = "metropolis"
    rank = 60
    sweep = "n_sites attempted single-site updates"

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        state = super().start(index, seed)
        state.tuning[0] = math.log(2 * self._amplitude())
        return state

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        _warm_up(*self._args(state), state.tuning, n_sweeps)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        return {"width": math.exp(np.mean([s.tuning[0] for s in states]))}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        _sample(*self._args(state), tuned["width"], self._probe(), thin, rows, kept)

    def _args(self, state: ChainState) -> tuple:
        return state.configuration, state.rng, state.counts, self.layout.neighbours, self._action()


@njit(nogil=True, cache=True)
def _warm_up(phi, rng, counts, neighbours, action, tuning, n_sweeps):
    for _ in range(n_sweeps):
        adapt_width(tuning, local_sweep(phi, rng, counts, neighbours, action, math.exp(tuning[0])))


@njit(nogil=True, cache=True)
def _sample(phi, rng, counts, neighbours, action, width, probe, thin, rows, kept):
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            local_sweep(phi, rng, counts, neighbours, action, width)
        measure_field(phi, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
