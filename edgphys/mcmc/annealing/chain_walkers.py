# SPDX-License-Identifier: MIT
"""Lattice configurations moved by sweeps of an algorithm of the package, while the system changes under them.

u = beta E, or the action: the product of coefficients and sums over the configuration, of which the couplings
change the coefficients only. A move is one sweep of the algorithm with its parameters frozen (clusters per
sweep, widths), which leaves exp(-u) invariant, see the docstring of each sampler. Parameters are found by
scouts: some walkers of a pilot, tuned at every rung from the start as in the warm-up of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar, cast, final

import numpy as np
from numpy.typing import NDArray

from edgphys._threads import cpu_count
from edgphys.errors import NotExactError
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.annealing.walkers import AbstractWalkers
from edgphys.mcmc.core.action_terms import make_action_terms
from edgphys.mcmc.core.sampler import AbstractLatticeSampler, AbstractSampler, ChainState
from edgphys.systems.base import AbstractSystem

__all__ = ["ChainWalkers", "check_single"]

# Walkers that are tuned, and their sweeps at each rung.
_N_SCOUTS, _SCOUT_SWEEPS = 32, 10
# Fewer walkers are not worth a thread.
_LEAST_ROWS = 64


@final
class ChainWalkers(AbstractWalkers):
    """Walkers of a lattice system, each a Markov chain with random numbers of its own.

    Parameters
    ----------
    system : AbstractSystem
        Where they begin.
    x : array, shape (n_batch, n_variables)
        In the order of the lattice; copied.
    rng : numpy.random.Generator
        Seeds the chains, and the scouts when `tune` is called first.
    algorithm : str
        That serves all systems on the way.
    options : mapping, optional
        Of the algorithm.

    Raises
    ------
    NotExactError
        If the algorithm holds several chains in a state, or does not serve a system.
    """

    pilot_rungs: ClassVar[tuple[int, int]] = (16, 128)

    def __init__(
        self,
        system: AbstractSystem,
        x: NDArray,
        rng: np.random.Generator,
        algorithm: str,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._algorithm, self._options, self._rng = algorithm, options, rng
        self._set(system)
        check_single(self._sampler)
        self.x = np.array(x, dtype=self._sampler.kept_dtype(), order="C")
        self._terms, self._chains = make_action_terms(system), self._begin(self.x)
        self._scouts: ChainState | None = None
        self._n_terms = 0
        n_threads = max(1, min(cpu_count(), len(x) // _LEAST_ROWS))
        self._cuts = [slice(rows[0], rows[-1] + 1) for rows in np.array_split(np.arange(len(x)), n_threads)]
        self._pool = ThreadPoolExecutor(n_threads)

    def _set(self, system: AbstractSystem) -> None:
        self.system = system
        self._sampler = cast(AbstractLatticeSampler, make_sampler(system, self._algorithm, self._options))

    def _begin(self, x: NDArray) -> ChainState:
        """All chains in one state, with an axis in front of those of a chain."""
        seeds = np.random.SeedSequence(self._rng.integers(2**32, size=4).tolist()).spawn(len(x))
        states = [self._sampler.start(0, seed) for seed in seeds]
        for state, values in zip(states, x, strict=True):
            self._sampler.place(state, values)
        return ChainState(
            np.stack([state.configuration for state in states]),
            np.stack([state.rng for state in states]),
            np.stack([state.counts for state in states]),
            np.stack([state.tuning for state in states]),
        )

    def switch(self, system: AbstractSystem) -> NDArray[np.float64]:
        before = self.system.action_coefficients
        self._set(system)
        self._n_terms += len(self.x)
        return self._terms(self.x) @ (before - system.action_coefficients)

    def first_steps(self) -> NDArray[np.float64]:
        return np.empty(len(self._tuned([self._sampler.start(0, np.random.SeedSequence(0))])))

    def tune(self, steps: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if len(steps):
            steps = np.array(list(self._tuned(self._warmed_scouts()).values()))
        self.move(steps)
        return steps, steps

    def _warmed_scouts(self) -> list[ChainState]:
        """Scouts after the warm-up of a run at this rung."""
        if self._scouts is None:
            self._scouts = self._begin(self.x[:_N_SCOUTS])
        chains = [chain_of(self._scouts, k) for k in range(len(self._scouts.rng))]
        fresh = self._sampler.start(0, np.random.SeedSequence(0)).tuning
        for chain in chains:
            chain.tuning[...] = fresh
            self._sampler.warm_up(chain, 0, _SCOUT_SWEEPS, _SCOUT_SWEEPS)
        return chains

    def _tuned(self, chains: list[ChainState]) -> dict[str, float]:
        """What the sampler freezes, in the order of the names."""
        return dict(sorted(self._sampler.freeze(chains).items()))

    def move(self, steps: NDArray[np.float64]) -> None:
        names = self._tuned([chain_of(self._chains, 0)])
        tuned = dict(zip(names, steps.tolist(), strict=True))

        def sweep(cut: slice) -> None:
            self._sampler.sweep_each(chain_of(self._chains, cut), tuned, self.x[cut])

        list(self._pool.map(sweep, self._cuts))

    def calls(self) -> tuple[int, int]:
        batches = [self._chains] if self._scouts is None else [self._chains, self._scouts]
        totals = [replace(batch, counts=batch.counts.sum(0)) for batch in batches]
        n_energies, n_gradients = self._sampler.calls(totals)
        return n_energies + self._n_terms, n_gradients


def chain_of(chains: ChainState, k: int | slice) -> ChainState:
    """One of many chains that one state holds, or some of them; writing to it writes to them."""
    return ChainState(chains.configuration[k], chains.rng[k], chains.counts[k], chains.tuning[k])


def check_single(sampler: AbstractSampler) -> None:
    """Refuse an algorithm that holds several chains in a state."""
    if sampler.chains_per_state > 1:
        raise NotExactError(
            f"algorithm must hold one chain in a state to be annealed, got {sampler.name!r}, which holds "
            f"{sampler.chains_per_state}"
        )
