# SPDX-License-Identifier: MIT
"""What every Markov-chain algorithm of this package provides, and the state it passes on.

A sampler is built once from a system and shared by all chains; it holds tables and options, never a chain. A
`ChainState` holds everything that the next step of one chain needs, the random-number state included. The
order of calls is fixed: `start` for each chain, `warm_up` in one or more pieces, `freeze` once over all
chains, then `advance` in as many pieces as wanted. Cutting a run into pieces, or into threads, changes no
number.

Tuning (proposal width, step size, clusters per sweep) happens in `warm_up` alone. `freeze` pools what the
chains found into one value for all of them, and `advance` only reads it: from then on the transition kernel
is fixed, and each sampler states in its docstring why it leaves ``exp(-reduced energy)`` invariant and
reaches every state.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from edgphys.errors import UnknownNameError
from edgphys.formulas import STAGGERED_PREFIX
from edgphys.mcmc.core.layout import Layout, make_layout
from edgphys.mcmc.random.xoshiro import new_state

__all__ = [
    "ACCEPTED",
    "ATTEMPTED",
    "CLUSTERS",
    "GRADIENTS",
    "VISITED",
    "AbstractLatticeSampler",
    "AbstractSampler",
    "ChainState",
]

# Places in ChainState.counts.
ATTEMPTED, ACCEPTED, VISITED, CLUSTERS, GRADIENTS = range(5)


@dataclass(eq=False)
class ChainState:
    """One chain, advanced in place by the kernels.

    Attributes
    ----------
    configuration : int8 or float64, shape (n_sites + 1,)
        In the order of the layout, the last entry zero (see `edgphys.mcmc.core.layout`).
    rng : uint64, shape (4,)
        State of the random-number generator (see `edgphys.mcmc.random.xoshiro`).
    counts : int64, shape (5,)
        Proposals attempted and accepted, spins visited by clusters, clusters, gradients of the action.
    tuning : float64, shape (8,)
        Memory of the warm-up; its meaning belongs to the algorithm.
    """

    configuration: np.ndarray
    rng: np.ndarray
    counts: np.ndarray = field(default_factory=lambda: np.zeros(5, np.int64))
    tuning: np.ndarray = field(default_factory=lambda: np.zeros(8))


class AbstractSampler(abc.ABC):
    """A Markov chain on the configurations of one system.

    Parameters
    ----------
    system : edgphys.systems.AbstractSystem
    options : dict
        The algorithm's own settings; names and defaults are in `defaults`.

    Attributes
    ----------
    name : str
    family : str
        Of the systems it is written for, as `AbstractSystem.family` names them.
    rank : int
        Place among the algorithms of all families, low is best: what decorrelates in fewer sweeps comes first
        (`edgphys.mcmc.algorithms.best_algorithm`).
    sweep : str
        What one sweep of this algorithm is, in words; stored with the data.
    defaults : dict
        Option names and their default values.
    columns : tuple of str
        Observables that the kernels write for each draw. On a lattice the class names those before the
        correlators and what is staggered, which an instance has as `AbstractLatticeSystem.measure` has them.
        What is not among them is derived from ``magnetization``.
    columns_optional : bool
        `advance` may be given rows of one column, for the first observable alone.
    keeps_configurations : bool
        What `advance` keeps are configurations of the system as they are, not other coordinates of them.
    extra_columns : dict of str to int
        Observables of several numbers per draw, in columns after the others: name and how many.
    improved_columns : tuple of str
        Which of the columns are improved estimators: other values at each draw, the same mean, less noise.
    cluster_neighbours : uint32 array or None
        Neighbours of every spin of a configuration, where two chains may exchange a part of theirs.
    chains_per_state : int
        Chains that one `ChainState` holds. Samplers with more than one (a group) fill ``rows`` of shape
        (n_members, n_draws, n_columns) and ``kept`` of shape (n_members, n_draws or 0, n_sites); members
        beyond ``n_members`` run along and are dropped.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    rank: ClassVar[int]
    sweep: ClassVar[str]
    defaults: ClassVar[dict] = {}
    columns: tuple[str, ...]
    columns_optional: ClassVar[bool] = False
    keeps_configurations: ClassVar[bool] = True
    extra_columns: dict[str, int] = {}  # noqa: RUF012  (replaced, never changed)
    improved_columns: tuple[str, ...] = ()
    chains_per_state: int = 1
    cluster_neighbours: np.ndarray | None = None

    @classmethod
    def serves(cls, system) -> str | None:
        """Why the algorithm does not apply to this instance of its family; None if it does."""
        return None

    def __init__(self, system, options: dict) -> None:
        unknown = sorted(set(options) - set(self.defaults))
        if unknown:
            known = ", ".join(self.defaults) or "none"
            raise UnknownNameError(f"options of {self.name!r} must be among: {known}; got {unknown[0]!r}")
        self.system = system
        self.options = self.defaults | options
        self._check_options()
        self._prepare()

    def _check_options(self) -> None:  # noqa: B027  (nothing to do is the common case)
        """Raise ValueError for an option out of range."""

    def _prepare(self) -> None:  # noqa: B027
        """Tables derived from system and options."""

    @property
    def n_variables(self) -> int:
        """Variables of one configuration; a sweep of local updates has as many."""
        return self.system.n_variables

    @property
    def updates_per_sweep(self) -> int:
        """Cost of a sweep in updates of one variable, roughly: how many make a piece of a run."""
        return self.n_variables

    @property
    def n_columns(self) -> int:
        """Numbers written for each draw."""
        return len(self.columns) + sum(self.extra_columns.values())

    @property
    def n_own(self) -> int:
        """Numbers of each draw that are observables of one's own."""
        return len(self.system.measured_beside)

    def own(self, kept: np.ndarray) -> np.ndarray:
        """Observables of one's own, shape (..., n_own), of what `advance` has kept, (..., n_variables)."""
        flat = self.configurations(kept.reshape(-1, self.n_variables))
        measured = self.system.measure_own(flat.reshape(-1, *self.system.event_shape))
        return np.stack(list(measured.values()), axis=-1).reshape(*kept.shape[:-1], -1)

    def kept_dtype(self) -> type:
        """dtype of the configurations returned."""
        return np.float64

    def leave_out(self, columns: set[str]) -> None:
        """Measure none of these, which not every system of a ladder has."""
        raise NotImplementedError(f"{self.name} measures {', '.join(self.columns)} always")

    @abc.abstractmethod
    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        """First state of a chain (or of a group of chains); the law must be wider than the target."""

    @abc.abstractmethod
    def unpack(self, state: ChainState) -> np.ndarray:
        """The configuration in the order of the system, shape (n_variables,); of a group, a row per chain."""

    def configurations(self, kept: np.ndarray) -> np.ndarray:
        """Configurations of the system from what `advance` has kept.

        The same, unless the chain's variables are other coordinates than those of the configurations.
        """
        return kept

    @abc.abstractmethod
    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        """Sweeps ``first .. first + n_sweeps - 1`` of the `n_total` of the warm-up, tuning as they go."""

    @abc.abstractmethod
    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        """Parameters for `advance`, pooled over the chains."""

    @abc.abstractmethod
    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        """Fill ``rows`` (n_draws, n_columns) with observables, `thin` sweeps apart.

        `kept`, shape (n_draws, n_variables) or (0, n_variables), takes the configurations in the order of
        the system.
        """

    def sweep_each(self, chains: ChainState, tuned: dict[str, float], kept) -> None:
        """One sweep of many chains, held by one state with an axis in front of those of a chain.

        `kept`, shape (n_chains, n_variables), takes their configurations in the order of the system.
        """
        rows = np.empty((1, self.n_columns))
        for k in range(len(kept)):
            parts = chains.configuration[k], chains.rng[k], chains.counts[k], chains.tuning[k]
            self.advance(ChainState(*parts), tuned, 1, rows, kept[k : k + 1])

    def report(self, states: list[ChainState]) -> dict[str, float]:
        """Diagnostics over all chains since the warm-up, for the settings stored with the data."""
        attempted = sum(int(s.counts[ATTEMPTED]) for s in states)
        accepted = sum(int(s.counts[ACCEPTED]) for s in states)
        return {"acceptance": accepted / attempted} if attempted else {}

    def calls(self, states: list[ChainState]) -> tuple[int, int]:
        """Whole energies and gradients so far; n_variables local energy differences count as one."""
        local = sum(int(s.counts[ATTEMPTED] + s.counts[VISITED]) for s in states)
        return math.ceil(local / self.n_variables), sum(int(s.counts[GRADIENTS]) for s in states)


