# SPDX-License-Identifier: MIT
"""Hybrid (Hamiltonian) Monte Carlo for any continuous system.

Momenta p ~ N(0, 1) are drawn afresh, H = p^2/2 + U(x), U = E/T, is followed by leapfrog steps

    p -= s/2 grad U(x),    x += s p,    p -= s/2 grad U(x)

and the end is accepted with min(1, exp(-dH)). The map is reversible and keeps volume, so exp(-U) is
stationary for any step s, one per coordinate if preconditioned (a diagonal mass matrix). The mean number of
steps is length / step (`edgphys.mcmc.core.trajectory`).

The step is tuned to a mean acceptance of 0.8. Lengths are in units of the scales, in which a Gaussian has
period 2 pi. Without the option `trajectory_length` the warm-up tries pi/2 times 1/4, 1/2, 1, 2 and 4 in its
second half, takes the one with the largest expected squared jump per gradient, and tunes the step to it at
the end. One sweep is `steps_per_sweep` trajectories.

References
----------
Duane, Kennedy, Pendleton and Roweth, Phys. Lett. B 195, 216 (1987), doi:10.1016/0370-2693(87)91197-X.
Pasarica and Gelman, Statistica Sinica 20, 343 (2010) (squared jump distance).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit

from edgphys import _checks
from edgphys.mcmc.continuous.base import AbstractContinuousSampler
from edgphys.mcmc.continuous.batch import Batch
from edgphys.mcmc.continuous.tuning import N_LENGTHS, TRIAL_COST, TRIAL_GAIN, learn_scales
from edgphys.mcmc.core.acceptance import acceptance, accepts
from edgphys.mcmc.core.dual_averaging import LOG_STEP, LOG_STEP_MEAN, adapt_step
from edgphys.mcmc.core.sampler import GRADIENTS, ChainState
from edgphys.mcmc.core.trajectory import draw_trajectory
from edgphys.mcmc.random.normal import fill_normal
from edgphys.mcmc.random.xoshiro import uniform

__all__ = ["GenericHMC"]

_LENGTHS = 0.5 * math.pi * 2.0 ** np.arange(-2, 3)
_MIDDLE = 2
_LONGEST = 1000  # mean steps per trajectory: a bound on what a bad start of the tuning may cost


class GenericHMC(AbstractContinuousSampler):
    """Trajectories; options as in `edgphys.mcmc.continuous.base`, and ``trajectory_length`` (positive)."""

    name = "hmc"
    rank = 40
    gradients_per_move = 20
    defaults = AbstractContinuousSampler.defaults | {"trajectory_length": None}

    @property
    def sweep(self) -> str:
        n = self.options["steps_per_sweep"]
        return "one trajectory" if n == 1 else f"{n} trajectories"

    def _check_options(self) -> None:
        super()._check_options()
        if self.options["trajectory_length"] is not None:
            _checks.positive(self.options["trajectory_length"], "trajectory_length")

    def _prepare(self) -> None:
        super()._prepare()
        given = self.options["trajectory_length"]
        self._lengths = _LENGTHS if given is None else np.full(N_LENGTHS, float(given))

    def _best_acceptance(self) -> float:
        return 0.8

    def _first_step(self) -> float:
        return 0.5 * self.n_variables**-0.25

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        tuned = super().freeze(states)
        step = math.exp(np.mean([s.tuning[LOG_STEP_MEAN] for s in states]))
        gain = sum(s.tuning[TRIAL_GAIN : TRIAL_GAIN + N_LENGTHS] for s in states)
        cost = sum(s.tuning[TRIAL_COST : TRIAL_COST + N_LENGTHS] for s in states)
        length = float(self._lengths[_best_length(gain, cost)])
        return tuned | {"trajectory_length": length, "mean_steps": _mean_steps(length, step)}

    def _kernels(self) -> tuple[Callable, Callable]:
        return _warm_up, _sample

    def _lengths_to_try(self) -> tuple:
        return ((self._lengths, self.options["trajectory_length"] is None),)

    def _length_of_moves(self, tuned: dict) -> tuple:
        return (float(tuned["mean_steps"]),)

    def _move_batch(self, batch: Batch, steps: np.ndarray, tuned: dict) -> np.ndarray:
        return self._trajectories(batch, steps, float(tuned["mean_steps"]))[0]

    def _move_warming(self, batch: Batch, steps: np.ndarray, sweep: int, n_total: int) -> np.ndarray:
        on_trial = self.options["trajectory_length"] is None and _trying(sweep, n_total)
        k = _draw_length(batch.rng[-1]) if on_trial else _settled_length(batch.head)
        mean_steps = _mean_steps(float(self._lengths[k]), math.exp(batch.head[LOG_STEP]))
        before = batch.counts[GRADIENTS]
        probability, jumps = self._trajectories(batch, steps, mean_steps)
        if on_trial:
            step = math.exp(batch.head[LOG_STEP])  # jumps in units of the scales, not of the step
            batch.head[TRIAL_GAIN + k] += float((probability * jumps).sum()) * step * step
            batch.head[TRIAL_COST + k] += float(batch.counts[GRADIENTS] - before)
        return probability

    def _trajectories(self, batch: Batch, steps, mean_steps: float) -> tuple[np.ndarray, np.ndarray]:
        """One trajectory of each member, all of the same number of steps.

        The acceptance probabilities and the squared jumps in units of the steps.
        """
        momentum, beta = batch.normals(), self.system.beta
        start = beta * batch.energy + 0.5 * (momentum * momentum).sum(axis=1)
        n_steps, factor = draw_trajectory(batch.rng[-1], mean_steps)
        size = factor * steps
        x, energy, gradient = batch.x.copy(), batch.energy, batch.gradient
        momentum -= 0.5 * beta * size * gradient
        for k in range(n_steps):
            x += size * momentum
            energy, gradient = self.system.energy_and_gradient(x)
            momentum -= (1.0 if k + 1 < n_steps else 0.5) * beta * size * gradient
        end = beta * energy + 0.5 * (momentum * momentum).sum(axis=1)
        jumps = (((x - batch.x) / steps) ** 2).sum(axis=1)
        probability = batch.accept(start - end, x, energy, gradient, n_steps)
        return probability, np.where(probability > 0.0, jumps, 0.0)


@njit(nogil=True, cache=True)
def _mean_steps(length, step):
    return min(max(length / step, 1.0), _LONGEST)


@njit(nogil=True, cache=True)
def _trying(sweep, n_total):
    """Whether lengths are on trial: once the step has settled on the new scales, and until the last sixth.

    That sixth leaves the step to settle on the length that won.
    """
    return (6 * n_total) // 10 <= sweep < (5 * n_total) // 6


@njit(nogil=True, cache=True)
def _best_length(gain, cost):
    """Place of the length with the largest squared jump per gradient; the middle one until all were tried."""
    return np.argmax(gain / cost) if np.all(cost > 0.0) else _MIDDLE


@njit(nogil=True, cache=True)
def _settled_length(head):
    return _best_length(head[TRIAL_GAIN : TRIAL_GAIN + N_LENGTHS], head[TRIAL_COST : TRIAL_COST + N_LENGTHS])


@njit(nogil=True, cache=True)
def _draw_length(rng):
    return min(int(uniform(rng) * N_LENGTHS), N_LENGTHS - 1)


@njit(nogil=True, cache=True)
def _leapfrog(kernel, potential, x, momentum, gradient, size, n_steps):
    """`n_steps` leapfrog steps in place, `gradient` being dE/dx at x before and after; the energy."""
    parameters, beta = potential
    energy, d = 0.0, x.size
    for i in range(d):
        momentum[i] -= 0.5 * beta * size[i] * gradient[i]
    for k in range(n_steps):
        for i in range(d):
            x[i] += size[i] * momentum[i]
        energy = kernel(x, gradient, parameters)
        part = beta if k + 1 < n_steps else 0.5 * beta
        for i in range(d):
            momentum[i] -= part * size[i] * gradient[i]
    return energy


@njit(nogil=True, cache=True)
def _move(kernel, potential, x, energy, gradient, rng, counts, steps, mean_steps, scratch):
    """One trajectory; the energy after it, the acceptance probability and the squared jump."""
    beta = potential[1]
    momentum, new, new_gradient, size = scratch
    fill_normal(rng, momentum)
    start = beta * energy + 0.5 * np.sum(momentum * momentum)
    n_steps, factor = draw_trajectory(rng, mean_steps)
    for i in range(x.size):
        new[i], new_gradient[i], size[i] = x[i], gradient[i], factor * steps[i]
    new_energy = _leapfrog(kernel, potential, new, momentum, new_gradient, size, n_steps)
    probability = acceptance(start - beta * new_energy - 0.5 * np.sum(momentum * momentum))
    jump = 0.0
    if probability > 0.0:
        for i in range(x.size):
            jump += ((new[i] - x[i]) / steps[i]) ** 2
    counts[GRADIENTS] += n_steps
    if accepts(rng, counts, probability):
        x[:] = new
        gradient[:] = new_gradient
        energy = new_energy
    return energy, probability, jump


@njit(nogil=True, cache=True)
def _scratch(x):
    return np.empty_like(x), np.empty_like(x), np.empty_like(x), np.empty_like(x)


@njit(nogil=True, cache=True)
def _warm_up(kernel, potential, x, rng, counts, n_moves, learned, schedule, trial):
    first, n_sweeps, n_total, acceptance_wanted, precondition, highest = schedule
    lengths, undecided = trial
    head, _, _, scales = learned
    gradient, scratch = np.empty_like(x), _scratch(x)
    energy = kernel(x, gradient, potential[0])
    for sweep in range(first, first + n_sweeps):
        for _ in range(n_moves):
            step = math.exp(head[LOG_STEP])
            on_trial = undecided and _trying(sweep, n_total)
            k = _draw_length(rng) if on_trial else _settled_length(head)
            before = counts[GRADIENTS]
            energy, probability, jump = _move(
                kernel,
                potential,
                x,
                energy,
                gradient,
                rng,
                counts,
                step * scales,
                _mean_steps(lengths[k], step),
                scratch,
            )
            if on_trial:
                head[TRIAL_GAIN + k] += probability * jump * step * step  # in units of the scales
                head[TRIAL_COST + k] += counts[GRADIENTS] - before
            adapt_step(head, probability, acceptance_wanted, highest)
        learn_scales(learned, x.reshape(1, x.size), sweep, n_total, precondition)


@njit(nogil=True, cache=True)
def _sample(kernel, potential, x, rng, counts, n_moves, steps, mean_steps, rows, positions):
    gradient, scratch = np.empty_like(x), _scratch(x)
    energy = kernel(x, gradient, potential[0])
    for draw in range(rows.shape[0]):
        for _ in range(n_moves):
            energy, _, _ = _move(
                kernel, potential, x, energy, gradient, rng, counts, steps, mean_steps, scratch
            )
        rows[draw, 0] = energy
        if positions.shape[0] > 0:
            positions[draw] = x
