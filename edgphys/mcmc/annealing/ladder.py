# SPDX-License-Identifier: MIT
r"""Annealed importance sampling: weighted draws of an easier system become draws of the system itself.

Draws x_0 of an easier system (a softened core, a higher temperature, no coupling), with weights w_0 for the
first of a ladder of energies u_0 .. u_n (all divided by their temperatures, the last one that of the system
itself), are moved along the ladder,

    log w = log w_0 + sum_k [ u_{k-1}(x_{k-1}) - u_k(x_{k-1}) ],

x_k from x_{k-1} by a move that leaves exp(-u_k) invariant: an HMC trajectory of a continuous system, a sweep
of its best algorithm on a lattice. E[w] = Z of the last, for any length and any move, on the joint space of
the draw and its path. The rungs are spaced, the steps tuned, and the number of rungs is chosen, on a pilot
batch that is not used again: where the walkers keep up with the ladder, the variance of log w is inverse to
the number of rungs.

References
----------
Neal, Annealed importance sampling, Statistics and Computing 11, 125 (2001), eq. 11; Jarzynski, Phys. Rev.
Lett. 78, 2690 (1997). Neal, MCMC using Hamiltonian dynamics, arXiv:1206.1901.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgphys.mcmc.annealing.walkers import AbstractWalkers
from edgphys.systems.base import AbstractSystem

__all__ = ["Annealing", "MakeWalkers", "Schedule", "find_schedule", "rung", "walk"]

# Walkers at a system, from their configurations and a generator of random numbers.
MakeWalkers = Callable[[AbstractSystem, NDArray, np.random.Generator], AbstractWalkers]

_N_PILOT = 256
# The two rounds of the pilot have these parts of the number of rungs that is asked for.
_PILOT_PARTS = 8, 4
# The variance of log w along the ladder for which the number of rungs is chosen, at most _MOST_RUNGS.
_VARIANCE, _MOST_RUNGS = 0.25, 4000
# A rung may not fall behind by more than this: the pilot sees few draws in the tails.
_LEAST_SPACING = 0.1


@dataclass(frozen=True)
class Schedule:
    """Where the rungs lie and how the walkers move there.

    Attributes
    ----------
    positions : float64 array, shape (n_rungs,)
        Increasing from above 0 to 1: 0 is the easier system, 1 the system itself.
    steps : float64 array, shape (n_rungs, n_steps)
        Of the moves: a leapfrog step of unit mass, or what the algorithm tunes; there may be none.
    """

    positions: NDArray[np.float64]
    steps: NDArray[np.float64]


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
    if "temperature" in end.parameters:
        changes["temperature"] = 1.0 / ((1.0 - position) * start.beta + position * end.beta)
    return end.replace(**changes)


def walk(
    walkers: AbstractWalkers, start: AbstractSystem, end: AbstractSystem, schedule: Schedule
) -> NDArray[np.float64]:
    """Move walkers along the ladder.

    Parameters
    ----------
    walkers : AbstractWalkers
        Draws that are properly weighted for `start`; they end up as draws for `end`.
    start, end : AbstractSystem
    schedule : Schedule

    Returns
    -------
    float64 array, shape (n_batch,)
        To be added to the log weights.
    """
    total = np.zeros(len(walkers.x))
    for position, steps in zip(schedule.positions, schedule.steps, strict=True):
        total += walkers.switch(rung(start, end, position))
        walkers.move(steps)
    return total


def find_schedule(
    make: MakeWalkers,
    start: AbstractSystem,
    end: AbstractSystem,
    x: NDArray,
    log_weights: NDArray[np.float64],
    n_rungs: int | None,
    rng: np.random.Generator,
) -> tuple[Schedule, tuple[int, int]]:
    """Rungs between which the work fluctuates equally, and tuned steps, from a pilot batch.

    Parameters
    ----------
    make : callable
        Of the walkers of the pilot.
    start, end : AbstractSystem
    x, log_weights : arrays, shapes (n_batch, n_variables) and (n_batch,)
        Draws for the pilot alone: they must not be used again.
    n_rungs : int or None
        None: as many as bring the variance of log w along the ladder to 0.25, at most 4000.
    rng : numpy.random.Generator

    Returns
    -------
    schedule : Schedule
    calls : tuple of int
        Energies and gradients that it took to find.
    """
    weights = np.exp(log_weights - log_weights.max())
    x = x[rng.choice(len(x), _N_PILOT, p=weights / weights.sum())]
    walkers = make(start, x, rng)
    first, second = (
        size if n_rungs is None else min(n_rungs, max(size, n_rungs // part))
        for size, part in zip(walkers.pilot_rungs, _PILOT_PARTS, strict=True)
    )
    # Late rungs matter more where a core hardens; any grid will do to begin with.
    positions = np.linspace(0.0, 1.0, first + 1)[1:]
    spreads, steps, _ = _tried(walkers, start, end, positions, walkers.first_steps())
    schedule, again = _spaced(positions, spreads, steps, second), make(start, x, rng)
    spreads, steps, variance = _tried(again, start, end, schedule.positions, schedule.steps[0])
    if n_rungs is None:
        n_rungs = int(np.clip(math.ceil(second * variance / _VARIANCE), first, _MOST_RUNGS))
    calls = np.add(walkers.calls(), again.calls())
    return _spaced(schedule.positions, spreads, steps, n_rungs), (int(calls[0]), int(calls[1]))


def _tried(
    walkers: AbstractWalkers,
    start: AbstractSystem,
    end: AbstractSystem,
    positions: NDArray[np.float64],
    guess: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Spread of the work at each rung, the steps tuned there, and the variance of the whole work."""
    steps, spreads = np.empty((len(positions), len(guess))), np.empty(len(positions))
    total = np.zeros(len(walkers.x))
    for k, position in enumerate(positions):
        work = walkers.switch(rung(start, end, position))
        total += work
        spreads[k] = _spread(work)
        steps[k], guess = walkers.tune(guess)
    return spreads, steps, _spread(total) ** 2


