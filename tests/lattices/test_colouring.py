# SPDX-License-Identifier: MIT
"""Proper site colourings and bipartitions. Oracle: a graph is bipartite exactly if no closed walk is odd."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lattices
from lattices.colouring import bipartition, proper_colouring

PROFILE = settings(derandomize=True, deadline=None, max_examples=30, database=None)
NAMES = {"chain": 1, "square": 2, "triangular": 2, "honeycomb": 2, "kagome": 2, "cubic": 3}
MOST_COLOURS = {"chain": 3, "square": 4, "triangular": 6, "honeycomb": 2, "kagome": 3, "cubic": 4}


@st.composite
def boxes(draw):
    name = draw(st.sampled_from(sorted(NAMES)))
    pbc = tuple(draw(st.booleans()) for _ in range(NAMES[name]))
    extent = tuple(draw(st.integers(3 if p else 2, 7 if len(pbc) < 3 else 5)) for p in pbc)
    return lattices.build(name, extent, pbc)


def has_odd_closed_walk(lattice):
    """Diagonal of odd powers of the adjacency matrix, up to the longest possible shortest odd loop."""
    walks = reach = (lattice.adjacency > 0).astype(float)
    for _ in range(lattice.n_sites // 2):
        walks = np.minimum(walks @ reach @ reach, 1.0)
        if np.any(np.diag(walks) > 0):
            return True
    return False


@PROFILE
@given(boxes())
def test_colouring_is_proper_and_small(lattice):
    first, second = lattice.bonds.T
    assert np.all(lattice.colours[first] != lattice.colours[second])
    assert np.array_equal(np.unique(lattice.colours), np.arange(lattice.n_colours))
    assert lattice.n_colours <= MOST_COLOURS[lattice.name]
    if lattice.bipartition is not None:
        assert lattice.n_colours == 2


@PROFILE
@given(boxes())
def test_bipartition_exists_exactly_without_odd_loops(lattice):
    signs = lattice.bipartition
    assert (signs is None) == has_odd_closed_walk(lattice)
    if signs is not None:
        first, second = lattice.bonds.T
        assert signs.dtype == np.int8 and signs[0] == 1
        assert np.all(signs[first] * signs[second] == -1)


@pytest.mark.parametrize(
    ("name", "extent", "n_colours"),
    [
        ("square", (4, 6), 2),
        ("square", (5, 5), 3),
        ("square", (15, 16), 3),
        ("honeycomb", (3, 5), 2),
        ("triangular", (6, 9), 3),
        ("triangular", (8, 8), 4),
        ("triangular", (10, 10), 4),
        ("kagome", (4, 5), 3),
        ("cubic", (4, 4, 4), 2),
        ("cubic", (3, 3, 3), 3),
        ("hypercubic", (4, 4, 4, 4), 2),
    ],
)
def test_number_of_colours(name, extent, n_colours):
    assert lattices.build(name, extent).n_colours == n_colours


def test_colouring_is_deterministic():
    lattice = lattices.build("triangular", (5, 7))
    arguments = (lattice.bonds, lattice.cells, lattice.sublattices, lattice.extent, lattice.pbc)
    for _ in range(2):
        assert np.array_equal(proper_colouring(lattice.n_sites, *arguments), lattice.colours)


def test_bipartition_of_separate_parts():
    assert bipartition(5, np.array([[0, 3], [1, 4]])).tolist() == [1, 1, 1, -1, -1]
    assert bipartition(5, np.array([[0, 1], [2, 3], [2, 4], [3, 4]])) is None