class AbstractLatticeSampler(AbstractSampler):
    """A chain with one variable on each site of a lattice, kept in the order of a `Layout`.

    Even chains start disordered, odd ones ordered with alternating sign: starts wider than the target,
    without which R-hat means little.
    """

    # Of the staggered order, what kernels write before its correlators.
    staggered_columns: ClassVar[tuple[str, ...]] = ("magnetization",)
    layout: Layout
    _correlators: tuple[str, ...]
    _staggered: tuple[str, ...]

    def __init__(self, system, options: dict) -> None:
        self.layout = make_layout(system.lattice)
        observables = system.lattice_observables
        self._correlators = observables.correlators
        self._signs = None if observables.signs is None else np.asarray(observables.signs, np.int64)
        self._staggered = () if self._signs is None else (*self.staggered_columns, *self._correlators)
        self._staggered = tuple(STAGGERED_PREFIX + name for name in self._staggered)
        super().__init__(system, options)
        self._first_wave = len(self.columns)
        self.columns = (*self.columns, *self._correlators, *self._staggered)

    def leave_out(self, columns: set[str]) -> None:
        self.columns = tuple(name for name in self.columns if name not in columns)
        self._staggered = tuple(name for name in self._staggered if name not in columns)

    @property
    def _places(self) -> tuple[int, int, int]:
        """Columns of a row where the correlators begin, where what is staggered begins, and where it ends."""
        staggered = self._first_wave + len(self._correlators)
        return self._first_wave, staggered, staggered + len(self._staggered)

    def _wave_probe(self) -> tuple:
        """What kernels need for correlators: places of the columns, cosines, sines and signs of the sites."""
        signs = np.empty(0, np.int64) if self._signs is None else self._signs[self.layout.order]
        return self._places, self.layout.cosines, self.layout.sines, signs

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        start_seed, kernel_seed = seed.spawn(2)
        if index % 2 == 0:
            values = self._disordered(np.random.default_rng(start_seed))
        else:
            values = self._ordered() * (1 if index % 4 == 1 else -1)
        return ChainState(self.layout.store(values.astype(self.kept_dtype())), new_state(kernel_seed))

    def place(self, state: ChainState, values: np.ndarray) -> None:
        """Put the chain at a configuration in the order of the lattice, shape (n_sites,)."""
        state.configuration = self.layout.store(values.astype(self.kept_dtype()))

    def unpack(self, state: ChainState) -> np.ndarray:
        values = np.empty_like(state.configuration[:-1])
        values[self.layout.order] = state.configuration[:-1]
        return values

    @abc.abstractmethod
    def _disordered(self, rng: np.random.Generator) -> np.ndarray:
        """A configuration of independent sites, shape (n_sites,)."""

    @abc.abstractmethod
    def _ordered(self) -> np.ndarray:
        """A configuration near the ground state, shape (n_sites,)."""
