# SPDX-License-Identifier: MIT
"""Pairs of sites of a system by symmetry, those of one sublattice, and what exchanges the two of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgphys.systems.lattice.base import AbstractLatticeSystem

__all__ = ["exchange", "pair_orbits_of", "restrict_orbits"]


def pair_orbits_of(system: AbstractLatticeSystem) -> NDArray[np.int64]:
    """Labels of pairs of sites that the symmetry of the energy makes alike, int64 (n_sites, n_sites).

    Every unordered pair has a label of its own where couplings of bonds or sites leave no symmetry; with
    translations alone, that of its orbit under the whole group of the lattice, as a shared start.
    """
    if system.symmetries and set(system.symmetries) != {"z2"}:
        return system.lattice.pair_orbits().astype(np.int64)
    sites = np.arange(system.n_sites)
    low, high = np.minimum.outer(sites, sites), np.maximum.outer(sites, sites)
    return np.unique(low * system.n_sites + high, return_inverse=True)[1].reshape(low.shape)


def restrict_orbits(orbits: NDArray, sites: NDArray) -> NDArray[np.int64]:
    """Pair-orbit labels of a subset of the sites, made contiguous."""
    labels = orbits[np.ix_(sites, sites)]
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def exchange(system: AbstractLatticeSystem) -> NDArray[np.int64] | None:
    """A symmetry of the lattice that exchanges its two sublattices, or None.

    Applied to every second configuration it restores the symmetry that the choice of one sublattice broke, at
    no cost in weight, because the energy is invariant.
    """
    signs = system.lattice.bipartition
    if signs is None:
        return None
    for permutation in (*system.lattice.translation_generators, *system.lattice.point_group):
        if np.array_equal(signs[permutation], -signs):
            return np.asarray(permutation, dtype=np.int64)
    return None
