# SPDX-License-Identifier: MIT
"""Unit cells from TOML: what is read, and that each wrong key is named with what was expected."""

from __future__ import annotations

import pytest

import lattices
from lattices.unit_cell import parse, read

GOOD = """
name = "honeycomb"
basis_vectors = [[1.5, 0.8660254037844386], [1.5, -0.8660254037844386]]
site_offsets = [[0.0, 0.0], [0.3333333333333333, 0.3333333333333333]]
bonds = [{ sites = [0, 1], cell = [0, 0] }, { sites = [1, 0], cell = [1, 0] },
  { sites = [1, 0], cell = [0, 1] }]
critical_temperature = { value = 1.5, kind = "numerical" }
"""


def test_defaults():
    cell = parse(GOOD)
    assert (cell.n_axes, cell.n_sites, cell.origin) == (2, 2, (0.0, 0.0))
    assert [bond.colour for bond in cell.bonds] == [0, 0, 0]
    assert cell.point_group_name is None and cell.critical_temperature_kind == "numerical"
    assert hash(cell) == hash(parse(GOOD)) and cell == parse(GOOD)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('name = "honeycomb"', "", "key 'name' must be given"),
        ('name = "honeycomb"', "name = 3", "key 'name' must be a text"),
        ('name = "honeycomb"', 'name = "x"\ncolor = 1', "key 'color' must be one of basis_vectors, bonds"),
        ("1.5, -0.8", "1.5, 0.8", "key 'basis_vectors' must be 1 to 4 rows .* linearly independent"),
        (
            "[1.5, -0.8660254037844386]",
            "[1.5]",
            r"key 'basis_vectors\[1\]' must be a list of 2 finite numbers",
        ),
        ("[0.0, 0.0]", "[0.0, 1.0]", r"key 'site_offsets\[0\]' must be in \[0, 1\)"),
        ("[0.0, 0.0]", "[0.0, nan]", r"key 'site_offsets\[0\]' must be a list of 2 finite numbers"),
        ("[0.0, 0.0]", '["a", 0]', r"key 'site_offsets\[0\]'"),
        ("[0.0, 0.0]", "[0.3333333333333333, 0.3333333333333333]", r"key 'site_offsets\[1\]' must be apart"),
        ("sites = [0, 1]", "sites = [0, 2]", r"key 'bonds\[0\].sites' must be two site numbers from 0 to 1"),
        ("sites = [0, 1]", "sites = [0]", r"key 'bonds\[0\].sites' must be a list of 2 integers"),
        ("sites = [0, 1], ", "", r"key 'bonds\[0\].sites' must be given"),
        ("cell = [0, 0]", "cell = [0.5, 0]", r"key 'bonds\[0\].cell' must be a list of 2 integers"),
        ("cell = [0, 0]", "cell = [0, 0], colour = -1", r"key 'bonds\[0\].colour' must be an integer >= 0"),
        (
            "cell = [0, 0]",
            "cell = [0, 0], kolour = 1",
            r"key 'bonds\[0\].kolour' must be one of cell, colour",
        ),
        ("sites = [0, 1]", "sites = [1, 1]", r"key 'bonds\[0\]' must be a bond between two different sites"),
        (
            "sites = [0, 1], cell = [0, 0]",
            "sites = [0, 1], cell = [-1, 0]",
            r"key 'bonds\[1\]' must be listed once",
        ),
        ("value = 1.5", "value = -1.5", "key 'critical_temperature.value' must be positive"),
        ('"numerical"', '"guess"', 'key \'critical_temperature.kind\' must be "exact" or "numerical"'),
        ('{ value = 1.5, kind = "numerical" }', "1.5", "key 'critical_temperature' must be a table"),
        ('name = "honeycomb"', "name = ", "not valid TOML"),
    ],
)
def test_wrong_key_is_named(old, new, match):
    assert old in GOOD
    with pytest.raises(ValueError, match=f"^cell.toml: {match}"):
        parse(GOOD.replace(old, new, 1), source="cell.toml")


@pytest.mark.parametrize("value", ["[]", "3", "[1]"])
def test_bonds_must_be_tables(value):
    text = f'name = "x"\nbasis_vectors = [[1]]\nsite_offsets = [[0]]\nbonds = {value}'
    with pytest.raises(ValueError, match="key 'bonds"):
        parse(text)


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"lattice file .*none.toml' cannot be read"):
        read(tmp_path / "none.toml")
    with pytest.raises(ValueError, match="cannot be read"):
        lattices.build("none.toml", (3, 3))


def test_declared_group_order_is_checked(tmp_path):
    path = tmp_path / "cell.toml"
    path.write_text(GOOD + 'point_group = { name = "D6", order = 12 }\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"key 'point_group.order' must be 6, .* got 12"):
        lattices.build(path, (3, 3))  # the default origin is a site, where only D3 remains
    centre = "[0.6666666666666666, 0.6666666666666666]"
    path.write_text(
        GOOD + f'point_group = {{ name = "D6", order = 12, origin = {centre} }}\n', encoding="utf-8"
    )
    assert len(lattices.build(path, (4, 4)).point_group) == 12


def test_very_skew_basis_is_refused(tmp_path):
    path = tmp_path / "skew.toml"
    text = 'name="x"\nbasis_vectors=[[1,0],[1000,1]]\nsite_offsets=[[0,0]]\nbonds=[{sites=[0,0], cell=[1,0]}]'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="basis_vectors must be short"):
        lattices.build(path, (3, 3))


CHAIN = 'name="c"\nbasis_vectors=[[%s]]\nsite_offsets=[[0.0]]\nbonds=[{sites=[0,0],cell=[%s],colour=%s}]'
LARGE = {
    "colour": (CHAIN % (1, 1, 2**31), r"'bonds\[0\].colour' must be an integer of at most 2147483647, got"),
    "cell": (CHAIN % (1, 10**22, 0), r"'bonds\[0\].cell' must be a list of 1 integers of at most 2147483647"),
    "number": (
        CHAIN % (10**400, 1, 0),
        r"'basis_vectors\[0\]' must be a list of 1 finite numbers, got",
    ),
    "deep": ("a=" + 5000 * "[" + 5000 * "]", "not valid TOML: maximum recursion depth exceeded"),
    "deep, but read": (CHAIN % (200 * "[" + 200 * "]", 1, 0), r"a list of 1 finite numbers, got \[\["),
}


@pytest.mark.parametrize("name", LARGE)
def test_numbers_and_nesting_beyond_what_is_held(name):
    text, message = LARGE[name]
    with pytest.raises(ValueError, match=message):
        parse(text)
    assert parse(CHAIN % (1, 1, 2**31 - 1)).bonds[0].colour == 2**31 - 1


def test_a_cell_of_many_sites():
    offsets = ",".join(f"[{k / 500}]" for k in range(500))
    bonds = ",".join(f"{{sites=[{k},{(k + 1) % 500}],cell=[{k // 499}]}}" for k in range(500))
    text = f'name="c"\nbasis_vectors=[[1.0]]\nsite_offsets=[{offsets}%s]\nbonds=[{bonds}]'
    assert parse(text % "").n_sites == 500
    with pytest.raises(ValueError, match=r"'site_offsets\[500\]' must be apart from site_offsets\[250\]"):
        parse(text % ",[0.5]")
