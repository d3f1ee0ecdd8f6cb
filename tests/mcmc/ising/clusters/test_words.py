# SPDX-License-Identifier: MIT
"""Bonds in words of 64 sites: each is listed once, and clusters are what its active ones connect."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import lattices
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.ising.clusters import labelling, swendsen_wang
from edgphys.mcmc.ising.clusters.growth import follow_threshold
from edgphys.mcmc.ising.clusters.words import make_word_bonds
from edgphys.systems import Ising

SHAPES = {
    "square": (64, 4),
    "square of odd rows": (5, 27),
    "square of narrow rows": (40, 2),
    "open square": (9, 8),
    "triangular": (7, 11),
    "honeycomb": (5, 7),
    "kagome": (4, 6),
    "cubic": (3, 4, 7),
    "chain": (130,),
    "square-j1j2": (9, 9),
}


def built(name):
    extent, pbc = SHAPES[name], not name.startswith("open ")
    lattice = name.removeprefix("open ").split(" of ")[0]
    return lattices.build(lattice, extent, pbc, allow_double_bonds=2 in extent)


def strengths_of(lattice):
    """Two sizes and both signs, without frustration."""
    rng = np.random.default_rng(1)
    signs = rng.choice([-1.0, 1.0], lattice.n_sites)
    return rng.choice([0.2, 0.7], lattice.n_bonds) * signs[lattice.bonds[:, 0]] * signs[lattice.bonds[:, 1]]


def listed(bonds, bits):
    """Lower and higher end, whether negative, and threshold, of the bonds whose bits are set."""
    found = []
    for w in range(len(bonds.first) - 1):
        for g in range(bonds.first[w], bonds.first[w + 1]):
            for b in range(64):
                if int(bits[g]) >> b & 1:
                    other = 64 * (int(bonds.place[g]) - 1) + int(bonds.shift[g]) + b
                    negative = int(bonds.negative[g]) >> b & 1
                    found.append((*sorted((64 * w + b, other)), negative, int(bonds.threshold[g])))
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_every_bond_is_listed_once_with_its_coupling(name):
    lattice = built(name)
    strengths = strengths_of(lattice)
    bonds = make_word_bonds(lattice, strengths)
    thresholds = [int(follow_threshold(abs(s))) for s in strengths]
    expected = zip(*lattice.bonds.T.tolist(), (strengths < 0.0).tolist(), thresholds, strict=True)
    assert sorted(listed(bonds, bonds.mask)) == sorted(expected)
    taken, threshold = 0, 0
    for g, fresh in enumerate(bonds.fresh):  # one random bit is of one bond
        if fresh:
            taken, threshold = 0, bonds.threshold[g]
        assert not taken & int(bonds.mask[g]) and bonds.threshold[g] == threshold
        taken |= int(bonds.mask[g])


def test_of_the_square_lattice_two_random_words_serve_64_sites():
    for extent in ((64, 64), (8, 128), (48, 4)):
        lattice = lattices.build("square", extent)
        bonds = make_word_bonds(lattice, np.full(lattice.n_bonds, 0.4))
        assert bonds.fresh.sum() == 2 * (len(bonds.first) - 1)


def test_couplings_of_many_sizes_have_no_groups():
    lattice = lattices.build("square", (4, 4))
    assert make_word_bonds(lattice, np.linspace(0.1, 0.9, 32)) is None


@pytest.mark.parametrize("name", SHAPES)
def test_clusters_are_the_components_of_the_active_bonds(name):
    lattice = built(name)
    system = Ising(lattice, 1.0, strengths_of(lattice))
    sampler = make_sampler(system, "swendsen_wang")
    for seed in range(5):
        state = sampler.start(seed, np.random.SeedSequence(seed))
        args = sampler._args(state)
        n_clusters = swendsen_wang._sweeps(*args, 2)
        active = listed(sampler._rule[0], args[-1][1].active)
        i, j, negative = np.array([bond[:3] for bond in active]).T
        spins = state.configuration[:-1].astype(int)
        assert np.array_equal(spins[i] != spins[j], negative == 1)  # satisfied, and turned together
        graph = coo_array((np.ones(len(i)), (i, j)), shape=(system.n_sites,) * 2)
        assert connected_components(graph, False)[0] == n_clusters
        labels = np.empty(system.n_sites, np.uint32)
        labelling.label_sites(args[-1][1], labels)
        assert np.array_equal(labels, connected_components(graph, False)[1])
        wrong = coo_array((np.ones(len(i) - 1), (i[1:], j[1:])), shape=graph.shape)  # the check sees one bond
        assert connected_components(wrong, False)[0] >= n_clusters
