# SPDX-License-Identifier: MIT
r"""Clusters by reflection: exchanges of states that leave the energies of bonds alone, on some sites only.

R is an exchange of states, R R = 1, with bond(R a, R b) = bond(a, b): for Potts two colours change places,
for clock models the polygon is reflected. With the cost of turning one end of a bond only,

    g_ij = beta w_ij (bond(R s_i, s_j) - bond(s_i, s_j)),

a bond is active with probability 1 - exp(-max(g_ij, 0)), and R acts on all sites that active bonds join. The
bonds not followed across the boundary have exactly the Boltzmann weight that this exchanges (Wolff, eq. 4);
g_ij is the same seen from either end. It is the embedded Ising model of signs, for either sign of J; for the
antiferromagnetic Potts model the algorithm of Wang, Swendsen and Kotecky.

References
----------
U. Wolff, Phys. Rev. Lett. 62, 361 (1989), doi:10.1103/PhysRevLett.62.361. J.-S. Wang, R. H. Swendsen,
R. Kotecky, Phys. Rev. Lett. 63, 109 (1989), doi:10.1103/PhysRevLett.63.109.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from edgphys.mcmc.core.acceptance import follows
from edgphys.mcmc.core.layout import make_layout
from edgphys.mcmc.ising.clusters.labelling import join
from edgphys.mcmc.random.xoshiro import random_site, uniform
from edgphys.mcmc.states.base import AbstractStatesSampler

__all__ = ["AbstractStatesClusters", "flip_cluster", "link_reflected", "why_no_clusters"]


def why_no_clusters(system, name: str) -> str | None:
    """Why clusters do not apply to this system of finitely many states; None if they do."""
    if not len(system.reflections):
        return (
            f"{name} needs exchanges of states that leave the energies of bonds alone and lead from any "
            f"state to any other, got none for {system!r}; use 'heat_bath' or 'metropolis'"
        )
    if system.order_signs is None:
        return (
            f"{name} needs couplings without frustration (frustrated clusters span the lattice), got a loop "
            f"with an odd number of negative ones in {system!r}; use 'heat_bath' or 'metropolis'"
        )
    return None


class AbstractStatesClusters(AbstractStatesSampler):
    """A chain moved by clusters; sites are kept in the order of the lattice."""

    @classmethod
    def serves(cls, system) -> str | None:
        return why_no_clusters(system, cls.name)

    def _prepare(self) -> None:
        lattice = self.system.lattice
        self.layout = make_layout(lattice, np.arange(lattice.n_sites))

    def _reflecting(self) -> tuple:
        """Neighbours, kinds of bonds, beta w of each kind, images, those that move a state, and costs g / w.

        Costs, shape (n_reflections, q, q + 1), are 0 for a neighbour that is not there.
        """
        system = self.system
        weights, kinds = self._weight_kinds()
        images = system.reflections
        moving = np.array([np.flatnonzero(images[:, s] != s) for s in range(system.n_states)], np.int64)
        bond = system.bond_table
        costs = np.zeros((len(images), system.n_states, system.n_states + 1))
        costs[:, :, :-1] = [bond[image] - bond for image in images.astype(np.int64)]
        # Zero is zero: rounding of an energy that no reflection changes must not make a bond.
        costs[np.abs(costs) < 1e-14 * np.abs(bond).max()] = 0.0
        return self.layout.neighbours, kinds, system.beta * weights, images, moving, costs


@njit(nogil=True, cache=True)
def flip_cluster(states, rng, tables, members, inside):
    """Grow a cluster from a random site by a reflection that moves its state, and apply it; the size.

    `inside`, bool (n_sites + 1,), is all False before and after.
    """
    neighbours, kinds, scales, images, moving, costs = tables
    n_sites = neighbours.shape[0]
    seed = random_site(rng, n_sites)
    which = moving[states[seed], random_site(rng, moving.shape[1])]
    members[0] = seed
    inside[seed] = True
    size, done = 1, 0
    while done < size:
        i = members[done]
        done += 1
        for j in range(neighbours.shape[1]):
            k = neighbours[i, j]
            cost = scales[kinds[i, j]] * costs[which, states[i], states[k]]
            if cost > 0.0 and not inside[k] and follows(uniform(rng), cost):
                inside[k] = True
                members[size] = k
                size += 1
    for m in range(size):
        i = members[m]
        states[i] = images[which, states[i]]
        inside[i] = False
    return size


@njit(nogil=True, cache=True)
def link_reflected(states, rng, tables, which, parent):
    """Draw the active bonds of a reflection and join the trees of `parent`, one node for each site."""
    neighbours, kinds, scales, _, _, costs = tables
    for site in range(neighbours.shape[0]):
        parent[site] = site
        for j in range(neighbours.shape[1]):
            k = neighbours[site, j]
            if k >= site:  # a later one, or none
                continue
            cost = scales[kinds[site, j]] * costs[which, states[site], states[k]]
            if cost > 0.0 and follows(uniform(rng), cost):
                join(parent, site, k)
