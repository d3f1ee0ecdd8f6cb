# SPDX-License-Identifier: MIT
"""Hybrid (Hamiltonian) Monte Carlo for phi^4.

Momenta p ~ N(0, 1) are drawn afresh, H = p^2/2 + S(phi) is followed by leapfrog steps

    p -= eps/2 dS/dphi,   phi += eps p,   p -= eps/2 dS/dphi,        dS/dphi_i = -2 hop sum_j phi_j + 2
    quadratic phi_i + 4 quartic phi_i^3,

and the end is accepted with min(1, exp(-dH)). The map is reversible and keeps volume, so exp(-S) is
stationary for any step. The number of steps is uniform in ``1 .. 2 round(trajectory_length / eps) - 1`` and
eps varies by 10 percent from one trajectory to the next, both independent of the field: no mode is ever in
resonance with the trajectory.

In the warm-up eps is tuned by dual averaging to a mean acceptance of `target_acceptance`; then it is frozen.
One sweep is one trajectory (about ``trajectory_length / eps`` gradients of the whole lattice).

References
----------
Duane, Kennedy, Pendleton and Roweth, Phys. Lett. B 195, 216 (1987), doi:10.1016/0370-2693(87)91197-X.
Hoffman and Gelman, J. Mach. Learn. Res. 15, 1593 (2014), section 3.2, arXiv:1111.4246 (dual averaging).
Mackenzie, Phys. Lett. B 226, 369 (1989), doi:10.1016/0370-2693(89)91212-4 (randomised length).
"""

from __future__ import annotations

import math
import numbers

import numpy as np
from numba import njit

from edgphys.mcmc.phi4_base import AbstractPhi4Sampler, measure_field
from edgphys.mcmc.sampler import ACCEPTED, ATTEMPTED, GRADIENTS, ChainState
from edgphys.mcmc.xoshiro import fill_normal, uniform

__all__ = ["Phi4HMC", "action_of", "leapfrog"]

_JITTER = 0.1
# Hoffman and Gelman's gamma, t_0 and kappa.
_SHRINKAGE, _DELAY, _DECAY = 0.05, 10.0, 0.75


class Phi4HMC(AbstractPhi4Sampler):
    """Global updates along trajectories; any lattice and couplings.

    Options: ``trajectory_length`` (mean length in units of molecular-dynamics time, positive) and
    ``target_acceptance`` (between 0 and 1).
    """

    name = "hmc"
    sweep = "one trajectory"
    defaults = {"trajectory_length": 2.0, "target_acceptance": 0.8}  # noqa: RUF012  (read only)

    def _check_options(self) -> None:
        for key, top in (("trajectory_length", math.inf), ("target_acceptance", 1.0)):
            value = self.options[key]
            if not isinstance(value, numbers.Real) or not 0 < value < top:
                raise ValueError(f"{key} must be a number in (0, {top:g}), got {value!r}")

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        state = super().start(index, seed)
        # Half the stability limit 2 / omega of the stiffest mode at the typical |phi|.
        hop, quadratic, quartic = self._action()
        coordination = self.layout.neighbours.shape[1]
        stiffness = 2 * quadratic + 2 * abs(hop) * coordination + 12 * quartic * self._amplitude() ** 2
        state.tuning[:3] = math.log(min(1 / math.sqrt(stiffness), self.options["trajectory_length"]))
        return state

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        length, target = (float(self.options[key]) for key in ("trajectory_length", "target_acceptance"))
        _warm_up(*self._args(state), state.tuning, length, target, n_sweeps)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        step = math.exp(np.mean([s.tuning[2] for s in states]))
        return {"step_size": min(step, float(self.options["trajectory_length"]))}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        steps = tuned["step_size"], float(self.options["trajectory_length"])
        _sample(*self._args(state), steps, self._probe(), thin, rows, kept)

    def calls(self, states: list[ChainState]) -> tuple[int, int]:
        return tuple(sum(int(s.counts[place]) for s in states) for place in (ATTEMPTED, GRADIENTS))

    def _args(self, state: ChainState) -> tuple:
        return state.configuration, state.rng, state.counts, self.layout.neighbours, self._action()


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _kick(phi, momentum, neighbours, action, step):
    """``momentum -= step * dS/dphi``."""
    hop, quadratic, quartic = action
    n_sites, q = neighbours.shape
    for i in range(n_sites):
        total = 0.0
        for j in range(q):
            total += phi[neighbours[i, j]]
        value = phi[i]
        force = -2.0 * hop * total + value * (2.0 * quadratic + 4.0 * quartic * value * value)
        momentum[i] -= step * force


