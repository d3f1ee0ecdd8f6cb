# SPDX-License-Identifier: MIT
"""A ladder of rungs with swaps, as one Markov chain on the product of their configuration spaces.

To the driver a ladder is a sampler like any other, so that threads, pieces, progress and checkpoints are
those of `edgphys.mcmc.run`. The four arrays of its `ChainState` hold those of all rungs:

    configuration   (replica, ...): a replica keeps its place, a swap only exchanges two entries of `replica`
    rng             all rungs' generators, then that of the swaps (4 words)
    counts          all rungs' counters, then those of the swaps (see `_View`)
    tuning          all rungs' memories, then the sums of the swap probabilities

Generators, counters and tuning stay with the rung: a rung is a fixed transition kernel, and what visits it
are configurations.
"""

from __future__ import annotations

import math

import numpy as np

from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.core.action_terms import make_action_terms
from edgphys.mcmc.core.sampler import AbstractSampler, ChainState
from edgphys.mcmc.random.xoshiro import new_state
from edgphys.mcmc.tempering.houdayer import exchange_cluster
from edgphys.mcmc.tempering.swaps import count_trips, swap_round

__all__ = ["LadderSampler"]

# Numbers in the buffer of configurations between two looks at their terms: 32 MiB of float64.
_BUFFER = 1 << 22
# What the interpreter takes for one call of a rung's kernel, in updates of a variable.
_OVERHEAD = 5_000


