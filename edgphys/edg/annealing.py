# SPDX-License-Identifier: MIT
r"""Annealed importance sampling: weighted draws of the system trained on become draws of the system itself.

A sampler may be trained on an easier system: a softened core, a higher temperature. Its draws x_0, with
weights w_0 for the first of a ladder of energies u_0 .. u_n (all divided by their temperatures, the last one
that of the system itself), are moved along the ladder,

    log w = log w_0 + sum_k [ u_{k-1}(x_{k-1}) - u_k(x_{k-1}) ],    x_k from x_{k-1} by HMC at u_k ,

and E[w] = Z of the last, for any length and any step size, on the joint space of the draw and its path. The
rungs are spaced, and the steps tuned, on a pilot batch that is not used again.

References
----------
Neal, Annealed importance sampling, Statistics and Computing 11, 125 (2001), eq. 11; Jarzynski, Phys. Rev.
Lett. 78, 2690 (1997). Neal, MCMC using Hamiltonian dynamics, arXiv:1206.1901.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgphys.systems.kernel_pointer import KernelPointer

__all__ = ["Annealing", "Schedule", "anneal", "find_schedule", "rung"]

_N_LEAPFROG = 10
_N_PILOT, _N_ROUNDS = 256, 2
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
    """

    positions: NDArray[np.float64]
    steps: NDArray[np.float64]


def rung(start: Any, end: Any, position: float) -> Any:
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
    start: Any, end: Any, x: NDArray[np.float64], schedule: Schedule, rng: np.random.Generator
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
    run = _Run(start, x)
    total = np.zeros(len(x))
    for position, step in zip(schedule.positions, schedule.steps, strict=True):
        total += run.switch(rung(start, end, position))
        run.move(step, rng)
    return run.x, total


def find_schedule(
    start: Any,
    end: Any,
    x: NDArray[np.float64],
    log_weights: NDArray[np.float64],
    n_rungs: int,
    rng: np.random.Generator,
) -> Schedule:
    """Rungs between which the work fluctuates equally, and tuned steps, from a pilot batch.

    Parameters
    ----------
    start, end : AbstractContinuousSystem
    x, log_weights : float64 arrays, shapes (n_batch, n_variables) and (n_batch,)
        Draws for the pilot alone: they must not be used again.
    n_rungs : int
    rng : numpy.random.Generator
    """
    weights = np.exp(log_weights - log_weights.max())
    x = x[rng.choice(len(x), _N_PILOT, p=weights / weights.sum())]
    # Late rungs matter more where a core hardens; any grid will do to begin with.
    positions = np.linspace(0.0, 1.0, n_rungs + 1)[1:]
    step = 0.1 * float(x.std()) / x.shape[1] ** 0.25
    for _ in range(_N_ROUNDS):
        run, steps, spreads = _Run(start, x), np.empty(n_rungs), np.empty(n_rungs)
        for k, position in enumerate(positions):
            # Quartiles: a single collision must not decide where the rungs lie.
            work = run.switch(rung(start, end, position))
            spreads[k] = np.subtract(*np.quantile(work, [0.9, 0.1]))
            accepted = run.move(step, rng)
            steps[k] = step
            step *= np.exp(0.5 * (accepted - _ACCEPTANCE))
        spreads += _LEAST_SPACING * spreads.mean() + 1e-12
        lengths = np.concatenate([[0.0], np.cumsum(spreads)])
        old, old_steps = np.concatenate([[0.0], positions]), steps
        positions = np.interp(np.linspace(0.0, lengths[-1], n_rungs + 1)[1:], lengths, old)
        positions[-1] = 1.0
        steps = np.interp(positions, old[1:], old_steps)
        step = float(steps[0])
    return Schedule(positions, steps)


