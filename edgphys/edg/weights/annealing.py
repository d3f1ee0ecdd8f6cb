# SPDX-License-Identifier: MIT
r"""Annealed importance sampling: weighted draws of the system trained on become draws of the system itself.

A sampler may be trained on an easier system: a softened core, a higher temperature. Its draws x_0, with
weights w_0 for the first of a ladder of energies u_0 .. u_n (all divided by their temperatures, the last one
that of the system itself), are moved along the ladder,

    log w = log w_0 + sum_k [ u_{k-1}(x_{k-1}) - u_k(x_{k-1}) ],    x_k from x_{k-1} by HMC at u_k ,

and E[w] = Z of the last, for any length and any step size, on the joint space of the draw and its path. The
rungs are spaced, the steps tuned, and the number of rungs is chosen, on a pilot batch that is not used again:
where the points keep up with the ladder, the variance of log w is inverse to the number of rungs.

References
----------
Neal, Annealed importance sampling, Statistics and Computing 11, 125 (2001), eq. 11; Jarzynski, Phys. Rev.
Lett. 78, 2690 (1997). Neal, MCMC using Hamiltonian dynamics, arXiv:1206.1901.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgphys.edg.weights.moving_points import N_LEAPFROG, MovingPoints
from edgphys.systems.base import AbstractSystem

__all__ = ["Annealing", "Schedule", "anneal", "find_schedule", "rung"]

_N_PILOT = 256
# Two rounds of the pilot with so many rungs, or these parts of the number asked for.
_PILOT_RUNGS, _PILOT_PARTS = (50, 400), (8, 4)
# The variance of log w along the ladder for which the number of rungs is chosen, at most _MOST_RUNGS.
_VARIANCE, _MOST_RUNGS = 0.25, 4000
_ACCEPTANCE = 0.8
# A rung may not fall behind by more than this: the pilot sees few draws in the tails.
_LEAST_SPACING = 0.1


@dataclass(frozen=True)
class Schedule:
    """Where the rungs lie and how far HMC steps there.

    Attributes
    ----------
    positions : float64 array, shape (n_rungs,)
        Increasing from above 0 to 1: 0 is the system trained on, 1 the system itself.
    steps : float64 array, shape (n_rungs,)
        Leapfrog steps, unit mass.
    n_gradient_calls : int
        Evaluations of energy and gradient that it took to find.
    """

    positions: NDArray[np.float64]
    steps: NDArray[np.float64]
    n_gradient_calls: int = 0


def rung(start: AbstractSystem, end: AbstractSystem, position: float) -> AbstractSystem:
    """The system at a position between `start` (0) and `end` (1).

    The inverse temperature and all other parameters that differ are linear in the position.
    """
    if position == 1.0:
        return end
    changes = {
        name: (1.0 - position) * value + position * end.parameters[name]
        for name, value in start.parameters.items()
        if value != end.parameters[name]
    }
    return end.replace(
        **changes | {"temperature": 1.0 / ((1.0 - position) * start.beta + position * end.beta)}
    )


def anneal(
    start: AbstractSystem,
    end: AbstractSystem,
    x: NDArray[np.float64],
    schedule: Schedule,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move points along the ladder.

    Parameters
    ----------
    start, end : AbstractContinuousSystem
    x : float64 array, shape (n_batch, n_variables)
        Draws that are properly weighted for `start`.
    schedule : Schedule
    rng : numpy.random.Generator

    Returns
    -------
    x : float64 array, shape (n_batch, n_variables)
    log_factors : float64 array, shape (n_batch,)
        To be added to the log weights.
    """
    run = MovingPoints(start, x)
    total = np.zeros(len(x))
    for position, step in zip(schedule.positions, schedule.steps, strict=True):
        total += run.switch(rung(start, end, position))
        run.move(step, rng)
    return run.x, total


