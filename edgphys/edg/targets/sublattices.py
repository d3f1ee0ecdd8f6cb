# SPDX-License-Identifier: MIT
"""Lattices seen from one of their two sublattices: pairs of its sites, and what exchanges the two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgphys.systems.lattice.base import AbstractLatticeSystem

__all__ = ["exchange", "restrict_orbits"]


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
