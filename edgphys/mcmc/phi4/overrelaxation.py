# SPDX-License-Identifier: MIT
"""Overrelaxation for phi^4: cycles of reflections and local Metropolis updates, checkerboard order.

The reflections, and why they are exact, are in `edgphys.mcmc.phi4.reflections`. The field moves along
ballistically for about n_over sweeps, which turns the critical slowing down of local updates, tau_int ~ xi^2,
towards xi for n_over proportional to the correlation length xi. A reflection costs about a fifth of a
Metropolis update.

References
----------
Adler, Phys. Rev. D 37, 458 (1988), doi:10.1103/PhysRevD.37.458.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.core.option_checks import check_count
from edgphys.mcmc.core.sampler import ChainState
from edgphys.mcmc.phi4 import reflections
from edgphys.mcmc.phi4.base import AbstractPhi4Sampler, measure_field

__all__ = ["Phi4Overrelaxation"]


class Phi4Overrelaxation(AbstractPhi4Sampler):
    """Reflections and local updates; any lattice and couplings.

    Options: ``n_over``, mean number of sweeps of reflections before each Metropolis sweep, at least 1.
    """

    name = "overrelaxation"
    rank = 50
    sweep = "n_over sweeps of n_sites reflections on average, then n_sites attempted single-site updates"
    defaults = {"n_over": 4}  # noqa: RUF012  (read only)

    def _check_options(self) -> None:
        check_count("n_over", self.options["n_over"], 1)

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        state = super().start(index, seed)
        state.tuning[0] = math.log(2 * self._amplitude())
        reflections.begin(state)
        return state

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        _warm_up(*self._args(state), state.tuning, int(self.options["n_over"]), n_sweeps)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        width = math.exp(np.mean([s.tuning[0] for s in states]))
        return {"width": width, "slope": reflections.slope(states)}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        steps = tuned["width"], tuned["slope"]
        n_over = int(self.options["n_over"])
        _sample(*self._args(state), steps, n_over, self._probe(), thin, rows, kept)

    def report(self, states: list[ChainState]) -> dict[str, float]:
        return super().report(states) | reflections.report(states)

    def calls(self, states: list[ChainState]) -> tuple[int, int]:
        energies, gradients = super().calls(states)
        return energies + reflections.calls(states, self.n_variables), gradients

    def _args(self, state: ChainState) -> tuple:
        return state.configuration, state.rng, state.counts, self.layout.neighbours, self._action()


@njit(nogil=True, cache=True)
def _warm_up(phi, rng, counts, neighbours, action, tuning, n_over, n_sweeps):
    for _ in range(n_sweeps):
        reflections.tuning_cycle(phi, rng, counts, neighbours, action, tuning, n_over)


@njit(nogil=True, cache=True)
def _sample(phi, rng, counts, neighbours, action, steps, n_over, probe, thin, rows, kept):
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            reflections.cycle(phi, rng, counts, neighbours, action, steps, n_over)
        measure_field(phi, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
