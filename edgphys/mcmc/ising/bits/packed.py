# SPDX-License-Identifier: MIT
"""Sweeps and measurements of one Ising system in words of bits (see `edgphys.mcmc.ising.bits.packing`).

A sweep updates the words of a colour with the kernels of multi-spin coding, to which the bits of a word are
independent systems, and renews the ghosts of that colour. Since no bit of a colour sees another bit of the
same colour, the result is the checkerboard sweep of the one lattice; spins of one word are decided with
independent random bits.

Energy and magnetization are integers, counted exactly; the lowest-momentum correlator is a sum of phases
(`edgphys.mcmc.ising.bits.waves`).
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, uint64
from numba.core import types
from numba.extending import intrinsic

from edgphys.mcmc.core.sampler import ATTEMPTED
from edgphys.mcmc.ising.bits.digits import class_digits, step_words
from edgphys.mcmc.ising.bits.logic import HEAT_BATH, IN_FIELD, METROPOLIS
from edgphys.mcmc.ising.bits.packing import Packing
from edgphys.mcmc.ising.bits.simd import Words, load_all, pointer, static, store
from edgphys.mcmc.ising.bits.sweep import SCRATCH, update_blocks
from edgphys.mcmc.ising.bits.waves import N_LANES, count_bits, wave_power, wave_tables

__all__ = [
    "HEAT_BATH",
    "IN_FIELD",
    "METROPOLIS",
    "Kernel",
    "measure_words",
    "renew_ghosts",
    "sample",
    "sweeps",
]

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_ONES = np.uint64(2**64 - 1)
_N = np.int64(N_LANES)
# Places in ChainState.tuning: spins flipped by the sweeps before the draws, and spins looked at.
FLIPPED, LOOKED_AT = 0, 1


class Kernel:
    """The compiled sweep of one system, with its tables.

    Parameters
    ----------
    packing : Packing
    rule : int
        METROPOLIS (without field), IN_FIELD or HEAT_BATH.
    beta, coupling, field : float
    signs : int array, shape (n_sites,), optional
        eps_x of what is staggered, in the order of the lattice.
    """

    def __init__(
        self,
        packing: Packing,
        rule: int,
        beta: float,
        coupling: float,
        field: float,
        signs: np.ndarray | None = None,
    ) -> None:
        self.packing = packing
        self._rule = static(rule)
        self._flips = _ONES if coupling > 0 else _ZERO
        self._blocks = tuple(_block(ranges, rule, q, beta, coupling, field) for q, ranges in packing.blocks)
        self._ghosts = (
            packing.n_words,
            packing.ghost_first,
            packing.source,
            packing.kind,
            packing.n_terms,
            packing.from_lane.size // max(1, packing.n_terms.size),
            packing.from_lane.reshape(-1),
            packing.right.reshape(-1),
            packing.left.reshape(-1),
            packing.mask.reshape(-1),
        )
        self._constants = float(coupling), float(field), packing.valid, packing.pairs
        turns = np.empty(0, np.uint64) if signs is None else packing.pack(-signs)
        self._turns = turns[: packing.n_words * N_LANES].copy()
        self._waves = wave_tables(packing.waves)
        self._unpacking = packing.base, packing.offset, packing.lane, packing.place.astype(np.uint64)

    def pack(self, spins: np.ndarray) -> np.ndarray:
        """Configuration array of spins in the order of the lattice."""
        words = self.packing.pack(spins)
        for colour in range(self.packing.ghost_first.size - 1):
            renew_ghosts(words, self._ghosts, colour)
        return words

    def unpack(self, words: np.ndarray) -> np.ndarray:
        """Spins in the order of the lattice, int8, shape (n_sites,)."""
        spins = np.empty(self.packing.n_sites, np.int8)
        _unpack(words, self._unpacking, spins)
        return spins

    def probe(self, places: tuple[int, int, int]) -> tuple:
        """What `measure_words` measures; `places` are those of `AbstractLatticeSampler`."""
        return *self._constants, places, self._turns

    def advance(self, state, thin: int, rows, kept, places: tuple[int, int, int]) -> None:
        """As `AbstractSampler.advance`."""
        shared = self.shared(state, np.zeros(SCRATCH * N_LANES, np.uint64))
        tables = self._ghosts, self.probe(places), self._waves, self._unpacking
        sample(self._blocks, shared, tables, state.counts, state.tuning, thin, rows, kept)

    def shared(self, state, scratch: np.ndarray) -> tuple:
        """The tuple of that name that `edgphys.mcmc.ising.bits.sweep` takes, for one chain."""
        generators, single = state.rng[: 4 * N_LANES], state.rng[4 * N_LANES :]
        one_temperature = np.zeros(64 * N_LANES, np.int64)
        rule, lanes = self._rule, static(N_LANES)
        arrays = state.configuration, generators, single, scratch, self.packing.neighbours
        return *arrays, rule, lanes, self._flips, one_temperature


def _block(ranges, rule: int, q: int, beta: float, coupling: float, field: float) -> tuple:
    """The sites of one coordination q, as the sweep takes them."""
    patterns, rest = class_digits(rule, q, [beta], coupling, field)
    one_temperature = np.zeros(64 * N_LANES, np.int64)
    return ranges, static(q + 1), step_words(rule, q, patterns, one_temperature, N_LANES), rest


@intrinsic
def _moved(typing, words, start, from_lane, right, left, mask, table):
    """One term of a ghost, a vector: lanes of the words from `start` on, rotated and masked.

    The four tables are flat and read from the index `table` on.
    """

    def generate(context, builder, sig, args):
        lanes = ir.Constant(ir.VectorType(ir.IntType(64), N_LANES), ir.Undefined)
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        tables = [
            load_all(builder, pointer(context, builder, sig.args[k], args[k], args[6], N_LANES))
            for k in range(2, 6)
        ]
        for lane in range(N_LANES):
            number = ir.Constant(ir.IntType(32), lane)
            place = builder.add(args[1], builder.extract_element(tables[0], number))
            lanes = builder.insert_element(lanes, builder.load(builder.gep(data, [place])), number)
        rotated = builder.or_(builder.lshr(lanes, tables[1]), builder.shl(lanes, tables[2]))
        return builder.and_(rotated, tables[3])

    return Words(N_LANES)(words, types.uint64, *(words,) * 4, types.uint64), generate


@njit(nogil=True, cache=True)
def renew_ghosts(words, ghosts, colour):
    """Copy the words of a colour, with their bits moved, to where their neighbours look for them."""
    n_words, first, source, kind, n_terms, row_length, from_lane, right, left, mask = ghosts
    lanes, row = uint64(N_LANES), uint64(row_length)
    for g in range(first[colour], first[colour + 1]):
        start, table = source[g] * lanes, kind[g] * row
        moved = _moved(words, start, from_lane, right, left, mask, table)
        for _ in range(1, n_terms[kind[g]]):
            table += lanes
            moved |= _moved(words, start, from_lane, right, left, mask, table)
        store(words, uint64(n_words + g) * lanes, moved)


@njit(nogil=True, cache=True)
def sweeps(blocks, shared, ghosts, n_sweeps):
    """`n_sweeps` sweeps, colour after colour, the ghosts of each renewed."""
    words, n_colours = shared[0], ghosts[1].size - 1
    for _ in range(n_sweeps):
        for colour in range(n_colours):
            update_blocks(blocks, colour, shared)
            renew_ghosts(words, ghosts, colour)


@njit(nogil=True, cache=True)
def sample(blocks, shared, tables, counts, tuning, thin, rows, kept):
    """Fill `rows` and `kept`, `thin` sweeps apart; of the last sweep before a draw the flips are counted."""
    ghosts, probe, waves, unpacking = tables
    words, valid = shared[0], probe[2]
    n_words = ghosts[0]
    n_sites = n_words * unpacking[1].size
    before = np.empty(n_words * _N, np.uint64)
    for draw in range(rows.shape[0]):
        sweeps(blocks, shared, ghosts, thin - 1)
        before[:] = words[: before.size]
        sweeps(blocks, shared, ghosts, 1)
        counts[ATTEMPTED] += n_sites * thin
        tuning[FLIPPED] += _differences(before, words, valid)
        tuning[LOOKED_AT] += n_sites
        measure_words(words, n_words, n_sites, probe, waves, rows[draw])
        if kept.shape[0] > 0:
            _unpack(words, unpacking, kept[draw])


@njit(nogil=True, cache=True)
def _differences(before, words, valid):
    count = 0
    for i in range(0, before.size, _N):
        for lane in range(_N):
            count += count_bits((before[i + lane] ^ words[i + lane]) & valid[lane])
    return count


@njit(nogil=True, cache=True)
def _unpack(words, unpacking, spins):
    base, offset, lane, place = unpacking
    for bit in range(offset.size):
        for v in range(base.size):
            up = (words[v * _N + lane[bit]] >> place[bit]) & _ONE
            spins[base[v] + offset[bit]] = 2 * np.int64(up) - 1


@njit(nogil=True, cache=True)
def measure_words(words, n_words, n_sites, probe, waves, row):
    """Energy, magnetization per site, correlators, and what is staggered."""
    coupling, field, valid, pairs, (wave, staggered, end), turns = probe
    broken = 0
    for p in range(pairs.shape[0]):
        i, j = np.int64(pairs[p, 0]) * _N, np.int64(pairs[p, 1]) * _N
        for lane in range(_N):
            broken += count_bits((words[i + lane] ^ words[j + lane]) & valid[lane])
    total = _total(words, n_words, n_sites, valid)
    n_bonds = pairs.shape[0] * (n_sites // n_words)
    row[0] = -coupling * (n_bonds - 2 * broken) - field * total
    row[1] = total / n_sites
    _correlators(words, n_sites, waves, row[wave:staggered])
    if end > staggered:
        turned = words[: turns.size] ^ turns
        row[staggered] = _total(turned, n_words, n_sites, valid) / n_sites
        _correlators(turned, n_sites, waves, row[staggered + 1 : end])


@njit(nogil=True, cache=True, inline="always")
def _total(words, n_words, n_sites, valid):
    """Sum of the spins."""
    up = 0
    for v in range(n_words):
        for lane in range(_N):
            up += count_bits(words[v * _N + lane] & valid[lane])
    return 2 * up - n_sites


@njit(nogil=True, cache=True)
def _correlators(words, n_sites, waves, out):
    """As `edgphys.mcmc.core.spectrum.lowest_correlators`."""
    if out.size > 0:
        wave_power(words, waves, out)
        out[0] /= waves[0] * n_sites
        for k in range(1, out.size):
            out[k] /= n_sites
