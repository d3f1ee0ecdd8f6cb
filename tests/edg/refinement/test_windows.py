# SPDX-License-Identifier: MIT
"""Windows hold known sites only, by one pattern for all of a colour, and miss none within the radius."""

from __future__ import annotations

import numpy as np
import pytest

import lattices
from edgphys.edg.refinement.classes import split_sites
from edgphys.edg.refinement.windows import neighbour_table, windows_of

CASES = [
    ("chain", (16,), True),
    ("square", (16, 16), True),
    ("square", (6, 6), True),
    ("square", (16, 16), False),
    ("square", (15, 7), False),
    ("square", (16, 6), (False, True)),
    ("triangular", (8, 8), True),
    ("triangular", (12, 12), True),
    ("honeycomb", (8, 8), True),
    ("kagome", (12, 12), True),
    ("cubic", (8, 8, 8), True),
]


def build(name, extent, pbc, radius=3.0):
    classes = split_sites(lattices.build(name, extent, pbc))
    return classes, windows_of(classes, radius)


@pytest.mark.parametrize(("name", "extent", "pbc"), CASES)
def test_only_known_sites(name, extent, pbc):
    classes, windows = build(name, extent, pbc)
    n_sites = classes.lattice.n_sites
    known = np.zeros(n_sites + 1, dtype=bool)
    known[classes.root] = known[n_sites] = True
    for one, window in zip(classes.learned, windows, strict=True):
        assert np.array_equal(one.sites, window.sites)
        assert known[window.table].all()
        assert (window.table < n_sites).any(axis=0).all()
        known[one.sites] = True


@pytest.mark.parametrize(("name", "extent", "pbc"), CASES)
def test_edges_mark_what_is_missing(name, extent, pbc):
    classes, windows = build(name, extent, pbc)
    for window in windows:
        missing = window.table == classes.lattice.n_sites
        np.testing.assert_array_equal(window.edges, missing[:, missing.any(axis=0)])
        assert window.edges.dtype == np.float32


def test_only_edges_and_odd_tori_miss_sites():
    def n_edges(extent, pbc):
        return sum(window.edges.shape[1] for window in build("square", extent, pbc)[1])

    assert n_edges((16, 16), True) == 0
    assert n_edges((12, 12), True) == 0  # three coarse cells an axis: every colour of theirs is a single site
    assert n_edges((20, 20), True) > 0
    assert n_edges((16, 16), (False, True)) > 0


@pytest.mark.parametrize(
    ("name", "extent"),
    [("square", (16, 16)), ("triangular", (16, 16)), ("honeycomb", (16, 16)), ("kagome", (16, 16))],
)
def test_one_pattern_for_all_sites(name, extent):
    """Displacements from the first and from every other site of a colour are the same around the torus."""
    classes, windows = build(name, extent, True)
    lattice = classes.lattice
    for window in windows:
        steps = lattice.cells[window.table] - lattice.cells[window.sites][:, None]
        assert np.all((steps - steps[0]) % np.array(extent) == 0)
        assert np.all(lattice.sublattices[window.table] == lattice.sublattices[window.table[0]])


def test_nothing_known_within_the_radius_is_left_out():
    """Finest class of 16 x 16: all known sites at a distance up to radius times sqrt 2, by brute force."""
    classes, windows = build("square", (16, 16), True, radius=2.5)
    cells = classes.lattice.cells
    known = list(classes.root)
    for one, window in zip(classes.learned, windows, strict=True):
        if one.level == 0:
            step = (cells[known] - cells[one.sites[0]] + 8) % 16 - 8
            inside = np.linalg.norm(step, axis=1) <= 2.5 * np.sqrt(2.0)
            assert set(window.table[0]) == set(np.array(known)[inside])
        known += one.sites.tolist()


def test_nearest_first_and_whole_shells():
    classes = split_sites(lattices.build("square", (16, 16)))
    for one, window in zip(classes.learned, windows_of(classes, 3.0, n_most=18), strict=True):
        step = classes.lattice.cells[window.table[0]] - classes.lattice.cells[one.sites[0]]
        distance = np.linalg.norm((step + 8) % 16 - 8, axis=1)
        assert np.all(np.diff(distance) > -1e-9)
        assert len(distance) <= 18


@pytest.mark.parametrize("name", ["square", "triangular", "kagome"])
def test_size_of_the_window_does_not_depend_on_the_lattice(name):
    small, large = (build(name, (n, n), True) for n in (16, 32))
    shapes = {one.name: window.table.shape[1] for one, window in zip(small[0].learned, small[1], strict=True)}
    others = {one.name: window.table.shape[1] for one, window in zip(large[0].learned, large[1], strict=True)}
    assert shapes.items() <= others.items()


@pytest.mark.parametrize(("name", "extent", "pbc"), CASES)
def test_neighbours_of_exact_sites(name, extent, pbc):
    classes, _ = build(name, extent, pbc)
    lattice = classes.lattice
    table = neighbour_table(lattice, classes.exact)
    field = np.append(np.random.default_rng(0).normal(size=lattice.n_sites), 0.0)
    np.testing.assert_allclose(
        field[table].sum(1), (lattice.adjacency @ field[:-1])[classes.exact], atol=1e-12
    )