class LadderSampler(AbstractSampler):
    """Rungs ``systems[k]``, each advanced by its own sampler, with swaps every `swap_every` sweeps.

    Parameters
    ----------
    system : AbstractSystem
        What the ladder was made from; it names the run.
    systems : sequence of AbstractSystem
        The rungs. Their actions must share their terms.
    algorithm : str
        Of every rung.
    options : dict
        Options of the algorithm.
    swap_every : int
        Sweeps between two rounds of swaps; 0: no swaps.
    pairs : bool
        Every two rungs are replicas of one system, which exchange clusters after every round of swaps.

    Notes
    -----
    A row of ``rows`` holds, for each rung, the columns of its sampler, the action terms and the number of
    its replica, before the swaps that follow the draw.
    """

    name = "temper"
    sweep = "one sweep of the algorithm at every rung"
    keeps_configurations = False  # but those of all rungs in a row

    def __init__(
        self, system, systems, algorithm: str, options: dict, swap_every: int, pairs: bool = False
    ) -> None:
        self.system, self.pairs = system, pairs
        self.samplers = [make_sampler(each, algorithm, options) for each in systems]
        shared = set.intersection(*(set(each.columns) for each in self.samplers))
        for each in self.samplers:
            if excess := set(each.columns) - shared:
                each.leave_out(excess)
        self.swap_every = swap_every
        self.options = {
            "algorithm": algorithm,
            "swap_every": swap_every,
            "rungs": [each.parameters for each in systems],
            "options": self.samplers[0].options,
            **({"pairs": True} if pairs else {}),
        }
        self.coefficients = np.array([each.action_coefficients for each in systems])
        self._terms = make_action_terms(systems[0])
        self._template = self.samplers[0].start(0, np.random.SeedSequence(0))

    @property
    def n_rungs(self) -> int:
        return len(self.samplers)

    @property
    def n_terms(self) -> int:
        return self.coefficients.shape[1]

    @property
    def n_variables(self) -> int:
        return self.n_rungs * self.samplers[0].n_variables

    @property
    def updates_per_sweep(self) -> int:
        between_swaps = _OVERHEAD * self.n_rungs // self.swap_every if self.swap_every else 0
        return sum(each.updates_per_sweep for each in self.samplers) + between_swaps

    @property
    def n_columns(self) -> int:
        return self.n_rungs * (self.samplers[0].n_columns + self.n_terms + 1 + self.pairs)

    @property
    def n_own(self) -> int:
        return self.n_rungs * self.samplers[0].n_own

    def own(self, kept: np.ndarray) -> np.ndarray:
        """Rung after rung."""
        rungs = np.split(kept, self.n_rungs, axis=-1)
        return np.concatenate([s.own(rung) for s, rung in zip(self.samplers, rungs, strict=True)], axis=-1)

    def kept_dtype(self) -> type:
        return self.samplers[0].kept_dtype()

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        n, seeds = self.n_rungs, seed.spawn(self.n_rungs + 1)
        # Neighbouring rungs start differently, as neighbouring chains do.
        states = [s.start(index + k, seeds[k]) for k, s in enumerate(self.samplers)]
        words = [state.rng.ravel() for state in states] + [new_state(seeds[n])]
        counts = [state.counts.ravel() for state in states]
        counts += [np.arange(n), np.zeros(3 * n + 3, np.int64)]
        memory = [state.tuning.ravel() for state in states] + [np.zeros(n - 1)]
        return ChainState(
            configuration=np.stack([state.configuration for state in states]),
            rng=np.concatenate(words),
            counts=np.concatenate(counts),
            tuning=np.concatenate(memory),
        )

    def unpack(self, state: ChainState) -> np.ndarray:
        rungs = _View(self, state).rungs
        return np.concatenate([s.unpack(rung) for s, rung in zip(self.samplers, rungs, strict=True)])

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        view, end = _View(self, state), first + n_sweeps
        uncounted = np.zeros(self.n_rungs - 1, np.int64), np.zeros(self.n_rungs - 1)
        while first < end:
            n = end - first
            if self.swap_every:
                n = min(n, self.swap_every - first % self.swap_every)
            for sampler, rung in zip(self.samplers, view.rungs, strict=True):
                sampler.warm_up(rung, first, n, n_total)
            first += n
            if self.swap_every and first % self.swap_every == 0:
                now = np.stack([s.unpack(r) for s, r in zip(self.samplers, view.rungs, strict=True)])
                view.swap(self._terms(now), self.coefficients, *uncounted)
                self._exchange(view)

    def freeze(self, states: list[ChainState]) -> dict:
        rungs = self._by_rung(states)
        return {"rungs": [s.freeze(each) for s, each in zip(self.samplers, rungs, strict=True)]}

    def advance(self, state: ChainState, tuned: dict, thin: int, rows, kept) -> None:
        view, n_rungs = _View(self, state), self.n_rungs
        table = rows.reshape(len(rows), n_rungs, -1)
        n_columns = self.samplers[0].n_columns
        step = min(thin, self.swap_every or thin)
        longest = self._longest(step, len(rows))
        measured, passed = (np.empty((n_rungs, longest, columns)) for columns in (n_columns, 1))
        visited = np.empty((n_rungs, longest, self.samplers[0].n_variables), self.kept_dtype())
        first = 0
        while first < len(rows):
            n = min(longest, len(rows) - first)
            if self.swap_every > step:
                n = min(n, (self.swap_every - view.scalars[_SWEEPS] % self.swap_every) // step)
            view.scalars[_SWEEPS] += n * step
            # Observables of what only passes on its way to the next draw would take longer than the sweep.
            measures = view.scalars[_SWEEPS] % thin == 0 or not self.samplers[0].columns_optional
            into = measured if measures else passed
            for k, (sampler, rung) in enumerate(zip(self.samplers, view.rungs, strict=True)):
                sampler.advance(rung, tuned["rungs"][k], step, into[k, :n], visited[k, :n])
            terms = self._terms(visited[:, :n].reshape(n_rungs * n, -1)).reshape(n_rungs, n, -1)
            if view.scalars[_SWEEPS] % thin == 0:
                part = slice(first, first + n)
                table[part, :, :n_columns] = measured[:, :n].swapaxes(0, 1)
                table[part, :, n_columns : n_columns + self.n_terms] = terms.swapaxes(0, 1)
                table[part, :, n_columns + self.n_terms] = view.replica
                if self.pairs:
                    table[part, :, -1] = _overlaps(visited[:, :n])
                if len(kept):
                    kept[part] = visited[:, :n].swapaxes(0, 1).reshape(n, -1)
                first += n
            if self.swap_every and view.scalars[_SWEEPS] % self.swap_every == 0:
                view.swap(terms[:, -1], self.coefficients, view.attempted, view.probability)
                self._exchange(view)
                view.count_trips()

    def _exchange(self, view: _View) -> None:
        """Between the two rungs of every pair, a cluster."""
        if self.pairs:
            neighbours = self.samplers[0].cluster_neighbours
            for one, other in zip(view.rungs[::2], view.rungs[1::2], strict=True):
                exchange_cluster(one.configuration, other.configuration, neighbours, view.rng)

    def _longest(self, step: int, n_draws: int) -> int:
        """Draws between two swaps, as many as the buffer takes."""
        if self.swap_every and self.swap_every <= step:
            return 1
        wanted = self.swap_every // step if self.swap_every else n_draws
        return max(1, min(wanted, n_draws, _BUFFER // self.n_variables))

    def report(self, states: list[ChainState]) -> dict:
        rungs = self._by_rung(states)
        return {"rungs": [s.report(each) for s, each in zip(self.samplers, rungs, strict=True)]}

    def calls(self, states: list[ChainState]) -> tuple[int, int]:
        rungs = self._by_rung(states)
        every = [s.calls(each) for s, each in zip(self.samplers, rungs, strict=True)]
        return sum(energies for energies, _ in every), sum(gradients for _, gradients in every)

    def swap_statistics(self, state: ChainState) -> dict[str, np.ndarray | float]:
        """Mean acceptance probability of each pair; number and mean duration of round trips, in rounds."""
        view = _View(self, state)
        n_trips, duration = (int(n) for n in view.scalars[_TRIPS : _TRIPS + 2])
        with np.errstate(invalid="ignore"):
            rate = view.probability / view.attempted
        return {
            "swap_rate": rate,
            "n_round_trips": float(n_trips),
            "round_trip_time": duration / n_trips if n_trips else math.nan,
        }

    def _by_rung(self, states: list[ChainState]) -> list[list[ChainState]]:
        return [list(each) for each in zip(*(_View(self, state).rungs for state in states), strict=True)]


# Places in _View.scalars: sweeps since the warm-up, rounds of swaps in all, round trips, their duration.
_SWEEPS, _ROUNDS, _TRIPS = 0, 1, 2


class _View:
    """The parts of a ladder's flat arrays, by name; writing to them writes to the state.

    Attributes
    ----------
    rungs : list of ChainState
        One a rung, its configuration that of the replica it holds.
    replica, stage, since : int64, shape (n_rungs,)
    attempted, probability : int64 and float64, shape (n_rungs - 1,)
    scalars : int64, shape (4,)
    """

    def __init__(self, ladder: LadderSampler, state: ChainState) -> None:
        n, one = ladder.n_rungs, ladder._template
        self._configurations = state.configuration
        rng = [part.reshape(one.rng.shape) for part in _split(state.rng, n, one.rng.size)]
        counts = [part.reshape(one.counts.shape) for part in _split(state.counts, n, one.counts.size)]
        tuning = [part.reshape(one.tuning.shape) for part in _split(state.tuning, n, one.tuning.size)]
        self.rng = state.rng[n * one.rng.size :]
        rest = state.counts[n * one.counts.size :]
        self.replica, self.stage, self.since = (rest[k * n : (k + 1) * n] for k in range(3))
        self.attempted, self.scalars = rest[3 * n : 4 * n - 1], rest[4 * n - 1 :]
        self.probability = state.tuning[n * one.tuning.size :]
        places = zip(self.replica, rng, counts, tuning, strict=True)
        self.rungs = [ChainState(state.configuration[r], *parts) for r, *parts in places]

    def swap(self, terms, coefficients, attempted, probability) -> None:
        first = int(self.scalars[_ROUNDS] % 2)
        self.scalars[_ROUNDS] += 1
        args = self.replica, terms, coefficients, self.rng, first, attempted, probability
        if swap_round(*args):
            for rung, r in zip(self.rungs, self.replica, strict=True):
                rung.configuration = self._configurations[r]

    def count_trips(self) -> None:
        count_trips(self.replica, self.stage, self.since, self.scalars[_ROUNDS], self.scalars[_TRIPS:])


def _overlaps(visited: np.ndarray) -> np.ndarray:
    """Overlap per site of the two rungs of each pair, for both of them, shape (n_draws, n_rungs)."""
    spins = visited.astype(np.int16)
    return np.repeat((spins[::2] * spins[1::2]).mean(-1), 2, axis=0).T


def _split(flat: np.ndarray, n: int, size: int) -> list[np.ndarray]:
    return [flat[k * size : (k + 1) * size] for k in range(n)]
