# SPDX-License-Identifier: MIT
"""A batch of points moved by Hamiltonian Monte Carlo, one trajectory each, while the system changes under it.

u = energy / T. Momenta are drawn afresh for every trajectory of `N_LEAPFROG` leapfrog steps of unit mass; a
trajectory is accepted with probability ``min(1, exp(-change of u + |p|^2 / 2))``, and refused where that is
not a number. Systems with a numba kernel move in threads, row by row; all others in torch, the whole batch at
once.

References
----------
Neal, MCMC using Hamiltonian dynamics, arXiv:1206.1901, section 3.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgphys._threads import cpu_count
from edgphys.mcmc.annealing.walkers import AbstractWalkers
from edgphys.systems.base import AbstractSystem
from edgphys.systems.continuous.kernel_pointer import KernelPointer

__all__ = ["N_LEAPFROG", "MovingPoints"]

N_LEAPFROG = 10
_ACCEPTANCE = 0.8
# Fewer points are not worth a thread.
_LEAST_ROWS = 64


@final
class MovingPoints(AbstractWalkers):
    """A batch on its way from one system to the next; points move independently of each other.

    Parameters
    ----------
    system : AbstractContinuousSystem
        Where they begin.
    x : float64 array, shape (n_batch, n_variables)
        Copied.
    rng : numpy.random.Generator
        For momenta and acceptances.

    Attributes
    ----------
    x : float64 array, shape (n_batch, n_variables)
        Where they are.
    """

    _law: Any  # arguments of the compiled loops, of a system with a kernel

    pilot_rungs: ClassVar[tuple[int, int]] = (50, 400)

    def __init__(self, system: AbstractSystem, x: NDArray[np.float64], rng: np.random.Generator) -> None:
        self._rng, self._n_calls = rng, 0
        self.x = np.array(x, dtype=np.float64, order="C")
        n_threads = max(1, min(cpu_count(), len(x) // _LEAST_ROWS))
        self._cuts = [slice(rows[0], rows[-1] + 1) for rows in np.array_split(np.arange(len(x)), n_threads)]
        self._pool = ThreadPoolExecutor(n_threads)
        self._set(system)

    def _set(self, system: AbstractSystem) -> None:
        self.system, self._law = system, None
        self._n_calls += len(self.x)
        if system.kernel is None:
            self.energy, self.gradient = self._evaluated(self.x)
            return
        self._law = KernelPointer(system.kernel), system.kernel_parameters, float(system.beta)
        self.energy, self.gradient = np.empty(len(self.x)), np.empty_like(self.x)
        self._in_threads(_energies, self.x, self.energy, self.gradient)

    def _evaluated(self, x: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        """u and its gradient, of a system without kernel."""
        energy, gradient = self.system.energy_and_gradient(x)
        return self.system.beta * energy, self.system.beta * gradient

    def _in_threads(self, loop, *rows, last=()) -> None:
        list(self._pool.map(lambda cut: loop(*self._law, *(row[cut] for row in rows), *last), self._cuts))

    def switch(self, system: AbstractSystem) -> NDArray[np.float64]:
        before = self.energy
        self._set(system)
        return before - self.energy

    def first_steps(self) -> NDArray[np.float64]:
        """A leapfrog step, a tenth of the extent of the batch."""
        return np.array([0.1 * float(self.x.std()) / self.x.shape[1] ** 0.25])

    def tune(self, steps: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The guess itself, and a better one for the next rung."""
        better = steps * np.exp(0.5 * (self._one_trajectory(float(steps[0])) - _ACCEPTANCE))
        domain = self.system.domain
        # Where all is flat, no step is too long to be accepted: no longer than once round.
        return steps, better if domain is None else np.minimum(better, domain.lengths.max())

    def move(self, steps: NDArray[np.float64]) -> None:
        self._one_trajectory(float(steps[0]))

    def calls(self) -> tuple[int, int]:
        return 0, self._n_calls

    def _one_trajectory(self, step: float) -> float:
        """One HMC trajectory of every point; the mean acceptance probability."""
        self._n_calls += N_LEAPFROG * len(self.x)
        momentum, u = self._rng.standard_normal(self.x.shape), self._rng.random(len(self.x))
        if self._law is None:
            # A trajectory that diverges is refused.
            with np.errstate(over="ignore", invalid="ignore"):
                return float(self._batch_move(step, momentum, u).mean())
        probability = np.empty(len(u))
        rows = (self.x, self.energy, self.gradient, momentum, u, probability)
        self._in_threads(_trajectories, *rows, last=(step,))
        return float(probability.mean())

    def _batch_move(self, step: float, momentum: NDArray, u: NDArray) -> NDArray[np.float64]:
        """What `_trajectories` does, all points at once."""
        new, gradient, old_kinetic = self.x.copy(), self.gradient, 0.5 * (momentum**2).sum(1)
        for _ in range(N_LEAPFROG):
            momentum -= 0.5 * step * gradient
            new += step * momentum
            energy, gradient = self._evaluated(new)
            momentum -= 0.5 * step * gradient
        change = energy + 0.5 * (momentum**2).sum(1) - self.energy - old_kinetic
        probability = np.exp(np.minimum(0.0, -np.nan_to_num(change, nan=np.inf, neginf=np.inf)))
        accepted = u < probability
        self.x[accepted] = new[accepted]
        self.energy = np.where(accepted, energy, self.energy)
        self.gradient = np.where(accepted[:, None], gradient, self.gradient)
        return probability


@njit(nogil=True, cache=True)
def _energies(kernel, parameters, beta, x, energy, gradient):
    for i in range(len(x)):
        energy[i] = beta * kernel(x[i], gradient[i], parameters)
        gradient[i] *= beta


@njit(nogil=True, cache=True, error_model="numpy")
def _trajectories(kernel, parameters, beta, x, energy, gradient, momentum, u, probability, h):
    """One HMC trajectory of every row, step h, in place; momenta and uniform numbers are given."""
    n = x.shape[1]
    new, slope = np.empty(n), np.empty(n)
    for i in range(len(x)):
        p, change = momentum[i], -energy[i]
        for k in range(n):
            change -= 0.5 * p[k] * p[k]
            new[k] = x[i, k]
            p[k] -= 0.5 * h * gradient[i, k]
        for leap in range(N_LEAPFROG):
            for k in range(n):
                new[k] += h * p[k]
            last = beta * kernel(new, slope, parameters)
            # Two half steps make a whole one, but for the last.
            kick = h * beta if leap < N_LEAPFROG - 1 else 0.5 * h * beta
            for k in range(n):
                p[k] -= kick * slope[k]
        change += last
        for k in range(n):
            change += 0.5 * p[k] * p[k]
        # -inf is no energy to go to either; written so that not a number is refused.
        probability[i] = min(1.0, math.exp(-change)) if -math.inf < change < math.inf else 0.0
        if u[i] < probability[i]:
            energy[i] = last
            for k in range(n):
                x[i, k], gradient[i, k] = new[k], beta * slope[k]
