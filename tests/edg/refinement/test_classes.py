# SPDX-License-Identifier: MIT
"""Every site is drawn once, exact sites are not joined, and the pattern repeats with the spacing."""

from __future__ import annotations

import numpy as np
import pytest

import lattices
from edgphys.edg.refinement.classes import split_sites

USER_CELL = """
name = "ladder with legs"
basis_vectors = [[1.0, 0.0], [0.0, 2.0]]
site_offsets = [[0.0, 0.0], [0.0, 0.5]]
bonds = [
    { sites = [0, 0], cell = [1, 0] },
    { sites = [1, 1], cell = [1, 0] },
    { sites = [0, 1], cell = [0, 0] },
    { sites = [1, 0], cell = [0, 1] },
    { sites = [0, 1], cell = [1, 0] },
]
"""
# name, extent, pbc, sites of the root, exact sites
CASES = [
    ("chain", (16,), True, 4, 8),
    ("chain", (7,), False, 4, 3),
    ("square", (4, 4), True, 8, 8),
    ("square", (8, 8), True, 16, 32),
    ("square", (6, 6), True, 9, 18),
    ("square", (20, 20), True, 25, 200),
    ("square", (16, 6), True, 12, 48),
    ("square", (16, 16), False, 16, 128),
    ("square", (3, 8), (False, True), 8, 12),
    ("triangular", (8, 8), True, 16, 16),
    ("triangular", (12, 12), True, 9, 36),
    ("honeycomb", (8, 8), True, 16, 64),
    ("kagome", (4, 4), True, 32, 16),
    ("kagome", (12, 12), True, 18, 144),
    ("cubic", (8, 8, 8), True, 64, 256),
    ("hypercubic", (4, 4, 4, 8), True, 128, 256),
]


@pytest.fixture
def user_lattice(tmp_path):
    path = tmp_path / "cell.toml"
    path.write_text(USER_CELL)
    return lattices.build(path, (8, 12))


def check(classes):
    """Each site once, from coarse to fine; neither exact sites nor those of one colour are joined."""
    lattice = classes.lattice
    drawn = np.concatenate([classes.root, *(one.sites for one in classes.learned), classes.exact])
    assert np.array_equal(np.sort(drawn), np.arange(lattice.n_sites))
    exact = np.isin(np.arange(lattice.n_sites), classes.exact)
    assert not np.any(exact[lattice.bonds].all(axis=1))
    number = np.full(lattice.n_sites, -1)
    for k, one in enumerate(classes.learned):
        assert np.all(np.diff(one.sites) > 0)
        assert np.all(lattice.sublattices[one.sites] == one.sublattice)
        number[one.sites] = k
    same = (number[lattice.bonds[:, 0]] == number[lattice.bonds[:, 1]]) & (number[lattice.bonds[:, 0]] >= 0)
    assert not same.any()
    names = [one.name for one in classes.learned]
    assert len(set(names)) == len(names)
    levels = [one.level for one in classes.learned]
    assert levels == sorted(levels, reverse=True)


@pytest.mark.parametrize(("name", "extent", "pbc", "n_root", "n_exact"), CASES)
def test_every_site_is_drawn_once(name, extent, pbc, n_root, n_exact):
    classes = split_sites(lattices.build(name, extent, pbc))
    check(classes)
    assert len(classes.root) == n_root
    assert len(classes.exact) == n_exact


def test_a_lattice_of_the_user(user_lattice):
    classes = split_sites(user_lattice)
    check(classes)
    assert len(classes.exact) > 0


@pytest.mark.parametrize("n_colours", [1, 2, 3, 4])
def test_number_of_colours(n_colours):
    classes = split_sites(lattices.build("square", (16, 16)), n_colours)
    finest = [one for one in classes.learned if one.level == 0]
    rest = 8 % n_colours
    assert len(finest) == (n_colours + rest) ** 2
    assert sum(len(one.sites) for one in finest) == 64


@pytest.mark.parametrize(
    ("name", "extent"), [("square", (16, 16)), ("kagome", (16, 16)), ("cubic", (8, 8, 16))]
)
def test_pattern_repeats(name, extent):
    """A translation by twice the coarser spacing of a level takes each colour of it to itself."""
    lattice = lattices.build(name, extent)
    classes = split_sites(lattice)
    for axis, translation in enumerate(lattice.translation_generators):
        moved = np.arange(lattice.n_sites)
        for _ in range(2 * classes.spacings[1][axis]):
            moved = translation[moved]
        for one in classes.learned:
            if one.level == 0:
                assert np.array_equal(np.sort(moved[one.sites]), one.sites)


def test_names_do_not_depend_on_the_size():
    small, large = (split_sites(lattices.build("square", (n, n))) for n in (16, 64))
    assert {one.name for one in small.learned} < {one.name for one in large.learned}


def test_large_lattices_are_linear():
    """128 x 128 in well under a second: here only that it is complete."""
    check(split_sites(lattices.build("square", (128, 128))))
    check(split_sites(lattices.build("cubic", (16, 16, 16))))


def test_without_independent_groups_all_is_learned(tmp_path):
    """Bonds over two cells join sites of equal parity: no exact class, but still every site once."""
    path = tmp_path / "cell.toml"
    path.write_text('name="far"\nbasis_vectors=[[1]]\nsite_offsets=[[0]]\nbonds=[{sites=[0,0], cell=[2]}]')
    classes = split_sites(lattices.build(path, (12,)))
    assert len(classes.exact) == 0
    drawn = np.concatenate([classes.root, *(one.sites for one in classes.learned)])
    assert np.array_equal(np.sort(drawn), np.arange(12))
