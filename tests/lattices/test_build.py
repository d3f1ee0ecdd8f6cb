# SPDX-License-Identifier: MIT
"""The graph of each lattice: sites, bonds, neighbours, boundaries, and what is refused.

Oracles: the pairs of sites at distance 1 (shortest periodic image), found by brute force, are the bonds, and
hashes of what netket made of the same unit cells (its graphs themselves in test_exchange).
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lattices
from lattices.unit_cell import read

# name, extent, bonds per cell, coordination number
PERIODIC = [
    ("chain", (7,), 1, 2),
    ("square", (4, 5), 2, 4),
    ("triangular", (4, 3), 3, 6),
    ("honeycomb", (3, 4), 3, 3),
    ("kagome", (3, 4), 6, 4),
    ("cubic", (3, 4, 5), 3, 6),
    ("hypercubic", (3, 3, 3, 3), 4, 8),
]
EXACT_TEMPERATURES = {
    "square": 2 / math.log(1 + math.sqrt(2)),
    "triangular": 4 / math.log(3),
    "honeycomb": 2 / math.log(2 + math.sqrt(3)),
    "kagome": 4 / math.log(3 + 2 * math.sqrt(3)),
}
GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "lattices.json").read_text(encoding="utf-8"))
AXES = {"chain": 1, "square": 2, "triangular": 2, "honeycomb": 2, "kagome": 2, "cubic": 3}


def digest(array):
    """Hash of type, shape and values."""
    if array.dtype == np.float64:
        array = np.round(array, 9) + 0.0
    return hashlib.sha256(repr((array.dtype.str, array.shape)).encode() + array.tobytes()).hexdigest()[:16]


@st.composite
def boxes(draw, names=tuple(AXES), largest=5):
    """Arguments (name, extent, pbc) of lattices with every mixture of boundaries."""
    name = draw(st.sampled_from(names))
    pbc = tuple(draw(st.booleans()) for _ in range(AXES[name]))
    extent = tuple(draw(st.integers(3 if periodic else 2, largest)) for periodic in pbc)
    return name, extent, pbc


def unit_distance_pairs(lattice):
    """Sorted pairs of different sites whose nearest images are one unit apart."""
    images = itertools.product(*([-1, 0, 1] if periodic else [0] for periodic in lattice.pbc))
    periods = lattice.basis_vectors * np.array(lattice.extent)[:, None]
    found = set()
    for image in images:
        separation = lattice.positions[None] + np.array(image) @ periods - lattice.positions[:, None]
        close = np.abs(np.linalg.norm(separation, axis=-1) - 1) < 1e-9
        found |= {(int(i), int(j)) for i, j in np.argwhere(close) if i < j}
    return sorted(found)


@pytest.mark.parametrize(("name", "extent", "bonds_per_cell", "coordination"), PERIODIC)
def test_periodic_counts(name, extent, bonds_per_cell, coordination):
    lattice = lattices.build(name, extent)
    assert lattice.n_bonds == bonds_per_cell * math.prod(extent)
    assert np.all(lattice.coordination == coordination)
    assert lattice.neighbours.shape == (lattice.n_sites, coordination)
    assert lattice.n_sites == lattice.n_cells * lattice.n_sites_per_cell
    assert lattice.n_axes == lattice.n_dims == len(extent)


@settings(derandomize=True, deadline=None, max_examples=30, database=None)
@given(boxes())
def test_bonds_are_the_pairs_one_unit_apart(box):
    lattice = lattices.build(*box)
    assert [tuple(row) for row in lattice.bonds.tolist()] == unit_distance_pairs(lattice)


def test_one_missing_bond_is_seen():
    """Negative control of the oracle above."""
    lattice = lattices.build("kagome", (3, 3))
    assert [tuple(row) for row in lattice.bonds[1:].tolist()] != unit_distance_pairs(lattice)


@settings(derandomize=True, deadline=None, max_examples=30, database=None)
@given(boxes())
def test_arrays_agree_with_each_other(box):
    lattice = lattices.build(*box)
    bonds, n_sites = lattice.bonds, lattice.n_sites
    assert lattice.positions.dtype == np.float64
    for array in (bonds, lattice.bond_colours, lattice.colours, lattice.sublattices, lattice.cells):
        assert array.dtype == np.int32
    assert np.all(bonds[:, 0] < bonds[:, 1])
    assert np.array_equal(bonds, bonds[np.lexsort(bonds.T[::-1])])
    assert len(lattice.bond_colours) == len(bonds)
    assert np.array_equal(lattice.adjacency.sum(axis=1), lattice.coordination)
    for site in range(n_sites):
        around = lattice.neighbours[site]
        assert sorted(around[around >= 0]) == np.flatnonzero(lattice.adjacency[site]).tolist()


@pytest.mark.parametrize(("name", "extent", "bonds_per_cell", "coordination"), PERIODIC)
def test_numbering_is_row_major_with_sites_of_a_cell_fastest(name, extent, bonds_per_cell, coordination):
    lattice = lattices.build(name, extent)
    expected = np.indices((*extent, lattice.n_sites_per_cell)).reshape(len(extent) + 1, -1).T
    assert np.array_equal(lattice.cells, expected[:, :-1])
    assert np.array_equal(lattice.sublattices, expected[:, -1])
    assert math.prod(lattice.shape) == lattice.n_sites


def test_positions():
    square = lattices.build("square", (3, 4))
    assert np.array_equal(square.positions, square.cells)
    honeycomb = lattices.build("honeycomb", (3, 3))
    first, second = honeycomb.positions[:2]
    assert np.allclose(second - first, [math.sqrt(3) / 2, 0.5])
    origin = honeycomb.positions[honeycomb.sublattices == 0] - first
    assert np.allclose(origin, honeycomb.cells[honeycomb.sublattices == 0] @ honeycomb.basis_vectors)


def test_shape():
    assert lattices.build("square", (3, 4)).shape == (3, 4)
    assert lattices.build("kagome", (3, 4)).shape == (3, 4, 3)


@pytest.mark.parametrize("name", ["square", "triangular", "honeycomb", "kagome"])
def test_bond_colour_is_the_direction(name):
    lattice = lattices.build(name, (4, 4), pbc=False)
    step = lattice.positions[lattice.bonds[:, 1]] - lattice.positions[lattice.bonds[:, 0]]
    angle = np.round(np.degrees(np.arctan2(step[:, 1], step[:, 0])), 6) % 180
    for colour in np.unique(lattice.bond_colours):
        assert len(np.unique(angle[lattice.bond_colours == colour])) == 1
    assert len(np.unique(angle)) == len(np.unique(lattice.bond_colours))


def test_open_boundaries():
    square = lattices.build("square", (3, 4), pbc=False)
    assert square.n_bonds == 2 * 4 + 3 * 3
    assert sorted(square.coordination.tolist()) == [2] * 4 + [3] * 6 + [4] * 2
    strip = lattices.build("square", (3, 4), pbc=(True, False))
    assert strip.n_bonds == 3 * 4 + 3 * 3
    row = lattices.build("square", (1, 5), pbc=False)
    assert row.bonds.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    triangle = lattices.build("kagome", (1, 1), pbc=False)
    assert triangle.bonds.tolist() == [[0, 1], [0, 2], [1, 2]]


def test_chain_takes_a_plain_integer():
    assert lattices.build("chain", 6) is lattices.build("chain", (6,))


@pytest.mark.parametrize("n_axes", [1, 2, 3, 4])
def test_hypercubic_is_chain_square_cubic_and_beyond(n_axes):
    lattice = lattices.build("hypercubic", (3,) * n_axes)
    assert lattice.name == "hypercubic"
    assert np.all(lattice.coordination == 2 * n_axes)
    assert len(lattices.build("hypercubic", (4,) * n_axes).point_group) == 2**n_axes * math.factorial(n_axes)
    if n_axes < 4:
        other = lattices.build(("chain", "square", "cubic")[n_axes - 1], (3,) * n_axes)
        assert np.array_equal(lattice.bonds, other.bonds)
        assert lattice.critical_temperature == other.critical_temperature


def test_critical_temperatures():
    for name, exact in EXACT_TEMPERATURES.items():
        lattice = lattices.build(name, (3, 3))
        assert lattice.critical_temperature == pytest.approx(exact, rel=1e-15)
        assert lattice.critical_temperature_kind == "exact"
    cubic = lattices.build("cubic", (3, 3, 3))
    assert cubic.critical_temperature == pytest.approx(4.511523, abs=1e-6)
    assert cubic.critical_temperature_kind == "numerical"
    assert lattices.build("chain", (3,)).critical_temperature is None
    assert lattices.build("hypercubic", (3, 3, 3, 3)).critical_temperature is None


def test_double_bonds_are_counted_twice():
    chain = lattices.build("chain", (2,), allow_double_bonds=True)
    assert chain.bonds.tolist() == [[0, 1], [0, 1]]
    assert chain.adjacency.tolist() == [[0, 2], [2, 0]]
    assert chain.neighbours.tolist() == [[1, 1], [0, 0]]
    square = lattices.build("square", (2, 3), allow_double_bonds=True)
    assert square.n_bonds == 12 and np.all(square.coordination == 4)
    assert np.array_equal(np.unique(square.adjacency), [0, 1, 2])
    assert square.bond_colours[square.adjacency[tuple(square.bonds.T)] == 2].tolist() == [0] * 6
    triangular = lattices.build("triangular", (2, 2), allow_double_bonds=True)
    assert np.array_equal(triangular.adjacency, 2 * (1 - np.eye(4)))


@pytest.mark.parametrize(("name", "n_sites", "n_bonds"), [("honeycomb", 8, 12), ("kagome", 12, 24)])
def test_extent_two_is_taken_where_no_pair_is_joined_twice(name, n_sites, n_bonds):
    lattice = lattices.build(name, (2, 2))
    assert (lattice.n_sites, lattice.n_bonds) == (n_sites, n_bonds)
    assert len({tuple(bond) for bond in lattice.bonds.tolist()}) == n_bonds
    assert np.all(lattice.coordination == 2 * n_bonds // n_sites)


def test_allow_double_bonds_changes_nothing_without_any():
    plain, allowed = (lattices.build("kagome", (3, 4), allow_double_bonds=flag) for flag in (False, True))
    assert np.array_equal(plain.bonds, allowed.bonds)
    assert np.array_equal(plain.bond_colours, allowed.bond_colours)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: "{name} {extent} {pbc}".format(**golden))
def test_golden_arrays(golden):
    """Bit for bit what netket's expansion of the unit cells gave; positions to nine decimals."""
    lattice = lattices.build(golden["name"], golden["extent"], golden["pbc"], allow_double_bonds=True)
    assert {name: digest(getattr(lattice, name)) for name in golden["digests"]} == golden["digests"]