def _spaced(
    positions: NDArray[np.float64], spreads: NDArray[np.float64], steps: NDArray[np.float64], n_rungs: int
) -> Schedule:
    """So many rungs between which the work fluctuates equally, and the steps there."""
    spreads = spreads + (_LEAST_SPACING * spreads.mean() + 1e-12)
    lengths, old = np.concatenate([[0.0], np.cumsum(spreads)]), np.concatenate([[0.0], positions])
    spaced = np.interp(np.linspace(0.0, lengths[-1], n_rungs + 1)[1:], lengths, old)
    spaced[-1] = 1.0
    new = np.empty((n_rungs, steps.shape[1]))
    for k in range(new.shape[1]):
        new[:, k] = np.interp(spaced, positions, steps[:, k])
    return Schedule(spaced, new)


def _spread(work: NDArray[np.float64]) -> float:
    """Standard deviation of a Gaussian with these deciles: a single collision must not decide."""
    return float(np.subtract(*np.quantile(work, [0.9, 0.1]))) / 2.563


class Annealing:
    """A ladder made ready by a pilot, to be called with one batch of draws after the other.

    Parameters
    ----------
    make : callable
        Of walkers, see `edgphys.mcmc.annealing.walkers_of`.
    start, end : AbstractSystem
    n_rungs : int or None
        None leaves it to the pilot.
    x, log_weights : arrays
        Of the pilot, see `find_schedule`.
    pilot_rng, rng : numpy.random.Generator
        For the pilot and for the calls.

    Attributes
    ----------
    schedule : Schedule
    n_energy_calls, n_gradient_calls : int
        So far, with the pilot.
    """

    def __init__(
        self,
        make: MakeWalkers,
        start: AbstractSystem,
        end: AbstractSystem,
        n_rungs: int | None,
        x: NDArray,
        log_weights: NDArray[np.float64],
        pilot_rng: np.random.Generator,
        rng: np.random.Generator,
    ) -> None:
        self._make, self._ends, self._rng = make, (start, end), rng
        self.schedule, calls = find_schedule(make, start, end, x, log_weights, n_rungs, pilot_rng)
        self.n_energy_calls, self.n_gradient_calls = calls
        self._log_weights: list[NDArray[np.float64]] = []

    @property
    def n_rungs(self) -> int:
        """As asked for or chosen."""
        return len(self.schedule.positions)

    def __call__(self, x: NDArray, log_weights: NDArray[np.float64]) -> tuple[NDArray, NDArray[np.float64]]:
        """Configurations and log weights for the end of the ladder, from those for its start."""
        self._log_weights.append(log_weights)
        walkers = self._make(self._ends[0], x, self._rng)
        log_factors = walk(walkers, *self._ends, self.schedule)
        n_energies, n_gradients = walkers.calls()
        self.n_energy_calls += n_energies
        self.n_gradient_calls += n_gradients
        return walkers.x, log_weights + log_factors

    def state(self) -> dict[str, Any]:
        """For `resumed`; not changed by what comes."""
        return {
            "positions": self.schedule.positions,
            "steps": self.schedule.steps,
            "calls": (self.n_energy_calls, self.n_gradient_calls),
            "log_weights": list(self._log_weights),
            "rng": self._rng.bit_generator.state,
        }

    @classmethod
    def resumed(
        cls,
        make: MakeWalkers,
        start: AbstractSystem,
        end: AbstractSystem,
        state: dict[str, Any],
        rng: np.random.Generator,
    ) -> Annealing:
        """The ladder that gave `state`, without its pilot; `rng` is of the same seed."""
        ladder = cls.__new__(cls)
        ladder._make, ladder._ends, ladder._rng = make, (start, end), rng
        rng.bit_generator.state = state["rng"]
        ladder.schedule = Schedule(np.asarray(state["positions"]), np.asarray(state["steps"]))
        ladder.n_energy_calls, ladder.n_gradient_calls = state["calls"]
        ladder._log_weights = [np.asarray(part) for part in state["log_weights"]]
        return ladder

    def start_share(self) -> float:
        """Effective share of all draws that came in, for the system at the start of the ladder."""
        log_w = np.concatenate(self._log_weights)
        w = np.exp(log_w - log_w.max())
        return float(w.sum() ** 2 / (len(w) * (w * w).sum()))
