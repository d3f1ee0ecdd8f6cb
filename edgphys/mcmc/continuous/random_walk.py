# SPDX-License-Identifier: MIT
"""Random-walk Metropolis: all coordinates at once by Gaussian steps.

    x' = x + s xi,     xi ~ N(0, 1),     accepted with min(1, exp(-(E(x') - E(x)) / T))

The proposal is symmetric, so exp(-E/T) is stationary for any step s, and it reaches every point from every
other. The step is tuned to the acceptance that is best for a Gaussian density: 0.44 in one dimension, falling
to 0.234 in many. One sweep is `steps_per_sweep` proposals, as many as there are coordinates by default.

References
----------
Gelman, Roberts, Gilks, Bayesian Statistics 5, 599 (1996) (best acceptance in 1 to 10 dimensions).
Roberts, Gelman, Gilks, Ann. Appl. Probab. 7, 110 (1997), doi:10.1214/aoap/1034625254 (0.234).
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
from edgphys.mcmc.random.normal import fill_normal

__all__ = ["RandomWalkMetropolis"]

_BEST = (0.441, 0.352, 0.316, 0.279, 0.275, 0.266)  # in 1, 2, ... dimensions


class RandomWalkMetropolis(AbstractContinuousSampler):
    """Gaussian steps; options as in `edgphys.mcmc.continuous.base`."""

    name = "random_walk"
    rank = 100
    defaults = AbstractContinuousSampler.defaults | {"steps_per_sweep": None}
    needs_gradient = False

    def _check_options(self) -> None:
        if self.options["steps_per_sweep"] is None:
            self.options["steps_per_sweep"] = self.n_variables
        super()._check_options()

    @property
    def sweep(self) -> str:
        return f"{self.options['steps_per_sweep']} proposals"

    def _best_acceptance(self) -> float:
        return _BEST[self.n_variables - 1] if self.n_variables <= len(_BEST) else 0.234

    def _first_step(self) -> float:
        return 2.38 / math.sqrt(self.n_variables)

    def _kernels(self) -> tuple[Callable, Callable]:
        return _warm_up, _sample

    def _move_batch(self, batch: Batch, steps: np.ndarray, tuned: dict) -> np.ndarray:
        proposal = batch.x + steps * batch.normals()
        energy = self.system.energy(proposal)
        return batch.accept(self.system.beta * (batch.energy - energy), proposal, energy)


@njit(nogil=True, cache=True)
def _move(kernel, potential, x, energy, rng, counts, steps, scratch):
    """One proposal; the energy after it and the acceptance probability."""
    parameters, beta = potential
    proposal, unused = scratch
    fill_normal(rng, proposal)
    for i in range(x.size):
        proposal[i] = x[i] + steps[i] * proposal[i]
    new = kernel(proposal, unused, parameters)
    probability = acceptance(beta * (energy - new))
    if accepts(rng, counts, probability):
        x[:] = proposal
        energy = new
    return energy, probability


@njit(nogil=True, cache=True)
def _warm_up(kernel, potential, x, rng, counts, n_moves, learned, schedule):
    first, n_sweeps, n_total, acceptance_wanted, precondition, highest = schedule
    head, _, _, scales = learned
    scratch = np.empty_like(x), np.empty_like(x)
    energy = kernel(x, scratch[1], potential[0])
    for sweep in range(first, first + n_sweeps):
        for _ in range(n_moves):
            steps = math.exp(head[LOG_STEP]) * scales
            energy, probability = _move(kernel, potential, x, energy, rng, counts, steps, scratch)
            adapt_step(head, probability, acceptance_wanted, highest)
        learn_scales(learned, x.reshape(1, x.size), sweep, n_total, precondition)


@njit(nogil=True, cache=True)
def _sample(kernel, potential, x, rng, counts, n_moves, steps, rows, positions):
    scratch = np.empty_like(x), np.empty_like(x)
    energy = kernel(x, scratch[1], potential[0])
    for draw in range(rows.shape[0]):
        for _ in range(n_moves):
            energy, _ = _move(kernel, potential, x, energy, rng, counts, steps, scratch)
        rows[draw, 0] = energy
        if positions.shape[0] > 0:
            positions[draw] = x
