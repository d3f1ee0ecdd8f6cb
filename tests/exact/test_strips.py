# SPDX-License-Identifier: MIT
"""Strips against enumeration on every boundary, Kaufman, and the rule that binds |m| to its moments."""

from __future__ import annotations

import numpy as np
import pytest

import edgphys as ep
import lattices
from edgphys.errors import NotExactError
from edgphys.exact import enumeration, kaufman, strips

STRIPS = [
    ("square", (4, 5), True),
    ("square", (3, 4), (True, False)),
    ("square", (4, 3), (False, True)),
    ("square", (3, 5), False),
    ("triangular", (3, 5), True),
    ("triangular", (5, 3), (True, False)),
    ("honeycomb", (2, 4), True),
    ("kagome", (2, 3), True),
    ("cubic", (2, 2, 4), (False, True, True)),
]


@pytest.mark.parametrize(
    ("coupling", "field", "temperature"), [(1.0, 0.0, 2.0), (-1.0, 0.4, 1.5), (1.0, 0.2, 3.0)]
)
@pytest.mark.parametrize(("name", "extent", "pbc"), STRIPS)
def test_strips_are_those_of_enumeration(name, extent, pbc, coupling, field, temperature):
    lattice = lattices.build(name, extent, pbc, allow_double_bonds=True)
    found = strips.ising(lattice, temperature, coupling, field)
    counted = enumeration.ising(lattice, temperature, coupling, field)
    assert found.keys() == {key for key in counted if not key.startswith("staggered_")}
    for key, value in found.items():
        assert value == pytest.approx(counted[key], rel=1e-9, abs=1e-11, nan_ok=True), key
    other = enumeration.ising(lattice, temperature, 1.1 * coupling, field)  # control
    assert abs(other["log_z"] - found["log_z"]) > 1e-2


@pytest.mark.parametrize("temperature", [1.0, 2.269, 4.0])
def test_energies_are_those_of_kaufman(temperature):
    found = strips.ising(lattices.build("square", (6, 8)), temperature)
    assert found["log_z"] == pytest.approx(kaufman.log_z(6, 8, temperature), rel=1e-13)
    assert found["energy"] == pytest.approx(kaufman.energy(6, 8, temperature), rel=1e-12)
    assert found["specific_heat"] == pytest.approx(
        kaufman.specific_heat(6, 8, temperature), rel=1e-8, abs=1e-11
    )


def test_a_wide_torus_in_a_field_has_its_magnetization_as_the_slope_of_log_z():
    lattice = lattices.build("triangular", (8, 9))
    middle, step = strips.ising(lattice, 3.6, field=0.1), 1e-4
    below, above = (strips.ising(lattice, 3.6, field=0.1 + d)["log_z"] for d in (-step, step))
    assert 72 * middle["magnetization"] == pytest.approx(3.6 * (above - below) / (2 * step), rel=1e-6)
    assert middle["abs_magnetization"] >= middle["magnetization"] > 0.5


def test_systems_know_it_and_what_is_lost_to_rounding_is_nan():
    torus = ep.Ising(lattices.build("square", (8, 8)), 2.3, coupling=-1.0)
    exact = torus.exact_results()
    assert set(torus.exact) == set(exact) and exact["staggered_abs_magnetization"] > 0.7
    assert exact["abs_magnetization"] < 0.1
    cold = strips.ising(lattices.build("square", (6, 6)), 0.2)
    assert np.isnan(cold["correlation_length"]) and cold["abs_magnetization"] == pytest.approx(1.0, rel=1e-12)


def test_wider_rows_are_refused():
    for extent, pbc in (((9, 9), True), ((7, 9), False)):
        lattice = lattices.build("square", extent, pbc)
        assert not strips.can_contract(lattice)
        with pytest.raises(NotExactError, match="rows of at most 8 sites"):
            strips.ising(lattice, 2.0)
