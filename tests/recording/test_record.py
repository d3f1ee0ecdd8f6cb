# SPDX-License-Identifier: MIT
"""Records: arguments go to JSON types and back, the outermost call counts, nothing of the machine leaks."""

from __future__ import annotations

import doctest
import getpass
import json
import math
import socket
import sys
from importlib import resources

import numpy as np
import pytest

import edgphys as ep
import lattices
from edgphys.errors import DatasetError
from edgphys.recording.plain_values import others_in, plain, restored
from edgphys.recording.record import Record, current, merged, recorded
from edgphys.systems.plain_systems import SystemTable

LATTICES = [
    lattices.build("square", (4, 6), (True, False)),
    lattices.build("hypercubic", (4, 4)),
    lattices.build("square", (2, 2), allow_double_bonds=True),
    lattices.build("kagome", (2, 2)),
]


def through_json(value):
    return restored(json.loads(json.dumps(plain(value))))


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 0.1 + 0.2, -0.0, math.inf, "edg", [1, (2.0, "a")], {"temperature": (1.8, 3.2)}, range(3)],
)
def test_plain_values_come_back(value):
    back = through_json(value)
    assert back == (tuple(value) if isinstance(value, range) else value)
    assert not isinstance(back, float) or math.copysign(1, back) == math.copysign(1, value)


def test_arrays_come_back_and_long_ones_are_data():
    values = np.linspace(1.8, 3.2, 7, dtype=np.float32)
    back = through_json(values)
    assert back.dtype == values.dtype and np.array_equal(back, values)
    assert list(others_in(plain(np.zeros(10_000)))) == ["an array of float64 of shape (10000,)"]


@pytest.mark.parametrize("lattice", LATTICES, ids=repr)
def test_lattices_come_back(lattice):
    back = through_json(lattice)
    assert back.unit_cell == lattice.unit_cell and (back.extent, back.pbc) == (lattice.extent, lattice.pbc)
    assert np.array_equal(back.bonds, lattice.bonds)


def test_a_unit_cell_of_ones_own_comes_back(tmp_path):
    text = resources.files("lattices").joinpath("library", "honeycomb.toml").read_text()
    (tmp_path / "own.toml").write_text(text.replace('"honeycomb"', '"mine"'))
    lattice = lattices.build(tmp_path / "own.toml", (3, 3))
    assert through_json(lattice).unit_cell == lattice.unit_cell
    assert "own.toml" not in json.dumps(plain(lattice))


@pytest.mark.parametrize(
    "system",
    [
        ep.Ising(LATTICES[0], temperature=2.3, field=0.1),
        ep.Phi4(LATTICES[1], kappa=0.25, lam=0.022),
        ep.LennardJones(n_particles=3),
        ep.Planar("ring5"),
    ],
    ids=repr,
)
def test_systems_come_back(system):
    back = through_json(system)
    assert type(back) is type(system) and back.identity() == system.identity()


def test_what_cannot_be_made_again_is_named():
    own = ep.Potential(lambda x: (x**2).sum(1), n_dims=2)
    (words,) = others_in(plain({"system": own, "n": 3}))
    assert words.startswith("a system with a class, a function or data of its own, Potential")
    with pytest.raises(DatasetError, match=r"its record holds a function of its own, .*which no file holds"):
        restored(plain(lambda x: x))
    with pytest.raises(DatasetError, match=r"its record holds \$novel"):
        restored({"$novel": 1})


def test_a_table_of_systems_gives_the_one_at_a_point():
    points = [{"temperature": t, "field": h} for t in (2.0, 2.5) for h in (0.0, 0.1)]
    table = SystemTable(points, [ep.Ising(LATTICES[0], **point) for point in points])
    content = plain(table)["$systems"]
    assert set(content["vary"]) == {"temperature", "field"} and "coupling" in content["shared"]
    back = through_json(table)
    assert [back(**point).parameters for point in points] == [one.parameters for one in table.systems]


def test_only_the_outermost_call_is_recorded():
    @recorded("outer")
    def outer(n):
        current().note({"n_found": n, "open": None})
        return ep.wasserstein([0.0, 1.0], [0.0, 2.0], n)

    record = json.loads(outer(3).attrs["provenance"])
    assert record["call"] == {"function": "edgphys.outer", "arguments": {"n": 3}}
    assert record["settings"] == {"n_found": 3} and not current().settings


def test_a_wrong_call_says_what_the_function_says():
    with pytest.raises(TypeError, match=r"wasserstein\(\)"):
        ep.wasserstein(nonsense=1)


def test_doctests_of_recorded_functions_are_still_found():
    module = sys.modules[ep.mcmc.run.__module__]
    assert any(test.name.endswith("run.run") for test in doctest.DocTestFinder().find(module))


def test_records_name_no_host_and_no_user():
    text = Record({"function": "", "arguments": {}}).text
    assert socket.gethostname() not in text and f'"{getpass.getuser()}"' not in text
    told = json.loads(text)
    assert {"edgphys", "torch", "numpy", "numba", "python"} <= told["versions"].keys()
    assert told["hardware"]["processor"] and told["hardware"]["n_cpus"] >= 1 and told["started"]


def test_notes_join_level_by_level():
    assert merged({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}}) == {"a": 1, "b": {"c": 2, "d": 3}}
