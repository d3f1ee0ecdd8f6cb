# SPDX-License-Identifier: MIT
"""Bonds of a lattice in words of 64 sites, compared and drawn 64 at a time.

Bit b of word w is site 64 w + b, in the order of the lattice. A *group* are bonds of one strength that lead
from sites of one word equally many places on: what is at their other ends is one shifted word. Groups without
a site in common share random bits, and each bond is listed at that end where this works: of the square
lattice 64 sites take two random words, and the bonds that close an axis none of their own.

The first group of a word are bonds to the next place within the word. Sites that active ones of them join are
a *run* (`edgphys.mcmc.ising.clusters.labelling`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, uint64

from edgphys.mcmc.ising.clusters.growth import follow_threshold, followed_bits

__all__ = [
    "PLACE",
    "SHIFT",
    "WordBonds",
    "draw_bonds",
    "make_word_bonds",
    "make_words",
    "pack_spins",
    "shifted",
    "unpack_spins",
]

_ZERO, _ONE, _LAST = np.uint64(0), np.uint64(1), np.uint64(63)
PLACE, SHIFT, _MASK, _NEGATIVE, _THRESHOLD, _FRESH = range(6)
# With more, groups have few bonds each, and every bond has a random word of its own.
_MOST_STRENGTHS = 8


class WordBonds(NamedTuple):
    """Groups of bonds: word w has those from ``first[w]`` to ``first[w + 1]``.

    Kernels take two arrays, since every array that is handed to a function is several numbers.

    Attributes
    ----------
    first : int64, shape (n_words + 1,)
    groups : uint64, shape (n_groups, 6)
        Columns: `place` and `shift`, such that the other ends are the word that begins at this bit of the
        word in this place (`make_words`); `mask` of the sites with such a bond and `negative` of those where
        its coupling is so; `threshold` (`follow_threshold`); `fresh`, 0 where the random bits of the group
        before serve for these other sites.
    """

    first: np.ndarray
    groups: np.ndarray

    @property
    def place(self) -> np.ndarray:
        return self.groups[:, PLACE]

    @property
    def shift(self) -> np.ndarray:
        return self.groups[:, SHIFT]

    @property
    def mask(self) -> np.ndarray:
        return self.groups[:, _MASK]

    @property
    def negative(self) -> np.ndarray:
        return self.groups[:, _NEGATIVE]

    @property
    def threshold(self) -> np.ndarray:
        return self.groups[:, _THRESHOLD]

    @property
    def fresh(self) -> np.ndarray:
        return self.groups[:, _FRESH]


def make_word_bonds(lattice, strengths: np.ndarray) -> WordBonds | None:
    """Groups of the bonds of a lattice; None where their strengths are of too many sizes.

    Parameters
    ----------
    lattice : Lattice
    strengths : float64, shape (n_bonds,)
        A bond is followed with probability 1 - exp(-2 |strength|) where it is satisfied: its ends are alike,
        or not alike for a negative strength.
    """
    sizes, size_of = np.unique(np.abs(strengths), return_inverse=True)
    if len(sizes) > _MOST_STRENGTHS:
        return None
    n_words, slots = (lattice.n_sites + 63) // 64, []
    columns = []
    for number, (bonds, size) in enumerate(_kinds(lattice, size_of.ravel(), len(sizes))):
        slot, start, end = _slot_for(slots, np.asarray(lattice.bonds, np.int64)[bonds], size, lattice.n_sites)
        masks = np.zeros((2, n_words), np.uint64)
        bits = np.uint64(1) << (start & 63).astype(np.uint64)
        negative = strengths[bonds] < 0.0
        np.bitwise_or.at(masks[0], start >> 6, bits)
        np.bitwise_or.at(masks[1], start[negative] >> 6, bits[negative])
        words = np.arange(n_words) if number == 0 else np.flatnonzero(masks[0])
        step = int(end[0] - start[0]) if len(start) else 1
        alike = [np.full(len(words), value) for value in (number, slot, step, size)]
        columns.append((words, *alike, *masks[:, words]))
    word, number, slot, step, size, mask, negative = map(np.concatenate, zip(*columns, strict=True))
    order = np.lexsort((number, slot, word))
    word, slot, step, size, mask, negative = (c[order] for c in (word, slot, step, size, mask, negative))
    thresholds = np.array([follow_threshold(one) for one in sizes] or [0], np.uint64)
    fresh = np.append(True, (np.diff(word) != 0) | (np.diff(slot) != 0))
    groups = word + 1 + (step >> 6), step & 63, mask, negative, thresholds[size], fresh
    first = np.searchsorted(word, np.arange(n_words + 1)).astype(np.int64)
    return WordBonds(first, np.stack([column.astype(np.uint64) for column in groups], axis=1))


def _kinds(lattice, size_of: np.ndarray, n_sizes: int) -> list[tuple[np.ndarray, int]]:
    """Numbers of the bonds of each kind and their size; the first kind leads to the next place of a word."""
    bonds = np.asarray(lattice.bonds, np.int64).reshape(-1, 2)
    places, step = np.arange(len(bonds)), bonds[:, 1] - bonds[:, 0]
    repeated = np.append(np.zeros(min(1, len(bonds)), bool), (np.diff(bonds, axis=0) == 0).all(1))
    copy = places - np.maximum.accumulate(np.where(repeated, 0, places))
    inner = (step == 1) & (copy == 0) & (bonds[:, 0] & 63 < 63)
    commonest = int(np.bincount(size_of[inner], minlength=1).argmax())
    inner &= size_of == commonest
    outer = np.flatnonzero(~inner)
    key = ((copy * lattice.n_sites + step) * n_sizes + size_of)[outer]
    _, kind, counts = np.unique(key, return_inverse=True, return_counts=True)
    kinds = [outer[kind.ravel() == k] for k in np.argsort(-counts, kind="stable")]
    return [(np.flatnonzero(inner), commonest), *((k, int(size_of[k[0]])) for k in kinds)]


def _slot_for(slots: list, ends: np.ndarray, size: int, n_sites: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Random word for bonds with these ends, from which end they are listed, and the other end."""
    for low, high in (ends.T, ends.T[::-1]):
        for number, (of_size, taken) in enumerate(slots):
            if of_size == size and not taken[low].any():
                taken[low] = True
                return number, low, high
    slots.append((size, np.zeros(n_sites, bool)))
    slots[-1][1][ends[:, 0]] = True
    return len(slots) - 1, ends[:, 0], ends[:, 1]