def find_schedule(
    start: AbstractSystem,
    end: AbstractSystem,
    x: NDArray[np.float64],
    log_weights: NDArray[np.float64],
    n_rungs: int | None,
    rng: np.random.Generator,
) -> Schedule:
    """Rungs between which the work fluctuates equally, and tuned steps, from a pilot batch.

    Parameters
    ----------
    start, end : AbstractContinuousSystem
    x, log_weights : float64 arrays, shapes (n_batch, n_variables) and (n_batch,)
        Draws for the pilot alone: they must not be used again.
    n_rungs : int or None
        None: as many as bring the variance of log w along the ladder to 0.25, at most 4000.
    rng : numpy.random.Generator
    """
    weights = np.exp(log_weights - log_weights.max())
    x = x[rng.choice(len(x), _N_PILOT, p=weights / weights.sum())]
    tried = [
        size if n_rungs is None else min(n_rungs, max(size, n_rungs // part))
        for size, part in zip(_PILOT_RUNGS, _PILOT_PARTS, strict=True)
    ]
    # Late rungs matter more where a core hardens; any grid will do to begin with.
    positions = np.linspace(0.0, 1.0, tried[0] + 1)[1:]
    steps = np.full(tried[0], 0.1 * float(x.std()) / x.shape[1] ** 0.25)
    for following in (tried[1], n_rungs):
        spreads, steps, variance = _tried(MovingPoints(start, x), start, end, positions, float(steps[0]), rng)
        if following is None:
            following = int(np.clip(math.ceil(tried[1] * variance / _VARIANCE), tried[0], _MOST_RUNGS))
        spreads += _LEAST_SPACING * spreads.mean() + 1e-12
        lengths, old = np.concatenate([[0.0], np.cumsum(spreads)]), np.concatenate([[0.0], positions])
        positions = np.interp(np.linspace(0.0, lengths[-1], following + 1)[1:], lengths, old)
        positions[-1] = 1.0
        steps = np.interp(positions, old[1:], steps)
    return Schedule(positions, steps, sum(_cost(len(x), n) for n in tried))


def _tried(
    run: MovingPoints,
    start: AbstractSystem,
    end: AbstractSystem,
    positions: NDArray[np.float64],
    step: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Spread of the work at each rung, the step tuned there, and the variance of the whole work."""
    steps, spreads, total = np.empty(len(positions)), np.empty(len(positions)), np.zeros(len(run.x))
    for k, position in enumerate(positions):
        work = run.switch(rung(start, end, position))
        total += work
        spreads[k] = _spread(work)
        accepted = run.move(step, rng)
        steps[k] = step
        step *= np.exp(0.5 * (accepted - _ACCEPTANCE))
    return spreads, steps, _spread(total) ** 2


def _spread(work: NDArray[np.float64]) -> float:
    """Standard deviation of a Gaussian with these deciles: a single collision must not decide."""
    return float(np.subtract(*np.quantile(work, [0.9, 0.1]))) / 2.563


def _cost(n_points: int, n_rungs: int) -> int:
    """Evaluations of energy and gradient along a ladder."""
    return n_points * (1 + n_rungs * (1 + N_LEAPFROG))


class Annealing:
    """A ladder made ready by a pilot, to be called with one batch of draws after the other.

    Parameters
    ----------
    start, end : AbstractContinuousSystem
    n_rungs : int or None
        None leaves it to the pilot.
    x, log_weights : float64 arrays
        Of the pilot, see `find_schedule`.
    pilot_rng, rng : numpy.random.Generator
        For the pilot and for the calls.

    Attributes
    ----------
    schedule : Schedule
    n_gradient_calls : int
        So far, with the pilot.
    """

    def __init__(
        self,
        start: AbstractSystem,
        end: AbstractSystem,
        n_rungs: int | None,
        x: NDArray[np.float64],
        log_weights: NDArray[np.float64],
        pilot_rng: np.random.Generator,
        rng: np.random.Generator,
    ) -> None:
        self._start, self._end, self._rng = start, end, rng
        self.schedule = find_schedule(start, end, x, log_weights, n_rungs, pilot_rng)
        self.n_gradient_calls = self.schedule.n_gradient_calls
        self._log_weights: list[NDArray[np.float64]] = []

    @property
    def n_rungs(self) -> int:
        """As asked for or chosen."""
        return len(self.schedule.positions)

    def __call__(
        self, x: NDArray[np.float64], log_weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points and log weights for the end of the ladder, from those for its start."""
        self.n_gradient_calls += _cost(len(x), self.n_rungs)
        self._log_weights.append(log_weights)
        points, log_factors = anneal(self._start, self._end, x, self.schedule, self._rng)
        return points, log_weights + log_factors

    def start_share(self) -> float:
        """Effective share of all draws that came in, for the system at the start of the ladder."""
        log_w = np.concatenate(self._log_weights)
        w = np.exp(log_w - log_w.max())
        return float(w.sum() ** 2 / (len(w) * (w * w).sum()))
