# SPDX-License-Identifier: MIT
"""Metropolis-adjusted Langevin algorithm: Gaussian steps with a drift down the gradient.

    x' = x - s/2 t(x) + s xi,      t(x) = s grad U(x),    U = E/T,    xi ~ N(0, 1)
    accepted with min(1, exp(-U(x') + U(x)) q(x | x') / q(x' | x))

The proposal density q(x' | x) is not symmetric; its ratio (Hastings) makes exp(-U) stationary for any step s.
With the noise that leads back, xi' = [t(x) + t(x')]/2 - xi, the ratio is exp[(xi^2 - xi'^2)/2]. Where U is
steeper than quadratic the drift overshoots, and chains would stand still far out; so t is cut to a length of
2 sqrt(d), which it rarely has where the density is. The step is tuned to an acceptance of 0.574, best in many
dimensions. One sweep is `steps_per_sweep` proposals.

References
----------
Besag, J. R. Statist. Soc. B 56, 591 (1994). Roberts and Tweedie, Bernoulli 2, 341 (1996),
doi:10.2307/3318418 (section 1.4.3 for the cut). Roberts and Rosenthal, J. R. Statist. Soc. B 60, 255 (1998),
doi:10.1111/1467-9868.00123 (0.574).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit

from edgphys.mcmc.continuous.base import AbstractContinuousSampler
from edgphys.mcmc.continuous.batch import Batch
from edgphys.mcmc.continuous.tuning import learn_scales
from edgphys.mcmc.core.acceptance import acceptance, accepts
from edgphys.mcmc.core.dual_averaging import LOG_STEP, adapt_step
from edgphys.mcmc.core.sampler import GRADIENTS
from edgphys.mcmc.random.normal import fill_normal

__all__ = ["MALA"]

_LONGEST = 2.0  # of t, over sqrt(d)


class MALA(AbstractContinuousSampler):
    """Langevin proposals; options as in `edgphys.mcmc.continuous.base`."""

    name = "mala"
    rank = 90

    @property
    def sweep(self) -> str:
        return f"{self.options['steps_per_sweep']} proposals"

    def _best_acceptance(self) -> float:
        return 0.574

    def _first_step(self) -> float:
        return self.n_variables ** (-1 / 6)

    def _kernels(self) -> tuple[Callable, Callable]:
        return _warm_up, _sample

    def _move_batch(self, batch: Batch, steps: np.ndarray, tuned: dict) -> np.ndarray:
        noise = batch.normals()
        beta = self.system.beta
        drift = _drifts(beta * steps * batch.gradient)
        proposal = batch.x + steps * (noise - drift)
        energy, gradient = self.system.energy_and_gradient(proposal)
        back = drift + _drifts(beta * steps * gradient) - noise
        log_ratio = beta * (batch.energy - energy) + log_hastings(noise, back)
        return batch.accept(log_ratio, proposal, energy, gradient, 1)


def _drifts(slopes: np.ndarray) -> np.ndarray:
    """t/2 of each member, cut, from s grad U, shape (n_members, n_variables)."""
    longest = _LONGEST * math.sqrt(slopes.shape[1])
    length = np.sqrt((slopes * slopes).sum(axis=1, keepdims=True))
    return 0.5 * slopes * np.minimum(1.0, longest / np.maximum(length, 1e-300))


def log_hastings(noise: np.ndarray, back: np.ndarray) -> np.ndarray:
    """log q(x | x') - log q(x' | x) from the noise forth and back, shape (n_members,)."""
    return 0.5 * (noise * noise - back * back).sum(axis=1)


@njit(nogil=True, cache=True)
def _drift_factor(beta, steps, gradient):
    """What makes t/2, cut, out of s dE/dx."""
    square = 0.0
    for i in range(steps.size):
        square += (beta * steps[i] * gradient[i]) ** 2
    longest = _LONGEST * math.sqrt(steps.size)
    return 0.5 * beta * (1.0 if square <= longest * longest else longest / math.sqrt(square))


@njit(nogil=True, cache=True)
def _move(kernel, potential, x, energy, gradient, rng, counts, steps, scratch):
    """One proposal; the energy after it and the acceptance probability."""
    parameters, beta = potential
    noise, proposal, new_gradient = scratch
    d = x.size
    fill_normal(rng, noise)
    factor = _drift_factor(beta, steps, gradient)
    for i in range(d):
        proposal[i] = x[i] + steps[i] * (noise[i] - factor * steps[i] * gradient[i])
    new = kernel(proposal, new_gradient, parameters)
    new_factor = _drift_factor(beta, steps, new_gradient)
    log_hastings = 0.0
    for i in range(d):
        back = steps[i] * (factor * gradient[i] + new_factor * new_gradient[i]) - noise[i]
        log_hastings += 0.5 * (noise[i] * noise[i] - back * back)
    probability = acceptance(beta * (energy - new) + log_hastings)
    counts[GRADIENTS] += 1
    if accepts(rng, counts, probability):
        x[:] = proposal
        gradient[:] = new_gradient
        energy = new
    return energy, probability


@njit(nogil=True, cache=True)
def _scratch(x):
    return np.empty_like(x), np.empty_like(x), np.empty_like(x)


@njit(nogil=True, cache=True)
def _warm_up(kernel, potential, x, rng, counts, n_moves, learned, schedule):
    first, n_sweeps, n_total, acceptance_wanted, precondition, highest = schedule
    head, _, _, scales = learned
    gradient, scratch = np.empty_like(x), _scratch(x)
    energy = kernel(x, gradient, potential[0])
    for sweep in range(first, first + n_sweeps):
        for _ in range(n_moves):
            steps = math.exp(head[LOG_STEP]) * scales
            energy, probability = _move(kernel, potential, x, energy, gradient, rng, counts, steps, scratch)
            adapt_step(head, probability, acceptance_wanted, highest)
        learn_scales(learned, x.reshape(1, x.size), sweep, n_total, precondition)


@njit(nogil=True, cache=True)
def _sample(kernel, potential, x, rng, counts, n_moves, steps, rows, positions):
    gradient, scratch = np.empty_like(x), _scratch(x)
    energy = kernel(x, gradient, potential[0])
    for draw in range(rows.shape[0]):
        for _ in range(n_moves):
            energy, _ = _move(kernel, potential, x, energy, gradient, rng, counts, steps, scratch)
        rows[draw, 0] = energy
        if positions.shape[0] > 0:
            positions[draw] = x