def make_words(n_sites: int, n_planes: int = 1) -> np.ndarray:
    """Zeros, uint64, shape (n_planes, n_words + 2): word w has place w + 1."""
    return np.zeros((n_planes, (n_sites + 63) // 64 + 2), np.uint64)


@njit(nogil=True, cache=True, inline="always")
def shifted(words, place, shift):
    """The 64 bits that begin at bit `shift` of the word in `place`."""
    return (words[place] >> shift) | ((words[place + _ONE] << _ONE) << (_LAST - shift))


@njit(nogil=True, cache=True)
def draw_bonds(planes, rng, first, groups, w, active):
    """Active bonds of word w (uint64) into `active`, shape (n_groups,): bits of sites where they are listed.

    Sites are alike that are so in all `planes` of words: one of spins, several of the digits of states.
    """
    bits = _ZERO
    for g in range(first[w], first[w + _ONE]):
        if groups[g, _FRESH]:
            bits = followed_bits(rng, groups[g, _THRESHOLD])
        place, shift, unlike = groups[g, PLACE], groups[g, SHIFT], _ZERO
        for plane in range(planes.shape[0]):
            unlike |= planes[plane, w + _ONE] ^ shifted(planes[plane], place, shift)
        active[g] = groups[g, _MASK] & bits & ~(unlike ^ groups[g, _NEGATIVE])


@njit(nogil=True, cache=True)
def pack_spins(spins, words):
    """Bits of `words`, as `make_words` has them, from +1 and -1 of the sites: 1 for +1."""
    n_sites = spins.size - 1
    for w in range(words.size - 2):
        word = _ZERO
        for b in range(min(64, n_sites - 64 * w)):
            word |= uint64(spins[64 * w + b] > 0) << uint64(b)
        words[w + 1] = word


@njit(nogil=True, cache=True)
def unpack_spins(words, spins):
    """The inverse of `pack_spins`."""
    for i in range(spins.size - 1):
        bit = (words[(i >> 6) + 1] >> uint64(i & 63)) & _ONE
        spins[i] = 2 * np.int8(bit) - 1
