# SPDX-License-Identifier: MIT
r"""One lattice in words of bits: sites that differ by a translation share a word.

Along each periodic axis of extent L = w h, cell x is written x = row + h beta with 0 <= row < h. The shifts
beta form a group of w_1 w_2 ... elements, one bit of a word each; the rows (of all axes, with the site in its
cell) number the words. So a word holds sites with the same surroundings, none next to another, and its
neighbours are words with their bits in the same order, except across the end of a row, where beta changes by
one: there the neighbour is a copy of a word with its bits moved, a *ghost*, renewed whenever its colour was
updated. In this form the lattice is updated by the kernels of multi-spin coding, which see words only.

A word is a vector of `N_LANES` 64-bit words. Bits that no shift uses are never read.

The table of an L = 8 chain with w = 4, h = 2, bits beta = 3 2 1 0 from left to right::

    word 0   s6 s4 s2 s0        neighbours: word 1 and ghost A
    word 1   s7 s5 s3 s1        neighbours: word 0 and ghost B
    ghost A  s5 s3 s1 s7  (word 1, beta - 1)        ghost B  s0 s6 s4 s2  (word 0, beta + 1)
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

from edgphys.mcmc.ising.bits.waves import N_LANES, Waves, make_waves, mask_words
from lattices.colouring import proper_colouring

__all__ = ["Packing", "choose_shifts", "make_packing"]

# Time of renewing a ghost over that of updating a word: a rough figure, for the choice of the shifts only.
_GHOST_COST = 0.3


@dataclass(frozen=True, eq=False)
class Packing:
    """Tables of a lattice in words.

    Attributes
    ----------
    shifts : tuple of int
        w of each axis.
    base, offset : int64, shapes (n_words,) and (n_bits,)
        The site of bit b of word v is ``base[v] + offset[b]``.
    lane, place : int64, shape (n_bits,)
        Where bit b is: lane of the vector and place in the 64-bit word.
    valid : uint64, shape (N_LANES,)
        Bits that are used.
    neighbours : uint32, shape (n_words, max coordination)
        Words or ghosts (numbers from n_words on); rows of words with fewer are padded.
    pairs : uint32, shape (n_pairs, 2)
        Each bond of words once.
    blocks : tuple of (int, int64 array of shape (n_colours, 2))
        Coordination, and first and last + 1 word of each colour with it.
    source, kind : uint32, shape (n_ghosts,)
        Word copied, and how.
    ghost_first : int64, shape (n_colours + 1,)
        Ghosts are sorted by the colour of their source; where each colour begins.
    n_terms : int64, shape (n_kinds,)
    from_lane, right, left, mask : uint64, shape (n_kinds, max(n_terms), N_LANES)
        Lane l of a ghost is the union over terms of lane ``from_lane`` of the source, rotated (shifted to the
        right by ``right`` and to the left by ``left``) and masked.
    waves : Waves or None
        None unless all axes are periodic.
    """

    shifts: tuple[int, ...]
    base: np.ndarray
    offset: np.ndarray
    lane: np.ndarray
    place: np.ndarray
    valid: np.ndarray
    neighbours: np.ndarray
    pairs: np.ndarray
    blocks: tuple
    source: np.ndarray
    kind: np.ndarray
    ghost_first: np.ndarray
    n_terms: np.ndarray
    from_lane: np.ndarray
    right: np.ndarray
    left: np.ndarray
    mask: np.ndarray
    waves: Waves | None

    @property
    def n_words(self) -> int:
        return self.base.size

    @property
    def n_sites(self) -> int:
        return self.base.size * self.offset.size

    def pack(self, spins: np.ndarray) -> np.ndarray:
        """Words, uint64, shape ((n_words + n_ghosts) * N_LANES,), of spins in the order of the lattice.

        Ghosts are left empty.
        """
        bits = np.zeros((self.n_words + self.source.size, N_LANES, 64), np.uint8)
        sites = self.base[:, None] + self.offset
        bits[: self.n_words, self.lane, self.place] = np.asarray(spins).reshape(-1)[sites] > 0
        return np.packbits(bits, axis=-1, bitorder="little").view("<u8").astype(np.uint64).reshape(-1)


def choose_shifts(lattice) -> tuple[int, ...]:
    """The w of each axis for the fastest sweep: many bits used, few ghosts, and the colours of the lattice.

    (1, 1, ...) if nothing fits: extents that are prime, or open along all axes.

    Examples
    --------
    >>> import lattices
    >>> choose_shifts(lattices.build("square", (64, 64))), choose_shifts(lattices.build("square", (7, 7)))
    ((16, 16), (1, 1))
    """
    divisors = [
        [w for w in range(1, min(n, 64 * N_LANES) + 1) if n % w == 0] if periodic else [1]
        for n, periodic in zip(lattice.extent, lattice.pbc, strict=True)
    ]
    candidates = [w for w in itertools.product(*divisors) if math.prod(w) <= 64 * N_LANES]
    candidates.sort(key=lambda shifts: _cost(lattice.extent, shifts))
    for consistent in (_colours_agree, _loopless):
        for shifts in candidates:
            if math.prod(shifts) > 1 and consistent(lattice, shifts):
                return shifts
    return (1,) * lattice.n_axes


def _cost(extent, shifts) -> float:
    """Time of a sweep in units of a word's update, and a preference for blocks of equal sides."""
    rows = [n // w for n, w in zip(extent, shifts, strict=True)]
    n_words = math.prod(rows)
    ghosts = sum(min(2 * n_words / h, n_words) for h, w in zip(rows, shifts, strict=True) if w > 1)
    return n_words + _GHOST_COST * ghosts


def _rows(lattice, shifts) -> np.ndarray:
    return np.array(lattice.extent) // np.array(shifts)


def _colours_agree(lattice, shifts) -> bool:
    """Whether all sites of each word have one colour."""
    word = _word_numbers(lattice, shifts)
    first = np.zeros(word.max() + 1, np.int64)
    first[word] = lattice.colours
    return bool(np.all(first[word] == lattice.colours))


def _loopless(lattice, shifts) -> bool:
    """Whether no two neighbours share a word."""
    word = _word_numbers(lattice, shifts)
    return bool(np.all(word[lattice.bonds[:, 0]] != word[lattice.bonds[:, 1]]))


def _word_numbers(lattice, shifts) -> np.ndarray:
    """Number of each site's word, by its rows and then its place in the cell."""
    rows = _rows(lattice, shifts)
    cell = np.ravel_multi_index(tuple((lattice.cells % rows).T), tuple(rows))
    return cell * lattice.n_sites_per_cell + lattice.sublattices


@functools.lru_cache(maxsize=8)
def make_packing(lattice, shifts: tuple[int, ...]) -> Packing:
    """Tables of a lattice for the given shifts; the same arguments give the same object.

    Raises
    ------
    ValueError
        If two neighbours would share a word.
    """
    if not _loopless(lattice, shifts):
        raise ValueError(f"shifts must leave neighbours in different words, got {shifts} for {lattice!r}")
    number = _word_numbers(lattice, shifts)
    colours = _word_colours(lattice, shifts, number)
    element = np.asarray(np.ravel_multi_index(tuple((lattice.cells // _rows(lattice, shifts)).T), shifts))
    # The sites of element 0 stand for their words; words are sorted by colour, coordination, position.
    members = np.flatnonzero(element == 0)
    members = members[np.lexsort((number[members], lattice.coordination[members], colours[number[members]]))]
    rank = np.empty(members.size, np.int64)
    rank[number[members]] = np.arange(members.size)
    word, colours = rank[number], colours[number[members]]
    offset = np.empty(math.prod(shifts), np.int64)
    first_word = np.flatnonzero(word == word[0])  # that of site 0, which is its element 0
    offset[element[first_word]] = first_word
    lane, place = _places(shifts)
    table = lattice.neighbours[members]
    ghosts = _ghosts(table, word, element, shifts, colours, lane, place)
    return Packing(
        shifts=shifts,
        base=members,
        offset=offset,
        lane=lane,
        place=place,
        valid=mask_words(lane, place),
        pairs=_pairs(ghosts["neighbours"], table >= 0, colours, ghosts["source"]),
        blocks=_blocks(lattice.coordination[members], colours),
        waves=make_waves(lattice, shifts, members, lane, place),
        **ghosts,
    )


def _word_colours(lattice, shifts, number) -> np.ndarray:
    """Proper colours of the words: those of the lattice where they agree, else found anew."""
    colours = np.empty(number.max() + 1, np.int64)
    if _colours_agree(lattice, shifts):
        colours[number] = lattice.colours
        return colours
    site = np.empty_like(colours)
    site[number[::-1]] = np.arange(number.size)[::-1]
    cells = lattice.cells[site] % _rows(lattice, shifts)
    bonds = np.unique(np.sort(number[lattice.bonds], axis=1), axis=0)
    rows = tuple(int(h) for h in _rows(lattice, shifts))
    return proper_colouring(site.size, bonds, cells, lattice.sublattices[site], rows, lattice.pbc)


def _places(shifts) -> tuple[np.ndarray, np.ndarray]:
    """Lane and place of each element of the group of shifts.

    Lanes count the residues of the shifts modulo small numbers, so that a step moves whole lanes, as far as
    the shifts can be divided so; otherwise elements fill lane after lane.
    """
    elements = np.indices(shifts).reshape(len(shifts), -1)
    lanes = [1] * len(shifts)
    for axis in np.argsort(shifts)[::-1]:
        lanes[axis] = math.gcd(shifts[axis], N_LANES // math.prod(lanes))
    within = [w // k for w, k in zip(shifts, lanes, strict=True)]
    if math.prod(within) > 64:
        number = np.arange(elements.shape[1])
        return number // 64, number % 64
    lanes_column = np.array(lanes)[:, None]
    lane = np.asarray(np.ravel_multi_index(tuple(elements % lanes_column), lanes))
    return lane, np.asarray(np.ravel_multi_index(tuple(elements // lanes_column), within))


def _ghosts(table, word, element, shifts, colours, lane, place) -> dict:
    """Neighbours of each word, ghosts included, and the tables from which ghosts are made.

    `table`, shape (n_words, q): neighbouring sites of the representative of each word, padded with -1.
    """
    there = table >= 0
    neighbours = np.where(there, word[table], 0)
    moved = np.where(there, element[table], 0)
    n_words, n_bits = len(table), math.prod(shifts)
    keys = colours[neighbours] * n_words * n_bits + moved * n_words + neighbours  # sorted by colour first
    ghosts = np.unique(keys[moved > 0])
    number = n_words + np.searchsorted(ghosts, keys)
    kinds, kind = np.unique(ghosts // n_words % n_bits, return_inverse=True)
    terms = [_terms(int(k), shifts, lane, place) for k in kinds]
    padded = np.zeros((len(kinds), max((len(t) for t in terms), default=1), 3, N_LANES), np.uint64)
    for target, rows in zip(padded, terms, strict=True):
        target[: len(rows)] = rows
    from_lane, right, mask = (np.ascontiguousarray(padded[:, :, k]) for k in range(3))
    first = np.searchsorted(colours[ghosts % n_words], np.arange(colours.max() + 2))
    return {
        "neighbours": np.where(moved > 0, number, neighbours).astype(np.uint32),
        "source": (ghosts % n_words).astype(np.uint32),
        "kind": kind.reshape(-1).astype(np.uint32),
        "ghost_first": first.astype(np.int64),
        "n_terms": np.array([len(t) for t in terms], dtype=np.int64),
        "from_lane": from_lane,
        "right": right,
        "left": (np.uint64(64) - right) % np.uint64(64),
        "mask": mask,
    }


def _terms(moved: int, shifts, lane, place) -> np.ndarray:
    """How a ghost that is `moved` is made: from_lane, rotation, mask; shape (n_terms, 3, N_LANES)."""
    elements = np.indices(shifts).reshape(len(shifts), -1)
    steps = np.array(np.unravel_index(moved, shifts))[:, None]
    target = np.ravel_multi_index(tuple((elements + steps) % np.array(shifts)[:, None]), shifts)
    bits = [dict() for _ in range(N_LANES)]
    for here, there in enumerate(np.asarray(target)):
        move = int(lane[there]), int(place[there] - place[here]) % 64
        bits[lane[here]][move] = bits[lane[here]].get(move, 0) | 1 << int(place[here])
    terms = np.zeros((max(len(b) for b in bits), 3, N_LANES), np.uint64)
    for k, moves in enumerate(bits):
        for term, (move, mask) in zip(terms, moves.items(), strict=False):
            term[:, k] = (*move, mask)
    return terms


def _pairs(neighbours, there, colours, source) -> np.ndarray:
    """Bonds between words, from the end with the smaller colour."""
    colour = np.concatenate([colours, colours[source]])
    first = np.repeat(np.arange(len(neighbours)), neighbours.shape[1])
    second = neighbours.reshape(-1).astype(np.int64)
    chosen = there.reshape(-1) & (colour[first] < colour[second])
    return np.stack([first[chosen], second[chosen]], axis=1).astype(np.uint32)


def _blocks(coordination, colours) -> tuple:
    blocks = []
    for q in np.unique(coordination):
        ranges = np.zeros((colours.max() + 1, 2), np.int64)
        for colour in range(len(ranges)):
            words = np.flatnonzero((coordination == q) & (colours == colour))
            if words.size:
                ranges[colour] = words[0], words[-1] + 1
        blocks.append((int(q), ranges))
    return tuple(blocks)