class Annealing:
    """A ladder made ready by a pilot, to be called with one batch of draws after the other.

    Parameters
    ----------
    start, end : AbstractContinuousSystem
    n_rungs : int
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
        start: Any,
        end: Any,
        n_rungs: int,
        x: NDArray[np.float64],
        log_weights: NDArray[np.float64],
        pilot_rng: np.random.Generator,
        rng: np.random.Generator,
    ) -> None:
        self._start, self._end, self._rng = start, end, rng
        self.schedule = find_schedule(start, end, x, log_weights, n_rungs, pilot_rng)
        self.n_gradient_calls = _N_ROUNDS * self._cost(_N_PILOT)
        self._log_weights: list[NDArray[np.float64]] = []

    def _cost(self, n_points: int) -> int:
        return n_points * (1 + len(self.schedule.positions) * (1 + _N_LEAPFROG))

    def __call__(
        self, x: NDArray[np.float64], log_weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points and log weights for the end of the ladder, from those for its start."""
        self.n_gradient_calls += self._cost(len(x))
        self._log_weights.append(log_weights)
        points, log_factors = anneal(self._start, self._end, x, self.schedule, self._rng)
        return points, log_weights + log_factors

    def start_share(self) -> float:
        """Effective share of all draws that came in, for the system at the start of the ladder."""
        log_w = np.concatenate(self._log_weights)
        w = np.exp(log_w - log_w.max())
        return float(w.sum() ** 2 / (len(w) * (w * w).sum()))


class _Run:
    """A batch on its way; points move independently of each other."""

    def __init__(self, system: Any, x: NDArray[np.float64]) -> None:
        self.x = np.array(x, dtype=np.float64, order="C")
        self.n_threads = max(1, min(os.cpu_count() or 1, len(x) // 64))
        self._set(system)

    def _set(self, system: Any) -> None:
        self.system = system
        self.kernel = None if system.kernel is None else KernelPointer(system.kernel)
        self.energy, self.gradient = self._evaluate(self.x)

    def _evaluate(self, x: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        """u and its gradient."""
        if self.kernel is None:
            energy, gradient = self.system.energy_and_gradient(x)
        else:
            energy, gradient = np.empty(len(x)), np.empty_like(x)
            self._in_threads(_energies, x, energy, gradient)
        return self.system.beta * energy, self.system.beta * gradient

    def _in_threads(self, loop, *rows) -> None:
        parameters = self.system.kernel_parameters
        pieces = np.array_split(np.arange(len(self.x)), self.n_threads)
        cuts = [slice(piece[0], piece[-1] + 1) for piece in pieces]
        with ThreadPoolExecutor(self.n_threads) as pool:
            list(pool.map(lambda cut: loop(self.kernel, parameters, *(row[cut] for row in rows)), cuts))

    def switch(self, system: Any) -> NDArray[np.float64]:
        """Go over to another rung; minus the work of every point."""
        before = self.energy
        self._set(system)
        return before - self.energy

    def move(self, step: float, rng: np.random.Generator) -> float:
        """One HMC trajectory of every point; the mean acceptance probability."""
        momentum = rng.standard_normal(self.x.shape)
        u = rng.random(len(self.x))
        new, gradient, old_kinetic = self.x.copy(), self.gradient, 0.5 * (momentum**2).sum(1)
        # A trajectory that diverges is refused.
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(_N_LEAPFROG):
                momentum -= 0.5 * step * gradient
                new += step * momentum
                energy, gradient = self._evaluate(new)
                momentum -= 0.5 * step * gradient
            change = energy + 0.5 * (momentum**2).sum(1) - self.energy - old_kinetic
        probability = np.exp(np.minimum(0.0, -np.nan_to_num(change, nan=np.inf, neginf=np.inf)))
        accepted = u < probability
        self.x[accepted] = new[accepted]
        self.energy = np.where(accepted, energy, self.energy)
        self.gradient = np.where(accepted[:, None], gradient, self.gradient)
        return float(probability.mean())


@njit(nogil=True, cache=True)
def _energies(kernel, parameters, x, energy, gradient):
    for i in range(len(x)):
        energy[i] = kernel(x[i], gradient[i], parameters)
