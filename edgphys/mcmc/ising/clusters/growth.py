# SPDX-License-Identifier: MIT
"""What Wolff and Swendsen-Wang clusters share: neighbours by steps, and bits that are 1 with probability p.

Clusters are bound by memory and by mispredicted branches, so

* sites are kept in the order of the lattice, where site i and its neighbours differ by one of a few rows of
  integers: one byte per site replaces a table of q words per site;
* random decisions come from words of 64 independent bits, each 1 with probability p to the 64 bits of
  `follow_threshold`: the binary digits of 64 uniform numbers are drawn side by side, and the comparison with
  p stops when the last of them has differed from p, after 8 words on average.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint64

from edgphys.mcmc.random.xoshiro import advance_words

__all__ = [
    "follow_threshold",
    "followed_bits",
    "make_links",
    "make_weighed_links",
    "why_no_clusters",
]

_ZERO, _ONE, _LAST = np.uint64(0), np.uint64(1), np.uint64(63)


def why_no_clusters(system, name: str) -> str | None:
    """Why clusters of satisfied bonds are of no use for this Ising system; None if they are."""
    if system.order_signs is not None:
        return None
    if isinstance(system.coupling, float):
        return (
            f"{name} needs coupling >= 0 on a {system.lattice.name} lattice that is not bipartite "
            f"(frustrated clusters span the lattice), got {system.coupling}; use 'metropolis'"
        )
    return (
        f"{name} needs couplings without frustration (frustrated clusters span the lattice), got a loop with "
        f"an odd number of negative ones in {system!r}; use 'heat_bath' or 'metropolis'"
    )


def follow_threshold(strength: float) -> np.uint64:
    """Probability 1 - exp(-2 strength) of following a bond, times 2**64 (the largest word stands for 1)."""
    scaled = -math.expm1(-2 * strength) * 2.0**64
    return np.uint64(min(int(scaled), 2**64 - 1))


def make_links(lattice, earlier_only: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbours of every site as steps in the numbering of the lattice.

    Parameters
    ----------
    lattice : Lattice
    earlier_only : bool
        Only neighbours of a lower number, so that each bond is listed once.

    Returns
    -------
    classes : uint8 (or wider), shape (n_sites,)
        Sites of one class have the same steps.
    steps : uint32, shape (n_classes, most steps of a class)
        Neighbour j of site i is ``i + steps[classes[i], j]`` modulo 2**32; a double bond is listed twice.
    degrees : int64, shape (n_classes,)
        How many of the steps there are.

    Examples
    --------
    >>> import lattices
    >>> classes, steps, degrees = make_links(lattices.build("chain", (5,)))
    >>> classes, steps.astype(np.int32).tolist(), degrees
    (array([2, 1, 1, 1, 0], dtype=uint8), [[-4, -1], [-1, 1], [1, 4]], array([2, 2, 2]))
    """
    neighbours = np.asarray(lattice.neighbours, np.int64)
    n_sites = len(neighbours)
    places = np.arange(n_sites)[:, None]
    present = (neighbours >= 0) & ((neighbours < places) | (not earlier_only))
    steps = np.where(present, neighbours - places, 0)
    first = np.argsort(~present, axis=1, kind="stable")
    steps = np.take_along_axis(steps, first, axis=1)[:, : max(1, int(present.sum(1).max()))]
    degrees = present.sum(1)
    classes = degrees
    for column in steps.T:  # one key a column, so that the keys stay small and exact
        classes = np.unique(classes * (2 * n_sites + 1) + column + n_sites, return_inverse=True)[1].ravel()
    _, examples = np.unique(classes, return_index=True)
    kind = np.min_scalar_type(len(examples) - 1)
    return classes.astype(kind), steps[examples].astype(np.uint32), degrees[examples].astype(np.int64)


def make_weighed_links(
    system, earlier_only: bool = False, strengths: np.ndarray | None = None
) -> tuple[tuple, np.ndarray, np.ndarray]:
    """Neighbours of every site of a system with a coupling for each bond, and how to follow the bonds.

    Parameters
    ----------
    system : AbstractLatticeSystem
    earlier_only : bool
        Only neighbours of a lower number.
    strengths : float64, shape (n_bonds,), optional
        Bonds are followed with probability 1 - exp(-2 |strength|); beta J unless given.

    Returns
    -------
    neighbours, degrees : tuple of uint32 (n_sites, most) and int64 (n_sites,)
        Site i has ``neighbours[i, : degrees[i]]``, with `earlier_only` those of a lower number.
    thresholds : uint64, of the shape of the neighbours
        As `follow_threshold` gives them.
    signs : int8, of the same shape
        Of the couplings.
    """
    bonds = np.asarray(system.lattice.bonds, np.int64)
    couplings = system.beta * system.bond_couplings if strengths is None else strengths
    ends = bonds[:, ::-1] if earlier_only else np.concatenate([bonds[:, ::-1], bonds])  # rows are i < j
    couplings = couplings if earlier_only else np.concatenate([couplings, couplings])
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    ends, couplings = ends[order], couplings[order]
    degrees = np.bincount(ends[:, 0], minlength=system.n_sites)
    places = ends[:, 0], np.arange(len(ends)) - (np.cumsum(degrees) - degrees)[ends[:, 0]]
    shape = system.n_sites, max(1, int(degrees.max()))
    neighbours, thresholds = np.zeros(shape, np.uint32), np.zeros(shape, np.uint64)
    signs = np.ones(shape, np.int8)
    neighbours[places], signs[places] = ends[:, 1], np.where(couplings < 0.0, -1, 1)
    thresholds[places] = [follow_threshold(abs(one)) for one in couplings]
    return (neighbours, degrees.astype(np.int64)), thresholds, signs


@njit(nogil=True, cache=True)
def followed_bits(rng, threshold):
    """64 independent bits, each 1 with probability ``threshold / 2**64``.

    Bit b is ``r_b < threshold`` for the 64-bit number r_b made of the b-th bits of successive words, highest
    digit first. `open_` marks the numbers that agree with the threshold so far.
    """
    s0, s1, s2, s3 = rng[0], rng[1], rng[2], rng[3]
    open_ = ~_ZERO
    below = _ZERO
    while open_ != _ZERO and threshold != _ZERO:  # with no digit left, what agrees is not below
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        digit = _ZERO - (threshold >> _LAST)  # all bits alike
        below |= open_ & digit & ~word
        open_ &= ~(word ^ digit)
        threshold = uint64(threshold << _ONE)
    rng[0], rng[1], rng[2], rng[3] = s0, s1, s2, s3
    return below
