# SPDX-License-Identifier: MIT
"""Replicas of one Ising system as bits of words: their tables, their starts, their sweeps and measurements.

The configuration of a group is a flat uint64 array, (n_sites + 1) times `n_lanes` words; bit b of word w of a
site is the spin, 1 for up, of replica ``64 w + b``. The last site is zero for ever. Sites are stored colour
after colour, and within a colour by coordination, so that the kernel finds sites of equal coordination in one
piece.

Couplings +J and -J: n_sites sites more hold the spins turned over, and a negative bond leads to the turned
spin of its other end. They are renewed colour after colour, and the kernels know nothing of it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit

from edgphys.mcmc.core.layout import Layout, make_layout
from edgphys.mcmc.core.sampler import ATTEMPTED, ChainState
from edgphys.mcmc.ising.bits.digits import class_digits, step_words
from edgphys.mcmc.ising.bits.logic import HEAT_BATH, IN_FIELD, METROPOLIS
from edgphys.mcmc.ising.bits.measure import make_probe, measure
from edgphys.mcmc.ising.bits.simd import static
from edgphys.mcmc.ising.bits.sweep import SCRATCH, new_generators, update_blocks
from edgphys.mcmc.random.xoshiro import new_state
from edgphys.systems.lattice.measurements import LatticeObservables

__all__ = ["RULES", "Engine", "why_not_in_words"]

RULES = ("metropolis", "heat_bath")
# Disordered, all up, disordered, all down, and so on through the bits of a word.
_RANDOM, _UP, _DOWN = (np.uint64(0x1111111111111111 * bits) for bits in (0b0101, 0b0010, 0b1000))
_ONES = np.uint64(2**64 - 1)


def why_not_in_words(system) -> str | None:
    """Why words of bits do not hold this Ising system; None if they do."""
    size = np.abs(system.bond_couplings)
    one_size = system.one_field and system.weighs_energy and size[0] > 0.0 and np.ptp(size) == 0.0
    if system.is_uniform or one_size:
        return None
    return (
        "multispin needs couplings of one size, of either sign, and one field (words of bits share a table "
        f"of probabilities), got {system!r}; use 'heat_bath' or 'metropolis'"
    )


class Engine:
    """The compiled kernels with the tables of one system.

    Parameters
    ----------
    system : edgphys.systems.Ising
        Its own temperature is not used.
    betas : sequence of float
        Inverse temperatures that replicas may have.
    rule : str
        One of `RULES`.
    n_lanes : int
        Words a site: a group has 64 times as many replicas.
    """

    def __init__(self, system, betas, rule: str, n_lanes: int) -> None:
        lattice, self.n_lanes = system.lattice, n_lanes
        field = float(system.field)
        coupling = float(system.coupling if system.is_uniform else abs(system.bond_couplings[0]))
        order = np.lexsort((lattice.coordination, lattice.colours)).astype(np.int64)
        self.layout = make_layout(lattice, order)
        negative = np.zeros(lattice.n_bonds, bool) if system.is_uniform else system.bond_couplings < 0.0
        self.layout = _with_turned(self.layout, negative) if negative.any() else self.layout
        # The words of turned spins that follow those of the sites and the one that is zero.
        self._n_turned = self.layout.n_sites if negative.any() else 0
        starts = np.searchsorted(lattice.colours[order], np.arange(lattice.n_colours + 1))
        self._colours = starts if negative.any() else np.empty(0, np.int64)
        self._rule = HEAT_BATH if rule == "heat_bath" else IN_FIELD if field else METROPOLIS
        self._flips = _ONES if coupling > 0 else np.uint64(0)
        observables = LatticeObservables(lattice, system.antiferromagnetic)
        signs = None if observables.signs is None else observables.signs[order]
        self._n_correlators = len(observables.correlators)
        self._n_columns = 2 + self._n_correlators + (0 if signs is None else 1 + self._n_correlators)
        self._probe = make_probe(self.layout, coupling, field, self._n_correlators, signs)
        self._blocks = [
            (_ranges(lattice, order, q), q, *class_digits(self._rule, q, betas, coupling, field))
            for q in np.unique(lattice.coordination).tolist()
        ]

    @property
    def n_members(self) -> int:
        """Replicas in a group."""
        return 64 * self.n_lanes

    def start(self, ordered: np.ndarray, seed: np.random.SeedSequence) -> ChainState:
        """A group of replicas, every other one disordered, the others `ordered` with alternating sign.

        `ordered`, +1 and -1, (n_sites,), is in the order of the lattice.
        """
        start_seed, single_seed, *lane_seeds = seed.spawn(2 + self.n_lanes)
        n, rng = self.layout.n_sites, np.random.default_rng(start_seed)
        configuration = _aligned((n + 1 + self._n_turned) * self.n_lanes)
        words = configuration.reshape(-1, self.n_lanes)
        words[:n] = rng.integers(0, 2**64, (n, self.n_lanes), np.uint64) & _RANDOM
        words[:n] |= np.where(ordered[self.layout.order] > 0, _UP, _DOWN)[:, None]
        words[n + 1 :] = ~words[: self._n_turned]
        generators = np.concatenate([new_generators(lane_seeds), new_state(single_seed)])
        return ChainState(configuration, generators)

    def unpack(self, words: np.ndarray) -> np.ndarray:
        """Spins, int8, (n_members, n_sites), in the order of the lattice, of a flat configuration."""
        n = self.layout.n_sites
        octets = words.reshape(-1, self.n_lanes)[:n].astype("<u8").view(np.uint8)
        bits = np.unpackbits(octets, axis=1, bitorder="little").astype(np.int8)
        spins = np.empty((self.n_members, n), np.int8)
        spins[:, self.layout.order] = 2 * bits.T - 1
        return spins

    def run(self, state: ChainState, temperature: np.ndarray, n_sweeps: int, snapshots: np.ndarray) -> None:
        """Sweep `n_sweeps` times before each of the `snapshots` of the words; once if there are none.

        `temperature`, int64 (n_members,), numbers the betas; `snapshots` is uint64, (n_draws or 0, n_words).
        """
        _run(*self.tables(state, temperature), self._colours, n_sweeps, snapshots)
        n_sweeps *= max(1, len(snapshots))
        state.counts[ATTEMPTED] += self.layout.n_sites * self.n_members * n_sweeps

    def tables(self, state: ChainState, temperature: np.ndarray) -> tuple[tuple, tuple]:
        """The arguments ``blocks`` and ``shared`` of `edgphys.mcmc.ising.bits.sweep.sweep`."""
        n = 4 * self.n_lanes
        shared = (
            state.configuration,
            state.rng[:n],
            state.rng[n:],
            _aligned(SCRATCH * self.n_lanes),
            self.layout.neighbours,
            static(self._rule),
            static(self.n_lanes),
            self._flips,
            temperature,
        )
        return tuple(self._block(*block, temperature) for block in self._blocks), shared

    def measure(self, snapshots: np.ndarray, n_columns: int | None = None) -> np.ndarray:
        """Energy, magnetization, correlators, and what is staggered: (n_draws, n_columns, n_members).

        With `n_columns` given, no more than these, of which the staggered ones are the last.
        """
        rows = np.empty((len(snapshots), n_columns or self._n_columns, self.n_members))
        measure(snapshots, self._probe, static(self.n_lanes), rows)
        return rows

    def _block(self, ranges, q, patterns, rests, temperature) -> tuple:
        digits = step_words(self._rule, q, patterns, temperature, self.n_lanes)
        return ranges, static(q + 1), digits, rests


def _with_turned(layout: Layout, negative: np.ndarray) -> Layout:
    """The layout whose negative bonds, bool (n_bonds,) in the order of the lattice, lead to turned spins."""
    beyond = np.uint32(layout.n_sites + 1)
    of_neighbours = np.append(negative, False)[layout.neighbour_bonds]
    bonds = layout.bonds.copy()
    bonds[negative[layout.bond_order], 1] += beyond
    neighbours = np.where(of_neighbours, layout.neighbours + beyond, layout.neighbours).astype(np.uint32)
    return replace(layout, neighbours=neighbours, bonds=bonds)


def _aligned(n_words: int) -> np.ndarray:
    """Zeros, uint64, (n_words,), that begin with a cache line.

    Vectors that lie across two of them would cost up to a tenth of the speed.
    """
    words = np.zeros(n_words + 8, np.uint64)
    first = -words.ctypes.data % 64 // 8
    return words[first : first + n_words]


def _ranges(lattice, order: np.ndarray, coordination: int) -> np.ndarray:
    """First storage place and the one after the last of the sites of each colour and one coordination."""
    key = lattice.colours[order] * (lattice.coordination.max() + 1) + lattice.coordination[order]
    wanted = np.arange(lattice.n_colours) * (lattice.coordination.max() + 1) + coordination
    return np.stack([np.searchsorted(key, wanted, side) for side in ("left", "right")], axis=1)


@njit(nogil=True, cache=True)
def _run(blocks, shared, colours, n_sweeps, snapshots):
    """Sweeps, the turned spins of each colour renewed after it where `colours`, their ends, are given."""
    words, n_lanes = shared[0], len(shared[6])
    for draw in range(max(1, snapshots.shape[0])):
        for _ in range(n_sweeps):
            for colour in range(blocks[0][0].shape[0]):
                update_blocks(blocks, colour, shared)
                if colours.size > 0:
                    beyond = (colours[-1] + 1) * n_lanes
                    for i in range(colours[colour] * n_lanes, colours[colour + 1] * n_lanes):
                        words[beyond + i] = ~words[i]
        if snapshots.shape[0] > 0:
            for i in range(words.size):
                snapshots[draw, i] = words[i]
