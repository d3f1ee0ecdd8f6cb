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

from numba import njit

from edgphys import _checks
from edgphys.mcmc.core.sampler import ChainState
from edgphys.mcmc.phi4.base import measure_field
from edgphys.mcmc.phi4.reflections import AbstractPhi4Reflecting, cycle, tuning_cycle

__all__ = ["Phi4Overrelaxation"]


class Phi4Overrelaxation(AbstractPhi4Reflecting):
    """Reflections and local updates; any lattice and couplings.

    Options: ``n_over``, mean number of sweeps of reflections before each Metropolis sweep, at least 1.
    """

    name = "overrelaxation"
    rank = 50
    sweep = "n_over sweeps of n_sites reflections on average, then n_sites attempted single-site updates"
    defaults = {"n_over": 4}  # noqa: RUF012  (read only)

    def _check_options(self) -> None:
        _checks.count(self.options["n_over"], "n_over", 1)

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        _warm_up(*self._args(state), state.tuning, int(self.options["n_over"]), n_sweeps)

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        steps = tuned["width"], tuned["slope"]
        n_over = int(self.options["n_over"])
        _sample(*self._args(state), steps, n_over, self._probe(), thin, rows, kept)


@njit(nogil=True, cache=True)
def _warm_up(phi, rng, counts, neighbours, action, tuning, n_over, n_sweeps):
    for _ in range(n_sweeps):
        tuning_cycle(phi, rng, counts, neighbours, action, tuning, n_over)


@njit(nogil=True, cache=True)
def _sample(phi, rng, counts, neighbours, action, steps, n_over, probe, thin, rows, kept):
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            cycle(phi, rng, counts, neighbours, action, steps, n_over)
        measure_field(phi, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
