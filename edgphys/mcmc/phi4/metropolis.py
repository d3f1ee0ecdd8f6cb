# SPDX-License-Identifier: MIT
"""Local Metropolis updates for phi^4, in checkerboard order.

The update itself is in `edgphys.mcmc.phi4.local`. Each visit of a site satisfies detailed balance and reaches
an interval of values with positive probability, so exp(-S) is the only stationary law. One sweep is n_sites
attempted updates.

References
----------
Metropolis et al., J. Chem. Phys. 21, 1087 (1953), doi:10.1063/1.1699114.
"""

from __future__ import annotations

import math

from numba import njit

from edgphys.mcmc.core.sampler import ChainState
from edgphys.mcmc.phi4.base import measure_field
from edgphys.mcmc.phi4.local import AbstractPhi4Local, adapt_width, local_sweep

__all__ = ["Phi4Metropolis"]


class Phi4Metropolis(AbstractPhi4Local):
    """Local updates; any lattice and couplings."""

    name = "metropolis"
    rank = 60
    sweep = "n_sites attempted single-site updates"

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        _warm_up(*self._args(state), state.tuning, n_sweeps)

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        _sample(*self._args(state), tuned["width"], self._probe(), thin, rows, kept)


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