@njit(nogil=True, cache=True)
def leapfrog(phi, momentum, neighbours, action, step, n_steps):
    """`n_steps` leapfrog steps in place: phi (n_sites + 1,), momentum (n_sites,); n_steps + 1 gradients."""
    n_sites = neighbours.shape[0]
    _kick(phi, momentum, neighbours, action, 0.5 * step)
    for k in range(n_steps):
        for i in range(n_sites):
            phi[i] += step * momentum[i]
        _kick(phi, momentum, neighbours, action, step if k + 1 < n_steps else 0.5 * step)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def action_of(phi, neighbours, action):
    """S of one field, shape (n_sites + 1,) in storage order."""
    hop, quadratic, quartic = action
    n_sites, q = neighbours.shape
    links, local = 0.0, 0.0
    for i in range(n_sites):
        total = 0.0
        for j in range(q):
            total += phi[neighbours[i, j]]
        square = phi[i] * phi[i]
        links += phi[i] * total  # every bond twice
        local += square * (quadratic + quartic * square)
    return local - hop * links


@njit(nogil=True, cache=True)
def _hamiltonian(phi, momentum, neighbours, action):
    return action_of(phi, neighbours, action) + 0.5 * np.sum(momentum * momentum)


@njit(nogil=True, cache=True)
def _trajectory(phi, rng, counts, neighbours, action, step, length, scratch):
    """One proposal and its acceptance; the acceptance probability."""
    momentum, before = scratch
    n_sites = neighbours.shape[0]
    fill_normal(rng, momentum, n_sites)
    before[:] = phi
    start = _hamiltonian(phi, momentum, neighbours, action)
    longest = max(1, 2 * round(length / step) - 1)
    n_steps = 1 + int(uniform(rng) * longest)
    step *= 1.0 + _JITTER * (2.0 * uniform(rng) - 1.0)
    leapfrog(phi, momentum, neighbours, action, step, n_steps)
    change = _hamiltonian(phi, momentum, neighbours, action) - start
    probability = 0.0  # also for a trajectory that ran away to NaN
    if change <= 0.0:
        probability = 1.0
    elif change > 0.0:
        probability = math.exp(-change)
    counts[ATTEMPTED] += 1
    counts[GRADIENTS] += n_steps + 1
    if uniform(rng) < probability:
        counts[ACCEPTED] += 1
    else:
        phi[:] = before
    return probability


@njit(nogil=True, cache=True)
def _adapt_step(tuning, probability, target):
    """Dual averaging. tuning: 0 centre mu, 1 log eps, 2 its average, 3 mean error, 4 number of steps."""
    tuning[4] += 1.0
    t = tuning[4]
    tuning[3] += (target - probability - tuning[3]) / (t + _DELAY)
    tuning[1] = tuning[0] - math.sqrt(t) / _SHRINKAGE * tuning[3]
    weight = t**-_DECAY
    tuning[2] += weight * (tuning[1] - tuning[2])


@njit(nogil=True, cache=True)
def _warm_up(phi, rng, counts, neighbours, action, tuning, length, target, n_sweeps):
    scratch = np.empty(neighbours.shape[0]), np.empty_like(phi)
    for _ in range(n_sweeps):
        # A step beyond the trajectory length would only be cut back to one step of that size.
        step = min(math.exp(tuning[1]), length)
        _adapt_step(tuning, _trajectory(phi, rng, counts, neighbours, action, step, length, scratch), target)


@njit(nogil=True, cache=True)
def _sample(phi, rng, counts, neighbours, action, steps, probe, thin, rows, kept):
    step, length = steps
    scratch = np.empty(neighbours.shape[0]), np.empty_like(phi)
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            _trajectory(phi, rng, counts, neighbours, action, step, length, scratch)
        measure_field(phi, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
