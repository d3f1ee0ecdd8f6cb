# SPDX-License-Identifier: MIT
"""Lattices to netket and back: the same sites, bonds and symmetry.

Oracle: netket's own edges and space groups.
"""

from __future__ import annotations

import dataclasses

import netket.graph
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lattices
from lattices.unit_cell import parse

AXES = {"chain": 1, "square": 2, "triangular": 2, "honeycomb": 2, "kagome": 2, "cubic": 3, "hypercubic": 4}
ARRAYS = ("bonds", "bond_colours", "colours", "cells", "sublattices", "translation_generators", "point_group")

# lattices that netket ships, with the order of the point group of each
SHIPPED = [
    (netket.graph.Chain(6), 2),
    (netket.graph.Chain(5, pbc=False), 2),
    (netket.graph.Square(4), 8),
    (netket.graph.Square(2, pbc=False), 8),
    (netket.graph.Square(5, max_neighbor_order=2), 8),
    (netket.graph.Hypercube(3, n_dim=3), 48),
    (netket.graph.Grid([3, 4]), 4),
    (netket.graph.Triangular([4, 4]), 12),
    (netket.graph.Honeycomb([3, 3]), 12),
    (netket.graph.Kagome([3, 3]), 12),
    (netket.graph.FCC([3, 3, 3]), 48),
    (netket.graph.BCC([3, 3, 3]), 48),
]


@st.composite
def boxes(draw):
    """Lattices with every mixture of boundaries, down to double bonds."""
    name = draw(st.sampled_from(sorted(AXES)))
    pbc = tuple(draw(st.booleans()) for _ in range(AXES[name]))
    extent = tuple(draw(st.integers(2, 5 if len(pbc) < 3 else 3)) for _ in pbc)
    return lattices.build(name, extent, pbc, allow_double_bonds=True)


def sorted_edges(graph):
    return sorted((min(i, j), max(i, j), colour) for i, j, colour in graph.edges(return_color=True))


def rows(group):
    return {tuple(row) for row in np.asarray(group).tolist()}


@given(boxes())
def test_netket_expands_the_unit_cell_to_the_same_lattice(lattice):
    graph = lattices.to_netket(lattice)
    bonds = [
        (*ends, colour) for ends, colour in zip(lattice.bonds.tolist(), lattice.bond_colours, strict=True)
    ]
    assert bonds == sorted_edges(graph)
    assert np.array_equal(graph.basis_coords, np.column_stack([lattice.cells, lattice.sublattices]))
    np.testing.assert_allclose(graph.positions, lattice.positions, rtol=0, atol=1e-14)
    assert (tuple(graph.extent), tuple(graph.pbc)) == (lattice.extent, lattice.pbc)


@given(boxes())
def test_there_and_back_is_the_same_lattice(lattice):
    back = lattices.from_netket(lattices.to_netket(lattice), name=lattice.name)
    assert repr(back) == repr(lattice)
    for name in ARRAYS:
        if name != "point_group" or all(lattice.pbc):  # else the fixed point may be another one
            assert np.array_equal(getattr(back, name), getattr(lattice, name)), name
    assert len(back.point_group) == len(lattice.point_group)
    np.testing.assert_allclose(back.positions, lattice.positions, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("graph", "order"), SHIPPED, ids=str)
def test_lattices_of_netket(graph, order):
    lattice = lattices.from_netket(graph)
    assert len(lattice.point_group) == order
    assert [tuple(ends) for ends in lattice.bonds.tolist()] == [edge[:2] for edge in sorted_edges(graph)]
    assert sorted_edges(lattices.to_netket(lattice)) == sorted_edges(graph)
    np.testing.assert_allclose(lattice.positions, graph.positions, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "extent", "pbc"),
    [
        ("chain", (5,), False),
        ("square", (3, 3), True),
        ("square", (4, 3), True),
        ("square", (2, 2), True),
        ("square", (3, 4), (True, False)),
        ("triangular", (3, 3), True),
        ("honeycomb", (3, 3), True),
        ("kagome", (3, 3), True),
        ("cubic", (3, 3, 3), True),
    ],
)
def test_space_group_is_that_of_netket(name, extent, pbc):
    lattice = lattices.build(name, extent, pbc, allow_double_bonds=True)
    group = lattice.space_group()
    assert rows(lattices.to_netket(lattice).space_group().to_array()) == rows(group)


@pytest.mark.parametrize("graph", [graph for graph, _ in SHIPPED if graph._point_group is not None], ids=str)
def test_space_group_of_lattices_of_netket(graph):
    assert rows(lattices.from_netket(graph).space_group()) == rows(graph.space_group().to_array())


def test_glides_are_left_out():
    """The diamond lattice: netket counts them, `lattices.symmetry` does not."""
    graph = netket.graph.Diamond([3, 3, 3])
    ours, theirs = rows(lattices.from_netket(graph).space_group()), rows(graph.space_group().to_array())
    assert ours < theirs and 2 * len(ours) == len(theirs)


def test_point_of_highest_symmetry_is_found_from_another_origin():
    """A honeycomb with a site at the origin, and the centre of its hexagon at (2/3, 2/3)."""
    basis = np.array([[np.sqrt(3), 0.0], [np.sqrt(3) / 2, 1.5]])
    offsets = np.array([[0.0, 0.0], [1 / 3, 1 / 3]]) @ basis
    graph = netket.graph.Lattice(basis, [4, 4], site_offsets=offsets)
    assert len(lattices.from_netket(graph).point_group) == 12


def test_bond_that_is_elsewhere_is_seen():
    """Negative control of the check in `to_netket`."""
    lattice = lattices.build("square", (3, 3))
    bonds = lattice.bonds.copy()
    bonds[-1, 0] -= 1
    with pytest.raises(RuntimeError, match="netket must number sites and bonds as Lattice"):
        lattices.to_netket(dataclasses.replace(lattice, bonds=bonds))


def test_other_graphs_are_refused():
    with pytest.raises(TypeError, match=r"graph must be a netket.graph.Lattice .*, got Graph"):
        lattices.from_netket(netket.graph.Graph([(0, 1)]))
    with pytest.raises(TypeError, match=r"graph must be a netket.graph.Lattice .*, got tuple"):
        lattices.from_netket((4, 4))
    with pytest.raises(ValueError, match="graph must have at least one edge, got none"):
        lattices.from_netket(netket.graph.Lattice([[1.0]], [3], custom_edges=[]))
    with pytest.raises(
        ValueError,
        match=r"double ones around a periodic axis of extent 2 .*, got 9 edges for extent \(2, 3\)",
    ):
        lattices.from_netket(netket.graph.Lattice(np.eye(2), [2, 3]))
    with pytest.raises(ValueError, match=r"extent must be integers .* got extent \(3, 1\)"):
        lattices.from_netket(netket.graph.Lattice(np.eye(2), [3, 1], custom_edges=[(0, 0, [1.0, 0.0])]))
    with pytest.raises(TypeError, match=r"lattice must be made by lattices.build, got UnitCell"):
        lattices.to_netket(
            parse('name="x"\nbasis_vectors=[[1]]\nsite_offsets=[[0]]\nbonds=[{sites=[0,0], cell=[1]}]')
        )
