# SPDX-License-Identifier: MIT
"""Hybrid (Hamiltonian) Monte Carlo for phi^4.

Momenta p ~ N(0, 1) are drawn afresh, H = p^2/2 + S(phi) is followed by leapfrog steps

    p -= eps/2 dS/dphi,      phi += eps p,      p -= eps/2 dS/dphi,
    dS/dphi_i = -2 hop sum_{j ~ i} phi_j + 2 quadratic phi_i + 4 quartic phi_i^3,

and the end is accepted with min(1, exp(-dH)). The map is reversible and keeps volume, so exp(-S) is
stationary for any step. The mean number of steps is ``trajectory_length / eps``
(`edgphys.mcmc.core.trajectory`).

In the warm-up eps is tuned by dual averaging to a mean acceptance of `target_acceptance`
(`edgphys.mcmc.core.dual_averaging`), and the length to the fewest gradients for an independent draw
(`edgphys.mcmc.phi4.length_search`); then both are frozen. One sweep is one trajectory.

References
----------
Duane, Kennedy, Pendleton and Roweth, Phys. Lett. B 195, 216 (1987), doi:10.1016/0370-2693(87)91197-X.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint64

from edgphys import _checks
from edgphys.errors import ArgumentValueError
from edgphys.mcmc.core.acceptance import acceptance, accepts
from edgphys.mcmc.core.dual_averaging import LOG_STEP, LOG_STEP_MEAN, N_PLACES, adapt_step, restart
from edgphys.mcmc.core.layout import make_layout
from edgphys.mcmc.core.sampler import ATTEMPTED, GRADIENTS, ChainState
from edgphys.mcmc.core.spectrum import lowest_correlators, staggered_order
from edgphys.mcmc.core.trajectory import draw_trajectory
from edgphys.mcmc.phi4 import length_search
from edgphys.mcmc.phi4.base import AbstractPhi4Sampler
from edgphys.mcmc.phi4.stencil import action_of, fill_margins, kick, make_grid
from edgphys.mcmc.random.normal import fill_normal

__all__ = ["Phi4HMC", "hamiltonian", "leapfrog"]

# Places in ChainState.tuning: those of dual averaging, then the memory of the search for the length.
_SEARCH = N_PLACES
# Length of the first trajectories in units of the first step.
_FIRST_LENGTH = 8.0
# Steps in a trajectory of the warm-up: dual averaging first reacts to rejections with far too small a step.
_MOST_STEPS = 4096
# Steps of a mean trajectory; more have been tuned only where the action leaves float64.
_LONGEST = 100_000


class Phi4HMC(AbstractPhi4Sampler):
    """Global updates along trajectories; any lattice and couplings.

    Options: ``trajectory_length`` (mean length in units of molecular-dynamics time) and ``step_size``, both
    positive, or None to tune them; ``target_acceptance`` (between 0 and 1), at which the step size aims.
    """

    name = "hmc"
    rank = 40
    sweep = "one trajectory"
    defaults = {"trajectory_length": None, "step_size": None, "target_acceptance": 0.8}  # noqa: RUF012

    def _check_options(self) -> None:
        for name in ("trajectory_length", "step_size"):
            if self.options[name] is not None:
                _checks.positive(self.options[name], name)
        _checks.number(self.options["target_acceptance"], "target_acceptance", above=0.0, below=1.0)
        if None not in (self.options["trajectory_length"], self.options["step_size"]):
            _check_steps(self.options["trajectory_length"], self.options["step_size"])

    def _prepare(self) -> None:
        lattice = self.system.lattice
        self.layout = make_layout(lattice, np.arange(lattice.n_sites))
        self._grid = make_grid(lattice)
        # Half the stability limit 2 / omega of the stiffest mode at the typical |phi|.
        hop, quadratic, quartic = self._action()
        coordination = self.layout.neighbours.shape[1]
        stiffness = 2 * quadratic + 2 * abs(hop) * coordination + 12 * quartic * self._amplitude() ** 2
        self._unit = 1 / math.sqrt(stiffness)

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        state = super().start(index, seed)
        state.tuning = np.zeros(N_PLACES + length_search.N_MEMORY)
        length = self.options["trajectory_length"] or math.inf
        restart(state.tuning, math.log(self.options["step_size"] or min(self._unit, length)))
        return state

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        options = self.options
        length, tunes_step = options["trajectory_length"], options["step_size"] is None
        goal = float(options["target_acceptance"]) if tunes_step else 0.0
        if length is not None:
            _tune_step(*self._args(state), state.tuning, float(length), goal, n_sweeps)
            return
        pattern = np.sign(self._ordered())
        _tune_both(*self._args(state), state.tuning, (self._unit, goal), pattern, first, n_sweeps, n_total)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        step, length = self.options["step_size"], self.options["trajectory_length"]
        if length is None:
            memory = np.sum([s.tuning[_SEARCH:] for s in states], axis=0)
            length = length_search.best_length(memory, self._unit, _FIRST_LENGTH * self._unit)
        if step is None:
            step = min(math.exp(np.mean([s.tuning[LOG_STEP_MEAN] for s in states])), length)
        _check_steps(length, step)
        return {"step_size": float(step), "trajectory_length": float(length)}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        steps = tuned["step_size"], tuned["trajectory_length"]
        _sample(*self._args(state), steps, self._wave_probe(), thin, rows, kept)

    def calls(self, states: list[ChainState]) -> tuple[int, int]:
        energies, gradients = (sum(int(s.counts[at]) for s in states) for at in (ATTEMPTED, GRADIENTS))
        return energies, gradients

    def _args(self, state: ChainState) -> tuple:
        return state.configuration, state.rng, state.counts, self._grid, self._action()


def _check_steps(length: float, step: float) -> None:
    if not length <= _LONGEST * step:
        allowed = f"at least 1/{_LONGEST} of the trajectory_length {length:.3g}"
        raise _checks.wrong(ArgumentValueError, "step_size", allowed, float(step))


@njit(nogil=True, cache=True)
def leapfrog(field, momentum, grid, action, step, n_steps):
    """`n_steps` leapfrog steps in place, n_steps + 1 gradients.

    `field` is one of `edgphys.mcmc.phi4.stencil`, its margins filled before and after; `momentum` has shape
    (n_sites,).
    """
    pad = grid[0, 0]
    kick(field, momentum, grid, action, 0.5 * step)
    for k in range(n_steps):
        for i in range(uint64(momentum.size)):
            field[pad + i] += step * momentum[i]
        fill_margins(field, grid)
        kick(field, momentum, grid, action, step if k + 1 < n_steps else 0.5 * step)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _kinetic(momentum):
    total = 0.0
    for i in range(momentum.size):
        total += momentum[i] * momentum[i]
    return 0.5 * total


@njit(nogil=True, cache=True)
def hamiltonian(field, momentum, grid, action):
    """p^2 / 2 + S."""
    return action_of(field, grid, action) + _kinetic(momentum)


@njit(nogil=True, cache=True)
def _propose(field, rng, counts, grid, action, energy, steps, momentum):
    """One trajectory from the field with action `energy`: action of its end, acceptance probability."""
    step, length = steps
    fill_normal(rng, momentum)
    start = energy + _kinetic(momentum)
    n_steps, factor = draw_trajectory(rng, length / step)
    leapfrog(field, momentum, grid, action, factor * step, n_steps)
    counts[GRADIENTS] += n_steps + 1
    end = action_of(field, grid, action)
    return end, acceptance(start - (end + _kinetic(momentum)))


@njit(nogil=True, cache=True)
def _decide(field, before, rng, counts, probability, old, new):
    """Keep the end of the trajectory or go back; the action."""
    if accepts(rng, counts, probability):
        return new
    field[:] = before
    return old


@njit(nogil=True, cache=True)
def _open(phi, grid):
    """Scratch of a kernel: the field between its margins, room for its copy and for momenta."""
    n_sites, pad = phi.size - 1, int(grid[0, 0])
    field = np.zeros(n_sites + 2 * pad)
    field[pad : pad + n_sites] = phi[:n_sites]
    fill_margins(field, grid)
    return field, np.empty_like(field), np.empty(n_sites), pad


@njit(nogil=True, cache=True)
def _steps(log_step, length, target):
    """Step size, kept in bounds if it is tuned, and length."""
    step = math.exp(log_step)
    if target > 0.0:
        # A step beyond the trajectory length would only be cut back to one step of that size.
        step = min(max(step, length / _MOST_STEPS), length)
    return step, length


@njit(nogil=True, cache=True)
def _tune_step(phi, rng, counts, grid, action, tuning, length, target, n_sweeps):
    """Warm-up at a given length."""
    field, before, momentum, pad = _open(phi, grid)
    energy = action_of(field, grid, action)
    for _ in range(n_sweeps):
        before[:] = field
        steps = _steps(tuning[LOG_STEP], length, target)
        end, probability = _propose(field, rng, counts, grid, action, energy, steps, momentum)
        energy = _decide(field, before, rng, counts, probability, energy, end)
        if target > 0.0:  # else the step size is given
            adapt_step(tuning, probability, target)
    phi[:-1] = field[pad : field.size - pad]


@njit(nogil=True, cache=True)
def _tune_both(phi, rng, counts, grid, action, tuning, aims, pattern, first, n_sweeps, n_total):
    """Warm-up in the three parts that `length_search` explains."""
    unit, target = aims
    memory = tuning[_SEARCH:]
    field, before, momentum, pad = _open(phi, grid)
    inside = field[pad : field.size - pad]
    old, new = np.empty(4), np.empty(4)
    energy = action_of(field, grid, action)
    search, retune = n_total // 3, 2 * (n_total // 3)
    length = length_search.best_length(memory, unit, _FIRST_LENGTH * unit)
    for t in range(first, first + n_sweeps):
        if t == search:
            length_search.begin_search(memory, unit, momentum.size)
        if t == retune:
            length = length_search.best_length(memory, unit, _FIRST_LENGTH * unit)
            restart(tuning, tuning[LOG_STEP_MEAN])
        searching = search <= t < retune
        place, tried = length_search.candidate(memory, unit, t - search)
        log_step = tuning[LOG_STEP_MEAN if searching else LOG_STEP]
        steps = _steps(log_step, tried if searching else length, target)
        before[:] = field
        length_search.observe(inside, pattern, energy, old)
        gradients = counts[GRADIENTS]
        end, probability = _propose(field, rng, counts, grid, action, energy, steps, momentum)
        if searching:
            length_search.observe(inside, pattern, end, new)
            length_search.record(memory, place, counts[GRADIENTS] - gradients, probability, old, new)
        elif target > 0.0:
            adapt_step(tuning, probability, target)
        # The second half of the first part is near enough to equilibrium to place the window of the search.
        if search // 2 <= t < retune:
            length_search.collect(memory, old)
        energy = _decide(field, before, rng, counts, probability, energy, end)
    phi[:-1] = inside


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # sums of finite numbers: reordering is safe
def _measure(phi, energy, waves, row, kept):
    """As `edgphys.mcmc.phi4.base.measure_field`, the action being known."""
    (wave, staggered, end), cosines, sines, signs = waves
    total, squares = 0.0, 0.0
    for i in range(phi.size):
        total += phi[i]
        squares += phi[i] * phi[i]
    row[0], row[1], row[2] = energy, total / phi.size, squares / phi.size
    lowest_correlators(phi, cosines, sines, row[wave:staggered])
    staggered_order(phi, signs, cosines, sines, row[staggered:end])
    if kept.size > 0:
        kept[:] = phi


@njit(nogil=True, cache=True)
def _sample(phi, rng, counts, grid, action, steps, waves, thin, rows, kept):
    field, before, momentum, pad = _open(phi, grid)
    inside = field[pad : field.size - pad]
    energy = action_of(field, grid, action)
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            before[:] = field
            end, probability = _propose(field, rng, counts, grid, action, energy, steps, momentum)
            energy = _decide(field, before, rng, counts, probability, energy, end)
        _measure(inside, energy, waves, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
    phi[:-1] = inside
