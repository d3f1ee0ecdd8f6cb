# SPDX-License-Identifier: MIT
"""Symmetry groups as identities: closed, unique, leaving bonds, distances and pair orbits alone.

Oracles: orders of the groups from crystallography, and orbits by connected components; netket's space groups
are in test_exchange.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import lattices

PROFILE = settings(derandomize=True, deadline=None, max_examples=30, database=None)
NAMES = {"chain": 1, "square": 2, "triangular": 2, "honeycomb": 2, "kagome": 2, "cubic": 3}

# name, extent, pbc, order of the point group
ORDERS = [
    ("chain", (5,), True, 2),
    ("chain", (5,), False, 2),
    ("square", (4, 4), True, 8),
    ("square", (5, 5), False, 8),
    ("square", (4, 4), (True, False), 4),
    ("square", (4, 6), True, 4),
    ("square", (3, 4), False, 4),
    ("square", (1, 4), False, 2),
    ("triangular", (4, 4), True, 12),
    ("triangular", (5, 5), False, 4),
    ("triangular", (4, 5), True, 2),
    ("triangular", (4, 5), False, 2),
    ("honeycomb", (4, 4), True, 12),
    ("honeycomb", (4, 4), False, 4),
    ("honeycomb", (4, 4), (True, False), 4),
    ("kagome", (4, 4), True, 12),
    ("kagome", (3, 3), True, 12),
    ("kagome", (4, 4), False, 2),
    ("cubic", (3, 3, 3), True, 48),
    ("cubic", (3, 3, 3), False, 48),
    ("cubic", (3, 3, 4), True, 16),
    ("cubic", (3, 4, 5), True, 8),
    ("cubic", (3, 3, 3), (True, True, False), 16),
    ("hypercubic", (3, 3, 3, 3), True, 384),
]


@st.composite
def boxes(draw, largest=5):
    name = draw(st.sampled_from(sorted(NAMES)))
    pbc = tuple(draw(st.booleans()) for _ in range(NAMES[name]))
    extent = tuple(draw(st.integers(2, largest)) for _ in pbc)
    return lattices.build(name, extent, pbc, allow_double_bonds=True)


def as_rows(bonds, colours):
    bonds = np.sort(bonds, axis=1)
    return sorted((i, j, c) for (i, j), c in zip(bonds.tolist(), colours.tolist(), strict=True))


def assert_group(permutations):
    """Bijections, each once, identity first, closed under composition."""
    n_sites = permutations.shape[1]
    assert np.array_equal(permutations[0], np.arange(n_sites))
    assert np.array_equal(np.sort(permutations, axis=1), np.tile(np.arange(n_sites), (len(permutations), 1)))
    rows = {row.tobytes() for row in permutations}
    assert len(rows) == len(permutations)
    for g in permutations:
        assert all(row.tobytes() in rows for row in g[permutations])


def keeps_bonds(lattice, permutation):
    """Whether bonds go to bonds and colour classes to colour classes."""
    labels = np.unique(lattice.bond_colours)
    images = permutation[lattice.bonds]
    relabellings = itertools.permutations(labels)
    expected = as_rows(lattice.bonds, lattice.bond_colours)
    return any(
        as_rows(images, np.array(new)[np.searchsorted(labels, lattice.bond_colours)]) == expected
        for new in relabellings
    )


def distances(lattice):
    """Shortest image, with enough images for the small extents used here."""
    periods = lattice.basis_vectors * np.array(lattice.extent)[:, None]
    result = np.full((lattice.n_sites, lattice.n_sites), np.inf)
    for image in itertools.product(*(range(-3, 4) if p else (0,) for p in lattice.pbc)):
        separation = lattice.positions[None] + np.array(image) @ periods - lattice.positions[:, None]
        result = np.minimum(result, np.linalg.norm(separation, axis=-1))
    return result


@pytest.mark.parametrize(("name", "extent", "pbc", "order"), ORDERS)
def test_order_of_the_point_group(name, extent, pbc, order):
    assert len(lattices.build(name, extent, pbc).point_group) == order


@PROFILE
@given(boxes())
def test_point_group_is_a_group(lattice):
    assert lattice.point_group.dtype == np.int32
    assert_group(lattice.point_group)


@PROFILE
@given(boxes(largest=4))
def test_bonds_and_distances_invariant_under_point_group(lattice):
    distance = distances(lattice)
    for permutation in lattice.point_group:
        assert keeps_bonds(lattice, permutation)
        assert np.allclose(distance[np.ix_(permutation, permutation)], distance)


def test_wrong_permutation_is_seen():
    """Negative control: exchanging two neighbours of a chain keeps neither bonds nor distances."""
    lattice = lattices.build("chain", (6,))
    wrong = np.array([1, 0, 2, 3, 4, 5])
    assert not keeps_bonds(lattice, wrong)
    assert not np.allclose(distances(lattice)[np.ix_(wrong, wrong)], distances(lattice))


@PROFILE
@given(boxes())
def test_translations_are_a_group_that_keeps_coloured_bonds(lattice):
    assert lattice.translations.shape == (lattice.n_translations, lattice.n_sites)
    assert_group(lattice.translations)
    expected = as_rows(lattice.bonds, lattice.bond_colours)
    assert len(lattice.translation_generators) == sum(lattice.pbc)
    for permutation in lattice.translation_generators:
        assert as_rows(permutation[lattice.bonds], lattice.bond_colours) == expected
        assert any(np.array_equal(permutation, row) for row in lattice.translations)


def test_translation_direction():
    generators = lattices.build("square", (3, 4)).translation_generators
    assert generators[0].reshape(3, 4)[0, 0] == 4 and generators[1].reshape(3, 4)[0, 0] == 1


@pytest.mark.parametrize(
    ("name", "extent", "pbc"),
    [
        ("chain", (6,), True),
        ("square", (3, 3), True),
        ("square", (2, 2), True),
        ("square", (2, 4), True),
        ("kagome", (2, 2), True),
        ("honeycomb", (3, 3), True),
        ("triangular", (3, 4), (True, False)),
        ("cubic", (2, 2, 2), True),
        ("square", (3, 3), False),
    ],
)
def test_space_group_is_a_group(name, extent, pbc):
    lattice = lattices.build(name, extent, pbc, allow_double_bonds=True)
    group = lattice.space_group()
    assert_group(group)
    rows = {row.tobytes() for row in group}
    assert all(row.tobytes() in rows for row in lattice.point_group)
    assert all(row.tobytes() in rows for row in lattice.translations)


@PROFILE
@given(boxes(largest=4))
def test_pair_orbits_are_the_orbits_of_the_space_group(lattice):
    labels, n_sites = lattice.pair_orbits(), lattice.n_sites
    assert labels.dtype == np.int32 and np.array_equal(labels, labels.T)
    first, second = np.divmod(np.arange(n_sites**2), n_sites)
    moves = [*lattice.translation_generators, *lattice.point_group[1:]]
    ends = [p[first].astype(np.int64) * n_sites + p[second] for p in moves] + [second * n_sites + first]
    starts = np.tile(np.arange(n_sites**2), len(ends))
    graph = coo_array((np.ones(len(starts), dtype=bool), (starts, np.concatenate(ends))))
    n_orbits, expected = connected_components(graph, directed=False)
    assert lattice.n_pair_orbits == n_orbits
    assert len(set(zip(labels.ravel().tolist(), expected.tolist(), strict=True))) == n_orbits


@PROFILE
@given(boxes(largest=5))
def test_pair_orbit_labels_count_up_with_distance(lattice):
    labels, distance = lattice.pair_orbits(), distances(lattice)
    means = np.bincount(labels.ravel(), distance.ravel()) / np.bincount(labels.ravel())
    assert np.allclose(means[labels], distance)
    assert np.all(np.diff(means) > -1e-9)
    assert np.array_equal(np.unique(labels), np.arange(lattice.n_pair_orbits))


def test_pair_orbit_counts():
    assert lattices.build("chain", (8,)).n_pair_orbits == 5
    assert lattices.build("square", (8, 8)).n_pair_orbits == 15  # 0 <= y <= x <= 4
    assert lattices.build("cubic", (6, 6, 6)).n_pair_orbits == 20
    assert lattices.build("square", (32, 32)).n_pair_orbits == 153
    labels = lattices.build("kagome", (6, 6)).pair_orbits()
    assert np.all(np.diag(labels) == 0)


def test_long_thin_skew_torus_uses_the_shortest_image():
    """Half way up, the nearest image is many short periods aside, so one shell of images is not enough."""
    lattice = lattices.build("triangular", (3, 21))
    labels = lattice.pair_orbits()
    periods = lattice.basis_vectors * np.array(lattice.extent)[:, None]
    images = np.array(list(itertools.product(range(-8, 9), range(-2, 3)))) @ periods
    separation = lattice.positions[:, None] - lattice.positions[0] + images
    distance = np.linalg.norm(separation, axis=-1).min(axis=1)
    assert np.all(np.diff(distance[np.argsort(labels[0], kind="stable")]) > -1e-9)


def test_limits_name_the_reason():
    large = lattices.build("square", (96, 96))
    with pytest.raises(
        ValueError, match=r"translations of .* entries, the limit is 67108864; use translation_gen"
    ):
        _ = large.translations
    with pytest.raises(ValueError, match=r"space_group of .* would have"):
        large.space_group()
    with pytest.raises(ValueError, match=r"pair_orbits of .* would have"):
        large.pair_orbits()


def test_distinct_colours_break_the_symmetry_that_mixes_them(tmp_path):
    """Two bonds of one colour and one of another: the honeycomb keeps D2 about a hexagon."""
    path = tmp_path / "anisotropic.toml"
    bonds = "{sites=[0,1], cell=[0,0]}, {sites=[1,0], cell=[1,0]}, {sites=[1,0], cell=[0,1], colour=1}"
    third = "0.3333333333333333, 0.3333333333333333"
    text = (
        'name = "kitaev"\nbasis_vectors = [[1.7320508075688772, 0.0], [0.8660254037844386, 1.5]]\n'
        f"site_offsets = [[{third}], [{third.replace('3', '6')}]]\nbonds = [{bonds}]\n"
    )
    path.write_text(text, encoding="utf-8")
    assert len(lattices.build(path, (4, 4)).point_group) == 4
