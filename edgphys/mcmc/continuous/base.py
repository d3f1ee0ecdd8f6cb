# SPDX-License-Identifier: MIT
"""What the algorithms for continuous coordinates share: starts, warm-up, freezing, draws.

Each algorithm is written twice: as a compiled move of one chain, for systems with a numba `kernel`, chains
in threads; and as a move of a batch of chains in numpy, for systems whose energy is a torch function. Both
leave exp(-E/T) invariant for every step size; the steps are tuned in the warm-up (see
`edgphys.mcmc.continuous.tuning`) and frozen.

Options of all: ``steps_per_sweep`` (proposals, or trajectories, per sweep), ``target_acceptance``,
``precondition`` (a scale for each coordinate, not one for all), ``start_scale`` (chains start from a normal
law of this width around the origin; by default the system says where) and ``chains_per_batch`` (chains that
one torch call serves; the default is that of `run`).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from edgphys import _checks
from edgphys._lazy import LazyModule
from edgphys.mcmc.continuous.batch import Batch
from edgphys.mcmc.continuous.tuning import HEAD, learn_scales, new_tuning, tuning_views
from edgphys.mcmc.core.dual_averaging import LOG_STEP, LOG_STEP_MEAN, adapt_step
from edgphys.mcmc.core.sampler import ATTEMPTED, GRADIENTS, AbstractSampler, ChainState
from edgphys.mcmc.random.xoshiro import new_state
from edgphys.systems.continuous.kernel_pointer import KernelPointer

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

__all__ = ["AbstractContinuousSampler"]

# Draws measured at a time: a buffer of positions stays small however long a piece is.
_DRAWS_A_BLOCK = 4096
_TRIES = 100


class AbstractContinuousSampler(AbstractSampler):
    """A chain on the coordinates of a system of the family "continuous"."""

    family = "continuous"
    defaults: ClassVar[dict] = {
        "steps_per_sweep": 1,
        "target_acceptance": None,
        "precondition": False,
        "start_scale": None,
        "chains_per_batch": 8,
    }
    # False: the energy kernel is enough.
    needs_gradient: ClassVar[bool] = True
    # Roughly; how many moves make a piece of a run.
    gradients_per_move: ClassVar[int] = 1
    columns_optional: ClassVar[bool] = True
    keeps_configurations: ClassVar[bool] = False

    def _check_options(self) -> None:
        options = self.options
        for name in ("steps_per_sweep", "chains_per_batch"):
            _checks.count(options[name], name, 1)
        if options["target_acceptance"] is not None:
            _checks.number(options["target_acceptance"], "target_acceptance", above=0.0, below=1.0)
        if options["start_scale"] is not None:
            _checks.positive(options["start_scale"], "start_scale")
        _checks.flag(options["precondition"], "precondition")

    def _prepare(self) -> None:
        system = self.system
        self.columns = ("energy", *system.observables)
        self._compiled = system.kernel is not None
        self.chains_per_state = 1 if self._compiled else int(self.options["chains_per_batch"])
        target = self.options["target_acceptance"]
        self._target = float(self._best_acceptance() if target is None else target)
        self._n_steps = int(self.options["steps_per_sweep"])
        if self._compiled:
            kernel = system.kernel if self.needs_gradient else system.energy_kernel
            parameters = np.array(system.kernel_parameters, np.float64)
            self._energy = KernelPointer(kernel), (parameters, float(system.beta))

    def configurations(self, kept: np.ndarray) -> np.ndarray:
        """Positions, where the chain moves in other coordinates."""
        flat = torch.from_numpy(np.ascontiguousarray(kept).reshape(-1, self.n_variables))
        return self.system.to_configurations(flat).numpy()

    @abstractmethod
    def _best_acceptance(self) -> float:
        """The acceptance that is best for a density of many like coordinates."""

    @abstractmethod
    def _first_step(self) -> float:
        """Step to begin with, in units of the width of the density."""

    @abstractmethod
    def _kernels(self) -> tuple[Callable, Callable]:
        """The compiled warm-up and the compiled draws.

        ``warm_up(kernel, potential, x, rng, counts, n_moves, learned, schedule, *lengths)`` and
        ``sample(kernel, potential, x, rng, counts, n_moves, steps, *lengths, rows, positions)``, which writes
        energies into ``rows[:, 0]``, and positions if there is room for them.
        """

    def _lengths_to_try(self) -> tuple:
        """Further arguments of the compiled warm-up."""
        return ()

    def _length_of_moves(self, tuned: dict) -> tuple:
        """Further arguments of the compiled draws."""
        return ()

    def _moving(self, state: ChainState, n_sweeps: int) -> tuple:
        return *self._energy, state.configuration, state.rng, state.counts, n_sweeps * self._n_steps

    def _warm_up_chain(self, state: ChainState, learned: tuple, first: int, n_sweeps: int, n_total: int):
        highest = self._highest(learned[3])
        schedule = first, n_sweeps, n_total, self._target, bool(self.options["precondition"]), highest
        warm_up, _ = self._kernels()
        warm_up(*self._moving(state, 1), learned, schedule, *self._lengths_to_try())

    def _sample_chain(self, state: ChainState, steps: np.ndarray, tuned: dict, thin: int, rows, positions):
        _, sample = self._kernels()
        sample(*self._moving(state, thin), steps, *self._length_of_moves(tuned), rows, positions)

    @abstractmethod
    def _move_batch(self, batch: Batch, steps: np.ndarray, tuned: dict) -> np.ndarray:
        """One proposal (or trajectory) of each member; the acceptance probabilities, shape (n_members,)."""

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        n, d = self.chains_per_state, self.n_variables
        start_seed, kernel_seed = seed.spawn(2)
        rng = np.random.default_rng(start_seed)
        points = self._finite_starts(index * n, rng)
        tuning = new_tuning(n, d, self._first_step(), self.system.width)
        if self._compiled:
            return ChainState(points[0], new_state(kernel_seed), tuning=tuning)
        words = np.stack([new_state(child) for child in kernel_seed.spawn(n + 1)])
        return ChainState(points, words, tuning=tuning)

    def _finite_starts(self, first: int, rng: np.random.Generator) -> np.ndarray:
        """Points for the chains ``first .. first + chains_per_state - 1`` with energies that are finite."""
        n, scale = self.chains_per_state, self.options["start_scale"]
        for _ in range(_TRIES):
            if scale is None:
                points = self.system.random_configurations(first + n, rng)[first:]
            else:
                points = float(scale) * rng.standard_normal((n, self.n_variables))
            points = np.ascontiguousarray(points, np.float64)
            if np.isfinite(self.system.energy(points)).all():
                return points
        raise ValueError(
            f"start_scale must give points of finite energy, got none in {_TRIES} tries with {scale!r}"
        )

    def unpack(self, state: ChainState) -> np.ndarray:
        return state.configuration.copy()

    @property
    def updates_per_sweep(self) -> int:
        # A torch call takes as long as some ten thousand compiled updates.
        cost = self.n_variables if self._compiled else 20_000
        return self._n_steps * self.gradients_per_move * cost

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        last, learned_scales = first + n_sweeps, n_total // 2 + 1
        if first < learned_scales < last and self.system.domain is not None:
            self.warm_up(state, first, learned_scales - first, n_total)
            self.warm_up(state, learned_scales, last - learned_scales, n_total)
            return
        learned = tuning_views(state.tuning, self.chains_per_state, self.n_variables)
        self._warm_up_piece(state, learned, first, n_sweeps, n_total)
        if last == learned_scales and self.system.domain is not None:
            # Of variables that go round, what a chain has travelled is not the width of their density.
            np.minimum(learned[3], self.system.domain.lengths / math.sqrt(12.0), out=learned[3])

    def _highest(self, scales: np.ndarray) -> float:
        """Bound on the log of the step: once round all circles, to and fro in all intervals."""
        domain = self.system.domain
        return math.inf if domain is None else float(np.log(np.max(domain.lengths / scales)))

    def _warm_up_piece(self, state: ChainState, learned: tuple, first: int, n_sweeps: int, n_total: int):
        if self._compiled:
            self._warm_up_chain(state, learned, first, n_sweeps, n_total)
            return
        head, _, _, scales = learned
        batch = self._batch(state)
        with np.errstate(all="ignore"):  # a trajectory that runs away is refused, no more
            for sweep in range(first, first + n_sweeps):
                # One chain alone would take smaller steps to leave a steep place; here others outvote it.
                smaller = 0.25 ** (sweep % 4) if sweep < n_total // 10 else 1.0
                for _ in range(self._n_steps):
                    steps = smaller * math.exp(head[LOG_STEP]) * scales
                    probability = self._move_warming(batch, steps, sweep, n_total)
                    if smaller == 1.0:
                        adapt_step(head, float(probability.mean()), self._target, self._highest(scales))
                learn_scales(learned, batch.x, sweep, n_total, bool(self.options["precondition"]))

    def _move_warming(self, batch: Batch, steps: np.ndarray, sweep: int, n_total: int) -> np.ndarray:
        return self._move_batch(batch, steps, {})

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        n, d = self.chains_per_state, self.n_variables
        logs = [
            s.tuning[LOG_STEP_MEAN] + np.log(tuning_views(s.tuning, n, d)[3]) for s in states
        ]  # one row of coordinates a state
        steps = np.exp(np.mean(logs, axis=0))
        tuned = {"step_size": float(np.exp(np.log(steps).mean()))}
        if self.options["precondition"]:
            tuned["step_sizes"] = steps.tolist()
        return tuned

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        steps = np.array(tuned.get("step_sizes", np.full(self.n_variables, tuned["step_size"])))
        if not self._compiled:
            self._advance_batch(state, steps, tuned, thin, rows, kept)
            return
        if rows.shape[1] == 1:
            self._sample_chain(state, steps, tuned, thin, rows, kept)
            return
        for begin in range(0, len(rows), _DRAWS_A_BLOCK):
            part = slice(begin, min(begin + _DRAWS_A_BLOCK, len(rows)))
            positions = kept[part] if len(kept) else np.empty((part.stop - begin, self.n_variables))
            self._sample_chain(state, steps, tuned, thin, rows[part], positions)
            self._measure(rows[part], positions)

    def _advance_batch(self, state: ChainState, steps, tuned, thin: int, rows, kept) -> None:
        batch, n_members = self._batch(state), len(rows)
        for draw in range(rows.shape[1]):
            with np.errstate(all="ignore"):
                for _ in range(thin * self._n_steps):
                    self._move_batch(batch, steps, tuned)
            rows[:, draw, 0] = batch.energy[:n_members]
            if rows.shape[-1] > 1:
                self._measure(rows[:, draw], batch.x[:n_members])
            if kept.shape[1]:
                kept[:, draw] = batch.x[:n_members]

    def _measure(self, rows: np.ndarray, positions: np.ndarray) -> None:
        measured = self.system.observe(positions)
        for column, name in enumerate(self.system.observables, start=1):
            rows[:, column] = measured[name]

    def _batch(self, state: ChainState) -> Batch:
        # Energies are computed anew in each piece, and so are the same in any cutting.
        energy, gradient = self.system.energy_and_gradient(state.configuration)
        head = state.tuning[:HEAD]
        return Batch(state.configuration, energy.copy(), gradient.copy(), state.rng, state.counts, head)

    def calls(self, states: list[ChainState]) -> tuple[int, int]:
        """Energies and gradients of whole configurations, warm-up included."""
        energies, gradients = (sum(int(s.counts[at]) for s in states) for at in (ATTEMPTED, GRADIENTS))
        return energies, gradients
