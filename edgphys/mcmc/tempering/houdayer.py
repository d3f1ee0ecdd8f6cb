# SPDX-License-Identifier: MIT
r"""Cluster moves between two replicas at one temperature, for Ising systems of any couplings.

Replicas a and b have the overlap q_i = s_i^a s_i^b at each site. A site with q = -1 is chosen, all of them
alike likely, and with it all sites of q = -1 that bonds join to it, one after the other; both replicas
exchange their spins on this cluster.

The sum of both energies stays: a bond inside the cluster turns both of its spins in each replica, and one
across its edge, from q = -1 to q = +1, has s_i^a s_j^a + s_i^b s_j^b = 0 before and after; in a field, so
has a site of q = -1. The overlaps stay too, hence the reverse move has the same probability. So the joint
weight exp(-beta (E_a + E_b)) is invariant. Sweeps in between make the chain irreducible.

In two dimensions clusters are small enough to help; above the threshold of percolation, as in three, a
cluster and what is left are about the whole lattice, and the move little more than an exchange of names.

References
----------
Houdayer, Eur. Phys. J. B 22, 479 (2001), doi:10.1007/PL00011151. Zhu, Ochoa and Katzgraber, Phys. Rev. Lett.
115, 077201 (2015), doi:10.1103/PhysRevLett.115.077201.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from edgphys.mcmc.random.xoshiro import random_site

__all__ = ["exchange_cluster"]


@njit(nogil=True, cache=True)
def exchange_cluster(a, b, neighbours, rng):
    """Exchange one cluster of two configurations, in place; the number of its sites, 0 if there is none.

    Parameters
    ----------
    a, b : int8, shape (n_sites + 1,)
        In the order of a layout, the last entry 0.
    neighbours : uint32, shape (n_sites, max coordination)
        Padded with n_sites.
    rng : uint64, shape (4,)
    """
    n_sites = neighbours.shape[0]
    stack, n_different = np.empty(n_sites, np.int64), 0
    for i in range(n_sites):
        if a[i] != b[i]:
            stack[n_different] = i
            n_different += 1
    if n_different == 0:
        return 0
    first = stack[random_site(rng, n_different)]
    seen = np.zeros(n_sites + 1, np.bool_)
    seen[first], seen[n_sites] = True, True
    stack[0], n_stack, size = first, 1, 0
    while n_stack > 0:
        n_stack -= 1
        i = stack[n_stack]
        size += 1
        for j in neighbours[i]:
            if not seen[j] and a[j] != b[j]:
                seen[j] = True
                stack[n_stack] = j
                n_stack += 1
        a[i], b[i] = b[i], a[i]
    return size