def test_golden_arrays_see_one_bit():
    bonds = lattices.build("kagome", (3, 3)).bonds.copy()
    before = digest(bonds)
    bonds[-1, -1] ^= 1
    assert digest(bonds) != before and digest(bonds.astype(np.int64)) != before


def test_same_arguments_same_object():
    assert lattices.build("square", (4, 4)) is lattices.build("square", [4, 4], (True, True))
    assert lattices.build("square", (4, 4)) is not lattices.build("square", (4, 4), False)


def test_arrays_are_read_only_also_after_pickling():
    lattice = lattices.build("square", (4, 4))
    lattice.pair_orbits()
    for one in (lattice, pickle.loads(pickle.dumps(lattice)), copy.deepcopy(lattice)):
        with pytest.raises(ValueError, match="read-only"):
            one.bonds[0, 0] = 7
        assert np.array_equal(one.bonds, lattice.bonds)
        assert np.array_equal(one.pair_orbits(), lattice.pair_orbits())
    assert "_pair_orbits" not in lattice.__getstate__()


def test_build_starts_neither_netket_nor_jax():
    code = (
        "import sys, lattices; lattices.build('kagome', (4, 4)).space_group(); "
        "print(sorted({'netket', 'jax', 'scipy', 'torch', 'numba'} & set(sys.modules)))"
    )
    root = lattices.__path__[0].removesuffix("lattices")
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.stdout == "[]\n", result.stderr


