# SPDX-License-Identifier: MIT
r"""Reflections of the field at one site with a Metropolis test: overrelaxation for phi^4.

With s(phi) the action of one site and h = hop sum_j phi_j (`edgphys.mcmc.phi4.local`), the reflection

    phi' = 2 c - phi,        c = slope h,

is accepted with min(1, exp(s(phi) - s(phi'))). For the free field and slope = 1 / quadratic, c is the minimum
of a parabola: s(phi') = s(phi), nothing is rejected, and this is the overrelaxation of Adler. With the
quartic term no reflection about a point that is known without phi conserves s; the test makes up for the part
that the parabola leaves.

Detailed balance: c depends on the neighbours alone, so phi -> 2 c - phi is its own inverse, with Jacobian -1,
and the proposal density is symmetric: T(phi -> phi') = delta(phi' - 2 c + phi) = T(phi' -> phi). With the
acceptance above exp(-s(phi)) T(phi -> phi') A(phi -> phi') = T min(exp(-s(phi)), exp(-s(phi'))) is symmetric
in phi and phi'. This holds for every slope; its value only decides how much is accepted. The best straight
line for the conditional mean of phi is the regression slope <h phi> / <h^2>, which is measured in the warm-up
and then frozen.

Reflections alone would not be ergodic (the free field would stay on a surface of constant action). A cycle is
some sweeps of them and one Metropolis sweep (`edgphys.mcmc.phi4.local`), which reaches an interval around the
field with positive density: exp(-S) is the only law that the cycle leaves alone. The number of sweeps is
uniform in ``1 .. 2 n_over - 1``, independent of the field: reflections turn each mode of a nearly
free field by a fixed angle, and a fixed number of them would return some mode to where it was.

References
----------
Adler, Phys. Rev. D 23, 2901 (1981), doi:10.1103/PhysRevD.23.2901.
Fodor and Jansen, Phys. Lett. B 331, 119 (1994) (overrelaxation with a scalar potential).
Bunk, Nucl. Phys. B Proc. Suppl. 42, 566 (1995) (reflection by the Gaussian part, test of the rest).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.core.acceptance import lowers_enough
from edgphys.mcmc.core.sampler import ChainState
from edgphys.mcmc.phi4.local import (
    AbstractPhi4Local,
    adapt_width,
    change_of_site,
    local_sweep,
    neighbour_sum,
)
from edgphys.mcmc.random.xoshiro import advance_words, uniform

__all__ = ["AbstractPhi4Reflecting", "cycle", "reflect_sweep", "tuning_cycle"]

# Places in ChainState.counts after the five common ones: reflections attempted and accepted.
_REFLECTED, _MOVED = 5, 6
# Places in ChainState.tuning: the first two belong to the width. Sums of h phi and h^2.
_CROSS, _SQUARE = 2, 3
# Of the sums for the slope so much is forgotten with each sweep of the warm-up: the start is far off.
_FORGET = 0.01


class AbstractPhi4Reflecting(AbstractPhi4Local):
    """A phi^4 chain with cycles of reflections and local updates; option ``n_over``, see `cycle`."""

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        state = super().start(index, seed)
        state.counts = np.zeros(7, np.int64)
        state.tuning[_SQUARE] = 1e-9  # the slope is 0 until the warm-up has seen a field
        return state

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        cross, square = (sum(float(s.tuning[place]) for s in states) for place in (_CROSS, _SQUARE))
        return super().freeze(states) | {"slope": cross / square}

    def report(self, states: list[ChainState]) -> dict[str, float]:
        reflected, moved = (sum(int(s.counts[place]) for s in states) for place in (_REFLECTED, _MOVED))
        share = {"reflection_acceptance": moved / reflected} if reflected else {}
        return super().report(states) | share

    def calls(self, states: list[ChainState]) -> tuple[int, int]:
        energies, gradients = super().calls(states)
        return energies + sum(int(s.counts[_REFLECTED]) for s in states) // self.n_variables, gradients


@njit(nogil=True, cache=True)
def reflect_sweep(phi, rng, counts, neighbours, action, slope):
    """One reflection of every site in storage order."""
    n_sites = neighbours.shape[0]
    s0, s1, s2, s3 = rng[0], rng[1], rng[2], rng[3]
    moved = 0
    for i in range(n_sites):
        h = action[0] * neighbour_sum(phi, neighbours, i)
        new = 2.0 * slope * h - phi[i]
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        if lowers_enough(word, change_of_site(h, phi[i], new, action)):
            phi[i] = new
            moved += 1
    rng[0], rng[1], rng[2], rng[3] = s0, s1, s2, s3
    counts[_REFLECTED] += n_sites
    counts[_MOVED] += moved


@njit(nogil=True, cache=True)
def _learn_slope(phi, neighbours, hop, tuning):
    """Add the sums over one field for the regression of phi on h."""
    cross, square = 0.0, 0.0
    for i in range(neighbours.shape[0]):
        total = neighbour_sum(phi, neighbours, i)
        cross += hop * total * phi[i]
        square += hop * hop * total * total
    tuning[_CROSS] += cross - _FORGET * tuning[_CROSS]
    tuning[_SQUARE] += square - _FORGET * tuning[_SQUARE]


@njit(nogil=True, cache=True)
def cycle(phi, rng, counts, neighbours, action, steps, n_over):
    """`n_over` sweeps of reflections on average and one of Metropolis updates; `steps` is (width, slope)."""
    n_sweeps = 1 + int(uniform(rng) * (2 * n_over - 1)) if n_over > 0 else 0
    for _ in range(n_sweeps):
        reflect_sweep(phi, rng, counts, neighbours, action, steps[1])
    return local_sweep(phi, rng, counts, neighbours, action, steps[0])


@njit(nogil=True, cache=True)
def tuning_cycle(phi, rng, counts, neighbours, action, tuning, n_over):
    """A cycle of the warm-up: with the width and slope so far, which it improves."""
    steps = math.exp(tuning[0]), tuning[_CROSS] / tuning[_SQUARE]
    adapt_width(tuning, cycle(phi, rng, counts, neighbours, action, steps, n_over))
    _learn_slope(phi, neighbours, action[0], tuning)
