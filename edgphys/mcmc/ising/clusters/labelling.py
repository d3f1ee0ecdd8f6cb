# SPDX-License-Identifier: MIT
"""Clusters of sites joined by active bonds, for Swendsen-Wang sweeps of spins and of colours.

Sites next to each other in a word (`edgphys.mcmc.ising.clusters.words`) that active bonds join are a run; all
other active bonds join runs, so that there are about half as many nodes as sites at a critical point, and
fewer joins: where two bonds side by side lead from one run to another, the second is left out. A parent
always has a lower number, so that one pass in order finds all roots.

Where every bond has a coupling of its own, each site is a run by itself.

References
----------
Hoshen and Kopelman, Phys. Rev. B 14, 3438 (1976), doi:10.1103/PhysRevB.14.3438 (for the runs of a row).
Dijkstra, A Discipline of Programming (1976), ch. 23 (Rem's way of joining).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, types, uint32, uint64
from numba.extending import overload

from edgphys.mcmc.ising.bits.simd import trailing_zeros
from edgphys.mcmc.ising.bits.waves import count_bits
from edgphys.mcmc.ising.clusters.growth import make_weighed_links
from edgphys.mcmc.ising.clusters.words import PLACE, SHIFT, draw_bonds, make_word_bonds, make_words, shifted
from edgphys.mcmc.random.xoshiro import next_word

__all__ = [
    "Runs",
    "begins_at",
    "bonds_of",
    "find_roots",
    "join",
    "label_sites",
    "link",
    "make_runs",
    "run_from",
]

_ZERO, _ONE, _TWO = np.uint64(0), np.uint64(1), np.uint64(2)
_S6, _LAST = np.uint64(6), np.uint64(63)


class Runs(NamedTuple):
    """Arrays that a sweep overwrites.

    Attributes
    ----------
    parent : uint32, shape (n_sites,)
        Of each run; after `find_roots` the first run of its cluster.
    starts : uint64, shape (n_words + 2,)
        Bits of the first sites of runs, in places as those of `make_words`.
    numbers : uint64, shape (n_words + 2,)
        Runs before each word.
    sites : uint64, shape (n_words,)
        Bits that are sites.
    active : uint64, shape (n_groups,)
        Bonds, see `draw_bonds`.
    """

    parent: np.ndarray
    starts: np.ndarray
    numbers: np.ndarray
    sites: np.ndarray
    active: np.ndarray


def make_runs(n_sites: int, n_groups: int) -> Runs:
    """Scratch for so many sites and groups of bonds (0 where every bond has a coupling of its own)."""
    starts, numbers = make_words(n_sites, 2)
    sites = np.full(starts.size - 2, 2**64 - 1, np.uint64)
    if n_sites % 64:
        sites[-1] = 2 ** (n_sites % 64) - 1
    return Runs(np.empty(n_sites, np.uint32), starts, numbers, sites, np.empty(n_groups, np.uint64))


def bonds_of(system, strengths: np.ndarray) -> tuple[tuple, int]:
    """Bonds of a system as `link` takes them, by strengths as of `make_word_bonds`; how many groups."""
    words = make_word_bonds(system.lattice, strengths)
    if words is None:
        return make_weighed_links(system, True, strengths), 0
    return words, len(words.groups)


def link(planes, rng, bonds, runs):
    """Draw the active bonds and join runs; the number of runs.

    `bonds` are `WordBonds`, or of `edgphys.mcmc.ising.clusters.growth.make_weighed_links`.
    """
    raise NotImplementedError  # compiled only, by what couplings are


@overload(link)
def _typed_link(planes, rng, bonds, runs):
    chosen = _link_words if isinstance(bonds, types.NamedTuple) else _link_weighed
    return lambda planes, rng, bonds, runs: chosen(planes, rng, bonds, runs)


@njit(nogil=True, cache=True)
def _link_words(planes, rng, bonds, runs):
    n_runs = _ZERO
    for w in range(runs.sites.size):
        draw_bonds(planes, rng, bonds.first, bonds.groups, uint64(w), runs.active)
        starts = ~(runs.active[bonds.first[w]] << _ONE) & runs.sites[w]
        runs.starts[w + 1], runs.numbers[w + 1] = starts, n_runs
        n_runs += uint64(count_bits(starts))
    for run in range(n_runs):
        runs.parent[run] = run
    for w in range(runs.sites.size):
        here = uint64(w) + _ONE
        next_joined = ~runs.starts[here] >> _ONE
        for g in range(bonds.first[w] + 1, bonds.first[w + 1]):
            place, shift, left = bonds.groups[g, PLACE], bonds.groups[g, SHIFT], runs.active[g]
            # Where the next site has such a bond too, and is of the same run at both ends, it adds nothing.
            left &= ~((left & next_joined & (~shifted(runs.starts, place, shift) >> _ONE)) << _ONE)
            while left != _ZERO:
                bit = trailing_zeros(left)
                left &= left - _ONE
                end = bit + shift
                one = _run_at(runs, here, bit)
                join(runs.parent, one, _run_at(runs, place + (end >> _S6), end & _LAST))
    return np.int64(n_runs)


@njit(nogil=True, cache=True, inline="always")
def _run_at(runs, place, bit):
    """Number of the run of this bit of the word in `place`."""
    return runs.numbers[place] + uint64(count_bits(runs.starts[place] & ((_TWO << bit) - _ONE))) - _ONE


@njit(nogil=True, cache=True)
def _link_weighed(planes, rng, bonds, runs):
    """Every site is a run, and every bond has a coupling of its own."""
    (neighbours, degrees), thresholds, signs = bonds
    for w in range(runs.sites.size):
        runs.starts[w + 1], runs.numbers[w + 1] = runs.sites[w], uint64(64 * w)
    for site in range(degrees.size):
        runs.parent[site] = site
        for j in range(degrees[site]):
            k = neighbours[site, j]
            if _alike(planes, site, k) == (signs[site, j] > 0) and next_word(rng) < thresholds[site, j]:
                join(runs.parent, site, k)
    return degrees.size


@njit(nogil=True, cache=True)
def _alike(planes, one, other):
    unlike = _ZERO
    for words in planes:
        unlike |= words[(one >> 6) + 1] >> uint64(one & 63) ^ words[(other >> 6) + 1] >> uint64(other & 63)
    return unlike & _ONE == _ZERO


@njit(nogil=True, cache=True)
def join(parent, one, other):
    """Join the trees of two nodes, climbing from the higher of the two places and shortening the way."""
    a, b = parent[one], parent[other]
    while a != b:
        low, high = min(a, b), max(a, b)
        above = parent[high]
        parent[high] = min(low, above)
        if above == high:
            break
        a, b = low, above


@njit(nogil=True, cache=True)
def find_roots(parent):
    """Make the parent of each node the first node of its cluster; the number of clusters."""
    n_clusters = 0
    for i in range(parent.size):
        root = parent[parent[i]]
        parent[i] = root
        n_clusters += root == i
    return n_clusters


@njit(nogil=True, cache=True, inline="always")
def run_from(first, later):
    """Bits of the run that begins at the bit `first`, up to the lowest one of the `later` beginnings."""
    return (later & (_ZERO - later)) - first


@njit(nogil=True, cache=True, inline="always")
def begins_at(runs, site):
    """1 if a run begins at a site, else 0: the sum up to a site is 1 more than the number of its run."""
    return np.int64((runs.starts[(site >> 6) + 1] >> uint64(site & 63)) & _ONE)


@njit(nogil=True, cache=True)
def label_sites(runs, labels):
    """Number the clusters 0, 1, ... in the order of their first sites: `labels`, uint32, shape (n_sites,).

    The parents are used up.
    """
    n_clusters, run, label = uint32(0), np.int64(-1), uint32(0)
    for i in range(labels.size):
        if begins_at(runs, i):
            run += 1
            root = runs.parent[run]
            is_first = root == run
            label = n_clusters if is_first else runs.parent[root]
            runs.parent[run] = label
            n_clusters += uint32(is_first)
        labels[i] = label
