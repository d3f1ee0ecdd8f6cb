# SPDX-License-Identifier: MIT
"""Clusters of sites joined by active bonds, for Swendsen-Wang sweeps of spins and of colours.

One pass over the sites decides the bonds to earlier neighbours. The first active one makes the site a child
of the root of its neighbour; a further one that leads to another root goes on a list of pairs of roots, which
are then united. Nothing in that pass branches on a random bit. A parent always has a lower number, so one
more pass in order finds all roots.

References
----------
Hoshen and Kopelman, Phys. Rev. B 14, 3438 (1976), doi:10.1103/PhysRevB.14.3438.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types, uint32, uint64
from numba.extending import overload

from edgphys.mcmc.ising.clusters.growth import followed_bits
from edgphys.mcmc.random.xoshiro import next_word

__all__ = ["find_roots", "link", "make_scratch", "number_clusters", "unite"]

_ZERO, _ONE = np.uint64(0), np.uint64(1)


def make_scratch(n_sites: int, n_bonds: int) -> tuple[np.ndarray, ...]:
    """Arrays that a sweep overwrites: parents, two ends of a list of pairs, one bit per site."""
    parent, n_words = np.empty(n_sites, np.uint32), (n_sites + 63) // 64
    pairs = np.empty(n_bonds + 1, np.uint32), np.empty(n_bonds + 1, np.uint32)
    return parent, *pairs, np.empty(n_words, np.uint64)


def link(spins, rng, rule, scratch):
    """A parent for each site, itself a root, and a list of roots that are to be united; its length."""
    raise NotImplementedError  # compiled only, by what couplings are


@overload(link)
def _typed_link(spins, rng, rule, scratch):
    chosen = _link_weighed if isinstance(rule[1], types.Array) else _link_equal
    return lambda spins, rng, rule, scratch: chosen(spins, rng, rule, scratch)


@njit(nogil=True, cache=True)
def _link_weighed(spins, rng, rule, scratch):
    """As `_link_equal`, where every bond has a coupling of its own."""
    (neighbours, degrees), thresholds, signs, _ = rule
    parent, ones, others, _ = scratch
    n_pairs = _ZERO
    for site in range(degrees.size):
        root = uint32(site)
        for j in range(degrees[site]):
            k = neighbours[site, j]
            if spins[k] == signs[site, j] * spins[site] and next_word(rng) < thresholds[site, j]:
                other = parent[k]
                if root == site:
                    root = other
                elif other != root:
                    ones[n_pairs], others[n_pairs] = root, other
                    n_pairs += _ONE
        parent[site] = root
    return n_pairs


@njit(nogil=True, cache=True)
def _link_equal(spins, rng, rule, scratch):
    """A parent for each site, itself a root, and a list of roots that are to be united; its length."""
    (classes, steps, degrees), threshold, sign, _ = rule
    parent, ones, others, _ = scratch
    most = steps.shape[1]
    bits, left, n_pairs = _ZERO, 0, _ZERO
    for site in range(classes.size):
        i = uint32(site)
        kind = classes[i]
        degree = degrees[kind]
        if left < most:
            bits, left = followed_bits(rng, threshold), 64
        left -= degree
        partner = sign * spins[i]
        root = i
        for j in range(degree):
            k = uint32(i + steps[kind, j])
            active = uint64(spins[k] == partner) & bits & _ONE
            bits >>= _ONE
            other, alone = parent[k], uint64(root == i)
            # Written in any case, and kept where it is wanted: a branch would be mispredicted.
            ones[n_pairs], others[n_pairs] = root, other
            n_pairs += active & (alone ^ _ONE) & uint64(other != root)
            root ^= (root ^ other) & uint32(_ZERO - (active & alone))
        parent[i] = root
    return n_pairs


@njit(nogil=True, cache=True)
def unite(parent, ones, others, n_pairs):
    """Join the trees of each pair, climbing from the higher of the two places and shortening the way."""
    for pair in range(n_pairs):
        a, b = parent[ones[pair]], parent[others[pair]]
        while a != b:
            low, high = min(a, b), max(a, b)
            above = parent[high]
            parent[high] = min(low, above)
            if above == high:
                break
            a, b = low, above


@njit(nogil=True, cache=True)
def find_roots(parent):
    """Make the parent of each site the first site of its cluster; the number of clusters."""
    n_clusters = 0
    for i in range(parent.size):
        root = parent[parent[i]]
        parent[i] = root
        n_clusters += root == i
    return n_clusters


@njit(nogil=True, cache=True)
def number_clusters(parent, labels):
    """Number the clusters 0, 1, ... in the order of their first sites: `labels`, uint32, shape (n_sites,)."""
    n_clusters = uint32(0)
    for i in range(parent.size):
        root = parent[i]
        is_first = root == i
        labels[i] = n_clusters if is_first else labels[root]
        n_clusters += uint32(is_first)
