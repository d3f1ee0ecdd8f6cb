# SPDX-License-Identifier: MIT
"""Multi-spin coding: local updates of 64 independent Ising chains per word, several words at a time.

The chains of a group are the bits of the words at each site (`edgphys.mcmc.ising.bits.sweep`); they share
neither random bits nor anything else, and each is the checkerboard chain of its rule:

* ``metropolis``: a flip that costs dE is made with probability 15/16 min(1, exp(-beta dE)), see
  `edgphys.mcmc.ising.metropolis` for the factor. Any field; without field it is the fastest.
* ``heat_bath``: the new spin is up with probability 1 / (1 + exp(-2 beta b)), b the local field, whatever it
  was before.

Probabilities hold to the rounding of a double. Both rules satisfy detailed balance at each visit of a site,
and may end each visit either way, so that one sweep leads from any configuration to any other. Any lattice,
any boundary, either sign of the coupling; couplings of both signs and one size too, as of a +-J glass.

A group always computes all its chains, however few are asked for. With AVX2, `words` = 4 is the fastest per
chain, about four times as fast as 1, which suits a few chains.

`MultispinReplicas` gives each chain its own temperature, for parallel tempering over the bits of a word.
"""

from __future__ import annotations

import numpy as np

from edgphys import _checks
from edgphys.errors import ArgumentValueError, NotExactError
from edgphys.mcmc.core.sampler import ChainState
from edgphys.mcmc.ising.base import AbstractIsingSampler
from edgphys.mcmc.ising.bits.engine import RULES, Engine, why_not_in_words

__all__ = ["IsingMultispin", "MultispinReplicas"]

_WORDS = (1, 2, 4, 8)
# Words of snapshots held at a time, 32 MiB.
_BUFFER = 1 << 22
_NO_DRAWS = np.empty((0, 0), np.uint64)


class IsingMultispin(AbstractIsingSampler):
    """Local updates of a group of ``64 * words`` chains; any lattice, coupling and field, and +J and -J.

    Options: ``rule``, "metropolis" or "heat_bath"; ``words``, 1, 2, 4 or 8.

    Even chains of a group start disordered, odd ones ordered with alternating sign.
    """

    name = "multispin"
    rank = 80
    sweep = "n_sites attempted single-spin flips of each chain"
    defaults = {"rule": "metropolis", "words": 4}  # noqa: RUF012  (read only)

    @classmethod
    def serves(cls, system) -> str | None:
        return why_not_in_words(system)

    def _check_options(self) -> None:
        _check(self.options["rule"], self.options["words"])

    def _prepare(self) -> None:
        self._engine = Engine(self.system, [self.system.beta], self.options["rule"], self.options["words"])
        self.layout = self._engine.layout
        self.chains_per_state = self._engine.n_members
        self._temperature = np.zeros(self.chains_per_state, np.int64)

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        return self._engine.start(self._ordered(), seed)

    def unpack(self, state: ChainState) -> np.ndarray:
        return self._engine.unpack(state.configuration)

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        self._engine.run(state, self._temperature, n_sweeps, _NO_DRAWS)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        return {}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        n_members, n_draws = rows.shape[:2]
        step = max(1, _BUFFER // state.configuration.size)
        for first in range(0, n_draws, step):
            part = slice(first, min(first + step, n_draws))
            snapshots = np.empty((part.stop - first, state.configuration.size), np.uint64)
            self._engine.run(state, self._temperature, thin, snapshots)
            measured = self._engine.measure(snapshots, self._places[2])
            rows[:, part] = measured.transpose(2, 0, 1)[:n_members]
            for draw in range(first, part.stop if kept.shape[1] else first):
                kept[:, draw] = self._engine.unpack(snapshots[draw - first])[:n_members]

    def report(self, states: list[ChainState]) -> dict[str, float]:
        return {}


class MultispinReplicas:
    """Replicas of one system, each at a temperature of its own that may change between sweeps.

    Parameters
    ----------
    system : edgphys.systems.Ising
        Its own temperature is not used.
    betas : float64, shape (n_temperatures,)
        The inverse temperatures there are.
    rule, words
        As the options of `IsingMultispin`.

    Attributes
    ----------
    n_members : int
        Replicas, ``64 * words``.

    Notes
    -----
    The numbers of the replicas' temperatures are kept in ``state.tuning``, so that the arrays of the state
    are all that a continuation needs. Replica m starts at temperature ``m % n_temperatures``.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> system = Ising(lattices.build("square", (4, 4)), temperature=1.0)
    >>> replicas = MultispinReplicas(system, np.linspace(0.3, 0.5, 64), words=1)
    >>> state = replicas.start(np.random.SeedSequence(1))
    >>> replicas.sweep(state, 10)
    >>> replicas.assign(state, replicas.temperatures(state)[::-1])  # swap them all
    >>> replicas.measure(state).shape  # energy, magnetization, correlators
    (3, 64)
    """

    def __init__(self, system, betas, rule: str = "metropolis", words: int = 4) -> None:
        _check(rule, words)
        if reason := why_not_in_words(system):
            raise NotExactError(reason)
        self.betas = np.array(betas, np.float64).reshape(-1)
        self._engine = Engine(system, self.betas.tolist(), rule, words)
        self.layout = self._engine.layout
        self.n_members = self._engine.n_members

    def start(self, seed: np.random.SeedSequence) -> ChainState:
        """Every other replica disordered, the others up and down in turn."""
        state = self._engine.start(np.ones(self.layout.n_sites), seed)
        self.assign(state, np.arange(self.n_members) % self.betas.size)
        return state

    def assign(self, state: ChainState, temperatures: np.ndarray) -> None:
        """Give each replica the temperature of that number; int, shape (n_members,).

        Raises
        ------
        ValueError
            If there are not `n_members` numbers, or one of them is not the number of a temperature.
        """
        numbers = np.asarray(temperatures)
        if numbers.shape != (self.n_members,) or numbers.min() < 0 or numbers.max() >= self.betas.size:
            wanted = f"{self.n_members} numbers in 0..{self.betas.size - 1}"
            raise ValueError(f"temperatures must be {wanted}, got {temperatures!r}")
        state.tuning = numbers.astype(np.float64)

    def temperatures(self, state: ChainState) -> np.ndarray:
        """Number of the temperature of each replica, int64, shape (n_members,)."""
        return state.tuning.astype(np.int64)

    def sweep(self, state: ChainState, n_sweeps: int) -> None:
        """`n_sweeps` sweeps of each replica at its temperature."""
        self._engine.run(state, self.temperatures(state), n_sweeps, _NO_DRAWS)

    def measure(self, state: ChainState) -> np.ndarray:
        """Energy, magnetization and the correlators, (n_columns, n_members), as chains have them."""
        return self._engine.measure(state.configuration[None])[0]

    def unpack(self, state: ChainState) -> np.ndarray:
        """Spins, int8, shape (n_members, n_sites), in the order of the lattice."""
        return self._engine.unpack(state.configuration)


def _check(rule, words) -> None:
    _checks.choice(rule, "rule", RULES)
    if isinstance(words, bool) or words not in _WORDS:
        raise _checks.wrong(ArgumentValueError, "words", "1, 2, 4 or 8", words)
