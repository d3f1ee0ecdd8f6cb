# SPDX-License-Identifier: MIT
"""Lowest-momentum waves of spins that are bits of words (see `edgphys.mcmc.ising.bits.packing`).

The phase exp(i k x) of a spin along an axis is one of the row of its word times one of the shift of its bit.
Words of the same row are first added up bit by bit in carry-save adders, seven additions for eight words; the
sums are then counted under the mask of each shift.

References
----------
Warren, Hacker's Delight, Addison-Wesley (2012), ch. 5 (counting bits in carry-save adders, after Harley).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from edgphys.systems.lattice.measurements import LatticeObservables

__all__ = ["N_LANES", "Waves", "count_bits", "make_waves", "mask_words", "wave_power", "wave_tables"]

# 64-bit words in a vector: one 256-bit register. Wider ones are empty in part where the lattice is small.
N_LANES = 4
_ZERO = np.uint64(0)


@dataclass(frozen=True, eq=False)
class Waves:
    """Lowest-momentum waves of the axes, in sums: 64-bit words whose bits have the same phases.

    Attributes
    ----------
    places : uint32, shape (n_axes * n_words * N_LANES,)
        Entries of the configuration array, sum after sum.
    first : int64, shape (n_sums + 1,)
        Where the places of each sum begin.
    axis : int64, shape (n_sums,)
    phase : complex128, shape (n_sums,)
        Of the words of the sum.
    mask_range : int64, shape (n_sums, 2)
        First and last + 1 of the masks of the sum.
    masks : uint64, shape (n_masks,)
        Bits with the same phase.
    mask_phase : complex128, shape (n_masks,)
    """

    places: np.ndarray
    first: np.ndarray
    axis: np.ndarray
    phase: np.ndarray
    mask_range: np.ndarray
    masks: np.ndarray
    mask_phase: np.ndarray


def make_waves(lattice, shifts, members, lane, place) -> Waves | None:
    """Tables of a packing; None unless all axes are periodic.

    `members`, (n_words,), are the sites that stand for the words; `lane` and `place` those of each bit.
    """
    momenta = LatticeObservables(lattice).momenta
    if momenta is None:
        return None
    elements = np.indices(shifts).reshape(len(shifts), -1)
    places, axes, phases, ranges, masks, mask_phases = [], [], [], [], [], []
    for axis, w in enumerate(shifts):
        by_shift = np.array([mask_words(lane[c], place[c]) for c in elements[axis] == np.arange(w)[:, None]])
        # Lanes with the same bits of each shift are added up together.
        patterns, pattern = np.unique(by_shift, axis=1, return_inverse=True)
        key = lattice.cells[members, axis] * lattice.n_sites_per_cell + lattice.sublattices[members]
        groups = [np.flatnonzero(key == k) for k in np.unique(key)]
        for number, words in enumerate(patterns.T):
            begin = len(masks)
            masks += list(words[words > 0])
            mask_phases += list(np.exp(2j * np.pi * np.flatnonzero(words) / w))
            lanes = np.flatnonzero(pattern.reshape(-1) == number)
            for group in groups:
                places.append((group[:, None] * N_LANES + lanes).reshape(-1))
                axes.append(axis)
                phases.append(np.exp(1j * (lattice.positions[members[group[0]]] @ momenta[axis])))
                ranges.append((begin, len(masks)))
    return Waves(
        places=np.concatenate(places).astype(np.uint32),
        first=np.cumsum([0, *map(len, places)], dtype=np.int64),
        axis=np.array(axes, dtype=np.int64),
        phase=np.array(phases, dtype=np.complex128),
        mask_range=np.array(ranges, dtype=np.int64),
        masks=np.array(masks, dtype=np.uint64),
        mask_phase=np.array(mask_phases, dtype=np.complex128),
    )


def mask_words(lane, place) -> np.ndarray:
    """The vector, uint64 (N_LANES,), with the bits of those lanes and places set."""
    words = np.zeros(N_LANES, np.uint64)
    np.bitwise_or.at(words, lane, np.uint64(1) << place.astype(np.uint64))
    return words


def wave_tables(waves) -> tuple:
    """The arrays of `Waves`, with the number of axes; without waves 0 and empty arrays of the same types."""
    if waves is None:
        whole, complexes = np.zeros(1, np.int64), np.zeros(0, np.complex128)
        table = np.zeros((0, 2), np.int64)
        return 0, np.zeros(0, np.uint32), whole, whole, complexes, table, np.zeros(0, np.uint64), complexes
    arrays = waves.places, waves.first, waves.axis, waves.phase, waves.mask_range, waves.masks
    return int(waves.axis[-1]) + 1, *arrays, waves.mask_phase


@intrinsic
def count_bits(typing, word):
    """Number of bits set in a uint64, as int64."""

    def generate(context, builder, sig, args):
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate


@njit(nogil=True, cache=True)
def wave_power(words, waves, out):
    """|sum_x s_x exp(i k x)|^2 of each axis, summed over the axes into out[0], then each if asked for.

    `out` has length 1 or 1 + n_axes. The inner sum is twice that over the spins up, since the phases add up
    to 0.
    """
    _, places, first, axis, phase, mask_range, masks, mask_phase = waves
    power, wave = 0.0, 0.0j
    counts = np.zeros(masks.size, np.int64)
    for number in range(axis.size):
        begin, end = mask_range[number, 0], mask_range[number, 1]
        chosen = counts[begin:end]
        chosen[:] = 0
        _count(words, places[first[number] : first[number + 1]], masks[begin:end], chosen)
        inner = 0.0j
        for k in range(begin, end):
            inner += counts[k] * mask_phase[k]
        wave += phase[number] * inner
        if number + 1 == axis.size or axis[number + 1] != axis[number]:
            square = 4 * (wave.real**2 + wave.imag**2)
            power += square
            if out.size > 1:
                out[1 + axis[number]] = square
            wave = 0.0j
    out[0] = power


@njit(nogil=True, cache=True, inline="always")
def _add(a, b, c):
    """Binary digits of the sum of three bits, the lower one first."""
    half = a ^ b
    return half ^ c, (a & b) | (half & c)


@njit(nogil=True, cache=True)
def _count(words, places, masks, counts):
    """Add to `counts` the bits set under each mask, over the words at `places`."""
    ones, twos, fours = _ZERO, _ZERO, _ZERO
    whole = places.size - places.size % 8
    for m in range(0, whole, 8):
        ones, a = _add(ones, words[places[m]], words[places[m + 1]])
        ones, b = _add(ones, words[places[m + 2]], words[places[m + 3]])
        twos, c = _add(twos, a, b)
        ones, a = _add(ones, words[places[m + 4]], words[places[m + 5]])
        ones, b = _add(ones, words[places[m + 6]], words[places[m + 7]])
        twos, d = _add(twos, a, b)
        fours, eights = _add(fours, c, d)
        for k in range(masks.size):
            counts[k] += 8 * count_bits(eights & masks[k])
    for k in range(masks.size):
        count = count_bits(ones & masks[k]) + 2 * count_bits(twos & masks[k])
        counts[k] += count + 4 * count_bits(fours & masks[k])
    for m in range(whole, places.size):
        word = words[places[m]]
        for k in range(masks.size):
            counts[k] += count_bits(word & masks[k])
