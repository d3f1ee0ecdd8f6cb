# SPDX-License-Identifier: MIT
"""Wolff clusters grown by words of 64 sites: half the time of site by site where clusters are large.

The active bonds of a word (`edgphys.mcmc.ising.clusters.words`) are drawn all at once when the cluster first
comes near it; then the cluster is what they connect, found by filling: the new sites of a word spread over
their runs, and over bonds to other words, where they wait for their turn. Bonds have the law that they have
site by site, and each is drawn once for a cluster: so has the cluster.

Of a cluster of a few sites most of what is drawn would be in vain: see `LEAST_SIZE`.

References
----------
Wolff, Phys. Rev. Lett. 62, 361 (1989), doi:10.1103/PhysRevLett.62.361.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

from edgphys.mcmc.core.sampler import CLUSTERS, VISITED
from edgphys.mcmc.ising.base import measure_spins
from edgphys.mcmc.ising.bits.waves import count_bits
from edgphys.mcmc.ising.clusters import sweep_length as clusters
from edgphys.mcmc.ising.clusters.improved import correlate
from edgphys.mcmc.ising.clusters.words import WordBonds, draw_bonds, make_words, pack_spins, unpack_spins
from edgphys.mcmc.random.xoshiro import random_site

__all__ = ["LEAST_SIZE", "make_bridges", "make_growth", "sample"]

_ZERO, _ONE, _S6, _LAST, _SIZE = (np.uint64(k) for k in (0, 1, 6, 63, 64))
_TWO, _FOUR, _EIGHT, _S16, _S32 = (np.uint64(2**k) for k in range(1, 6))
# Mean number of sites of a cluster from which on words are faster.
LEAST_SIZE = 256


# Columns of a table of bridges.
_GROUP, _SOURCE, _TO, _TURN, _TURN_BONDS, _PART, _ACTIVE = range(7)
# Rows of what is known of each word: sites inside the cluster, sites that wait, cluster that drew bonds last.
_INSIDE, _WAITING, _DRAWN = range(3)


def make_bridges(bonds: WordBonds) -> tuple[np.ndarray, np.ndarray]:
    """Bonds to other runs, as seen from both ends.

    Returns
    -------
    first : int64, shape (n_words + 1,)
        Word w has the rows from ``first[w]`` to ``first[w + 1]``.
    table : uint64, shape (n_bridges, 7)
        Group of the bonds, word where they are listed, word on the other side, places by which bits of sites
        here and of bonds there are turned left to be at the sites of the other side, those of these sites
        that have such a bond, and room for those that have an active one.
    """
    n_words = len(bonds.first) - 1
    word = np.repeat(np.arange(n_words), np.diff(bonds.first))
    group = np.setdiff1d(np.arange(len(word)), bonds.first[:-1])
    word, group = word[group].astype(np.uint64), group.astype(np.uint64)
    place, shift, mask = bonds.place[group], bonds.shift[group], bonds.mask[group]
    back, zero = (_SIZE - shift) & _LAST, np.zeros_like(shift)
    lower, rows = mask & (np.uint64(2**64 - 1) >> shift), []
    for part, end in ((lower, place - _ONE), (mask & ~lower, place)):
        there = (part << shift) | (part >> back)
        forth = (word, group, word, end, shift, shift, there, zero)
        back_again = (end, group, word, word, back, zero, part, zero)
        rows += [np.stack(columns)[:, part != 0] for columns in (forth, back_again)]
    here, *columns = np.concatenate(rows, axis=1)
    order = np.argsort(here, kind="stable")
    first = np.searchsorted(here[order], np.arange(n_words + 1, dtype=np.uint64))
    return first.astype(np.int64), np.stack(columns, axis=1)[order].copy()


def make_growth(n_sites: int, bonds: WordBonds, bridges: tuple[np.ndarray, np.ndarray]) -> tuple:
    """Scratch for clusters of so many sites: spins, bonds, words, lists of words, bridges of its own."""
    n_words = len(bonds.first) - 1
    words, lists = np.zeros((3, n_words), np.uint64), np.zeros((2, n_words + 1), np.uint32)
    return (
        make_words(n_sites),
        np.zeros(len(bonds.groups), np.uint64),
        words,
        lists,
        bridges[0],
        bridges[1].copy(),
    )


@njit(nogil=True, cache=True, inline="always")
def _turned(word, places):
    return (word << places) | (word >> ((_SIZE - places) & _LAST))


@njit(nogil=True, cache=True, inline="always")
def _filled(new, joined):
    """All sites of the runs with a site in `new`; `joined` are the sites joined to the next one."""
    new |= (joined + (new & joined)) ^ joined  # a carry runs from each of them to the end of its run
    new |= joined & (new >> _ONE)
    joined &= joined >> _ONE
    new |= joined & (new >> _TWO)
    joined &= joined >> _TWO
    new |= joined & (new >> _FOUR)
    joined &= joined >> _FOUR
    new |= joined & (new >> _EIGHT)
    joined &= joined >> _EIGHT
    if joined != _ZERO:  # rarely so near T_c
        new |= joined & (new >> _S16)
        joined &= joined >> _S16
        new |= joined & (new >> _S32)
    return new


@njit(nogil=True, cache=True)
def _enter(planes, active, words, first, table, rng, inner, groups, w, cluster):
    """Draw what a cluster may need in word w, but what it has drawn already."""
    if words[_DRAWN, w] != cluster:
        words[_DRAWN, w] = cluster
        draw_bonds(planes, rng, inner, groups, w, active)
    for k in range(first[w], first[w + _ONE]):
        source = table[k, _SOURCE]
        if words[_DRAWN, source] != cluster:
            words[_DRAWN, source] = cluster
            draw_bonds(planes, rng, inner, groups, source, active)
        drawn = _turned(active[table[k, _GROUP]], table[k, _TURN_BONDS])
        table[k, _ACTIVE] = drawn & table[k, _PART]


@njit(nogil=True, cache=True)
def _grow(planes, active, words, lists, first, table, rng, inner, groups, seed, cluster):
    """Grow the cluster of a site and flip it; its size. It is the `cluster`-th, from 1.

    Arrays are handed over one by one: taken out of a tuple here, each would be counted as used once more.
    """
    words[_WAITING, seed >> _S6] = _ONE << (seed & _LAST)
    lists[0, 0] = seed >> _S6
    n_waiting, n_entered, size = _ONE, 0, 0
    while n_waiting != _ZERO:
        n_waiting -= _ONE
        w = uint64(lists[0, n_waiting])
        new = words[_WAITING, w]
        words[_WAITING, w] = _ZERO
        if words[_INSIDE, w] == _ZERO:
            lists[1, n_entered] = w
            n_entered += 1
            _enter(planes, active, words, first, table, rng, inner, groups, w, cluster)
        new = _filled(new, active[inner[w]])
        words[_INSIDE, w] |= new
        for k in range(first[w], first[w + _ONE]):
            to = table[k, _TO]
            found = _turned(new, table[k, _TURN]) & table[k, _ACTIVE] & ~words[_INSIDE, to]
            before = words[_WAITING, to]
            words[_WAITING, to] = before | found
            lists[0, n_waiting] = (
                to  # in any case, and kept where it is wanted: a branch would be mispredicted
            )
            n_waiting += uint64(found != _ZERO) & uint64(before == _ZERO)
    for n in range(n_entered):
        w = uint64(lists[1, n])
        size += count_bits(words[_INSIDE, w])
        planes[0, w + _ONE] ^= words[_INSIDE, w]
        words[_INSIDE, w] = _ZERO
    return size


@njit(nogil=True, cache=True)
def sample(spins, rng, counts, bonds, growth, mean_clusters, measures, thin, rows, kept):
    """Fill `rows` and `kept`, `thin` sweeps apart, as `edgphys.mcmc.ising.clusters.wolff` does."""
    probe, _, blocks, (_, n_distances, _) = measures
    planes, active, words, lists, first, table = growth
    inner, groups = bonds
    n_sites, cluster = spins.size - 1, _ZERO
    pack_spins(spins, planes[0])
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            n_clusters = clusters.draw_number(rng, mean_clusters)
            for _ in range(n_clusters):
                cluster += _ONE
                seed = random_site(rng, n_sites)
                size = _grow(planes, active, words, lists, first, table, rng, inner, groups, seed, cluster)
                counts[VISITED] += size
            counts[CLUSTERS] += n_clusters
        unpack_spins(planes[0], spins)
        row = rows[draw]
        measure_spins(spins, probe, row, kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
        if n_distances > 0:
            correlate(spins[:n_sites].astype(np.int32), blocks, row[row.size - n_distances :])
