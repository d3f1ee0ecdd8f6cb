# SPDX-License-Identifier: MIT
"""What Metropolis and heat bath share: one spin at a time, flipped with a probability that its field gives.

Two ways to the same Markov chain, chosen by the lattice, where coupling and field are numbers:

* packed: sites that differ by a translation share a word of bits (`edgphys.mcmc.ising.bits.packing`); some
  50 times faster, for lattices with a periodic axis whose extent can be divided, from `LEAST_BITS` bits
  per word on;
* site by site, colour after colour or in random order, on any lattice.

Where bonds or sites have couplings of their own, `edgphys.mcmc.ising.given_couplings`, site by site.

In both a site's probability is that of a table over spin and sum of neighbours, to a resolution of 2**-64 or
better, so that rare excitations (probability 1e-12 and below) keep their exact rate. One sweep is n_sites
attempted flips.
"""

from __future__ import annotations

import abc

import numpy as np
from numba import int64, njit, uint64

from edgphys import _checks
from edgphys.mcmc.core.sampler import ACCEPTED, ATTEMPTED, ChainState
from edgphys.mcmc.ising import given_couplings
from edgphys.mcmc.ising.base import AbstractIsingSampler, measure_spins
from edgphys.mcmc.ising.bits.packed import FLIPPED, HEAT_BATH, LOOKED_AT, Kernel
from edgphys.mcmc.ising.bits.packing import choose_shifts, make_packing
from edgphys.mcmc.ising.bits.sweep import new_generators
from edgphys.mcmc.ising.bits.waves import N_LANES
from edgphys.mcmc.random.xoshiro import advance_words, next_word, random_site

__all__ = ["LEAST_BITS", "AbstractIsingLocal", "sweep_at_random", "sweep_in_order"]

# Sites that must share a word to make packing worth while; the vector has room for 256.
LEAST_BITS = 16


class AbstractIsingLocal(AbstractIsingSampler):
    """Local updates; any lattice, coupling and field.

    Options: ``order``, "checkerboard" or "random" (always site by site).
    """

    sweep = "n_sites attempted single-spin flips"
    defaults = {"order": "checkerboard"}  # noqa: RUF012  (read only)

    @staticmethod
    @abc.abstractmethod
    def flip_table(beta: float, coupling: float, field: float, max_coordination: int) -> np.ndarray:
        """Probability of a flip times 2**64 for each spin and sum of neighbours.

        Returns
        -------
        uint64, shape (2 * (2 q + 1),)
            Entry ``(2 q + 1) * (s + 1) / 2 + s * n + q`` for spin s, sum of neighbours n, largest
            coordination q.
        """

    @abc.abstractmethod
    def _rule(self) -> int:
        """Rule of `edgphys.mcmc.ising.bits.packed.Kernel`."""

    def _check_options(self) -> None:
        _checks.choice(self.options["order"], "order", ("checkerboard", "random"))

    def _prepare(self) -> None:
        system, lattice = self.system, self.system.lattice
        self._kernel = self._tables = None
        if not system.is_uniform:
            couplings = system.bond_couplings, system.site_fields
            self._tables = given_couplings.local_tables(self.layout, system.beta, *couplings)
            self.cluster_neighbours = self.layout.neighbours
            return
        numbers = system.beta, system.coupling, system.field
        self._table = self.flip_table(*numbers, self.layout.neighbours.shape[1])
        if self.options["order"] == "checkerboard" and lattice.coordination.min() > 0:
            shifts = choose_shifts(lattice)
            if np.prod(shifts) >= LEAST_BITS:
                self._kernel = Kernel(make_packing(lattice, shifts), self._rule(), *numbers, self._signs)

    @property
    def is_packed(self) -> bool:
        """Whether the configuration of a state is in words of bits."""
        return self._kernel is not None

    @property
    def updates_per_sweep(self) -> int:
        """In units of updates site by site, which take as long as 32 in words."""
        n = self.n_variables
        return max(1, n // 32) if self.is_packed else n

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        state = super().start(index, seed)
        if self._kernel is not None:
            seed = np.random.SeedSequence([int(word) for word in state.rng])
            lanes = new_generators(seed.spawn(N_LANES))
            state.configuration = self._kernel.pack(super().unpack(state))
            state.rng = np.concatenate([lanes, state.rng])
        return state

    def place(self, state: ChainState, values: np.ndarray) -> None:
        if self._kernel is None:
            super().place(state, values)
        else:
            state.configuration = self._kernel.pack(values.astype(np.int8))

    def unpack(self, state: ChainState) -> np.ndarray:
        packed = self._kernel
        return super().unpack(state) if packed is None else packed.unpack(state.configuration)

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        self.advance(state, {}, n_sweeps, np.empty((1, self.n_columns)), np.empty((0, 0), np.int8))

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        return {}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        if self._kernel is not None:
            self._kernel.advance(state, thin, rows, kept, self._places)
            return
        random_order = self.options["order"] == "random"
        if self._tables is not None:
            arrays, heat_bath = (state.configuration, state.rng, state.counts), self._rule() == HEAT_BATH
            how = self._tables, heat_bath, random_order
            given_couplings.sample(*arrays, *how, self._probe(), thin, rows, kept)
            return
        tables = self.layout.neighbours, self._table
        arrays = state.configuration, state.rng, state.counts
        _sample(*arrays, tables, random_order, self._probe(), thin, rows, kept)

    def report(self, states: list[ChainState]) -> dict[str, float]:
        if not self.is_packed:
            return super().report(states)
        looked_at = sum(float(s.tuning[LOOKED_AT]) for s in states)
        return {"acceptance": sum(float(s.tuning[FLIPPED]) for s in states) / looked_at} if looked_at else {}


@njit(nogil=True, cache=True)
def sweep_in_order(spins, rng, neighbours, table):
    """One sweep in the order of the layout; the number of flips."""
    n_sites, q = neighbours.shape
    s0, s1, s2, s3 = rng[0], rng[1], rng[2], rng[3]
    accepted = 0
    for i in range(n_sites):
        spin = int64(spins[i])
        total = int64(0)
        for j in range(q):
            total += spins[neighbours[i, j]]
        entry = uint64((2 * q + 1) * ((spin + 1) >> 1) + spin * total + q)
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        flip = int64(word < table[entry])  # arithmetic in place of a branch that would be mispredicted
        spins[i] = spin * (1 - 2 * flip)
        accepted += flip
    rng[0], rng[1], rng[2], rng[3] = s0, s1, s2, s3
    return accepted


@njit(nogil=True, cache=True)
def sweep_at_random(spins, rng, neighbours, table):
    """n_sites attempted flips at random sites; the number of flips."""
    n_sites, q = neighbours.shape
    accepted = 0
    for _ in range(n_sites):
        i = random_site(rng, n_sites)
        spin = int64(spins[i])
        total = int64(0)
        for j in range(q):
            total += spins[neighbours[i, j]]
        entry = uint64((2 * q + 1) * ((spin + 1) >> 1) + spin * total + q)
        flip = int64(next_word(rng) < table[entry])
        spins[i] = spin * (1 - 2 * flip)
        accepted += flip
    return accepted


@njit(nogil=True, cache=True)
def _sample(spins, rng, counts, tables, random_order, probe, thin, rows, kept):
    neighbours, table = tables
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            if random_order:
                counts[ACCEPTED] += sweep_at_random(spins, rng, neighbours, table)
            else:
                counts[ACCEPTED] += sweep_in_order(spins, rng, neighbours, table)
            counts[ATTEMPTED] += neighbours.shape[0]
        measure_spins(spins, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