def test_large_lattices_hold_no_more_than_their_sites():
    """Symmetry is worked out when asked for; nothing of size n_sites^2 is held."""
    lattice = lattices.build("square", (128, 128))
    held = [value for value in vars(lattice).values() if isinstance(value, np.ndarray)]
    assert sum(array.size for array in held) <= 12 * lattice.n_sites and "point_group" not in vars(lattice)
    assert lattice.point_group.shape == (8, 128**2) and lattice.translation_generators.shape == (2, 128**2)
    assert lattices.build("cubic", (16, 16, 16)).point_group.shape == (48, 16**3)


def test_repr_is_one_short_line():
    expected = "Lattice('square', extent=(4, 4), pbc=(True, True), n_sites=16, n_bonds=32)"
    assert repr(lattices.build("square", (4, 4))) == expected


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (("sqare", (4, 4)), ValueError, "lattice must be one of chain, chain-j1j2, .*got 'sqare'"),
        (
            ("square", (0, 4)),
            ValueError,
            r"extent must be integers >= 2 along periodic .* got extent \(0, 4\)",
        ),
        (("square", (4, 1)), ValueError, "extent must be integers >= 2 along periodic"),
        (("square", (-3, 4), False), ValueError, ">= 1 along open axes"),
        (("square", (2, 4)), ValueError, r"\(2, 4\) joins some .* twice .*; pass allow_double_bonds=True"),
        (("triangular", (4, 2)), ValueError, "allow_double_bonds=True"),
        (("square", (1, 1), False), ValueError, "at least 2 sites"),
        (("square", (4,)), ValueError, "extent must have 2 entries"),
        (("square", (4, 4), (True,)), ValueError, "pbc must have 2 entries"),
        (("square", (4.0, 4)), TypeError, "extent must be a tuple of integers"),
        (("square", (True, 4)), TypeError, "extent must be a tuple of integers"),
        (("square", None), TypeError, "extent must be a tuple of integers"),
        (("square", (4, 4), 1), TypeError, "pbc must be a bool"),
        (("square", (4, 4), (1, 0)), TypeError, "pbc must be a bool"),
        (("hypercubic", (3,) * 5), ValueError, "1 to 4 entries for 'hypercubic', got 5"),
        (("hypercubic", ()), ValueError, "1 to 4 entries for 'hypercubic', got 0"),
    ],
)
def test_refused_arguments(arguments, error, match):
    with pytest.raises(error, match=match):
        lattices.build(*arguments)


def test_extent_one_is_refused_even_with_double_bonds():
    with pytest.raises(ValueError, match="extent must be integers >= 2"):
        lattices.build("square", (1, 4), allow_double_bonds=True)


NEXT_NEAREST = """
name = "zigzag"
basis_vectors = [[1.0]]
site_offsets = [[0.0]]
bonds = [{ sites = [0, 0], cell = [1] }, { sites = [0, 0], cell = [2], colour = 1 }]
"""


def test_own_file(tmp_path):
    path = tmp_path / "zigzag.toml"
    path.write_text(NEXT_NEAREST, encoding="utf-8")
    lattice = lattices.build(path, (7,))
    assert lattice is lattices.build(str(path), (7,))
    assert lattice.name == "zigzag" and np.all(lattice.coordination == 4)
    assert lattice.critical_temperature is None and len(lattice.point_group) == 2
    path.write_text(NEXT_NEAREST.replace("zigzag", "ladder"), encoding="utf-8")
    assert lattices.build(path, (7,)).name == "ladder"
    assert read(path).n_sites == 1


def test_own_file_with_long_bonds(tmp_path):
    path = tmp_path / "zigzag.toml"
    path.write_text(NEXT_NEAREST, encoding="utf-8")
    with pytest.raises(ValueError, match=r"extent .* \(4,\) joins some sites of lattice 'zigzag' twice"):
        lattices.build(path, (4,))
    assert lattices.build(path, (4,), allow_double_bonds=True).adjacency[0].tolist() == [0, 1, 2, 1]
    with pytest.raises(ValueError, match=r"longest bond .* over \(2,\) cells"):
        lattices.build(path, (2,), allow_double_bonds=True)
    assert lattices.build(path, (2,), pbc=False).bonds.tolist() == [[0, 1]]
