# SPDX-License-Identifier: MIT
"""Ranges of couplings: how networks see them, nodes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import lattices
from edgphys.edg.core.conditions import Conditions
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.systems import DoubleWell, Ising, Phi4

ISING = Ising(lattices.build("chain", (4,)), temperature=2.0)
FLOW = Phi4.from_mass(lattices.build("chain", (4,)), m2=-4.0, lam=5.0, convention="flow")


def test_temperature_is_seen_through_its_inverse():
    conditions = Conditions.of(ISING, {"temperature": (1.0, 4.0), "field": [-1.0, 3.0]})
    middle = {"temperature": 1.0 / 0.625, "field": 1.0}
    np.testing.assert_allclose(conditions.encoded(middle), [0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(conditions.encoded({"temperature": 1.0, "field": 3.0}), [1.0, 1.0])
    np.testing.assert_allclose(conditions.encoded({"temperature": 4.0, "field": -1.0}), [-1.0, -1.0])


@pytest.mark.parametrize(
    "given", [{"temperature": (1.0, 4.0)}, {"temperature": (1.0, 4.0), "field": (0.0, 1.0)}]
)
def test_nodes_are_equidistant_as_encoded_and_hold_the_ends(given):
    conditions = Conditions.of(ISING, given)
    nodes = conditions.nodes(5)
    points = np.array([conditions.encoded(node) for node in nodes])
    along = [np.unique(column.round(12)) for column in points.T]
    for axis in along:
        np.testing.assert_allclose(axis, np.linspace(-1.0, 1.0, len(axis)), atol=1e-12)
    assert len(nodes) == 5 ** len(given) and all(len(axis) == 5 for axis in along)
    assert all(conditions.couplings(ISING, node) == node for node in nodes)


def test_couplings_are_those_given_or_of_the_system():
    conditions = Conditions.of(ISING, {"temperature": (1.0, 4.0)})
    assert conditions.couplings(ISING, {}) == {"temperature": 2.0}
    assert conditions.couplings(ISING, {"temperature": 3}) == {"temperature": 3.0}
    assert not Conditions.of(ISING, None) and not Conditions.of(ISING, {})
    with pytest.raises(ArgumentValueError, match=r"in \[1, 4\], for which the model is, got 5 \(that of the"):
        conditions.couplings(ISING.replace(temperature=5.0), {})
    with pytest.raises(ArgumentValueError, match=r"temperature must be in \[1, 4\].* got 0.5$"):
        conditions.couplings(ISING, {"temperature": 0.5})
    with pytest.raises(ArgumentTypeError, match="kappa must be left out"):
        conditions.couplings(ISING, {"kappa": 0.5})


def test_mass_and_coupling_of_a_convention():
    conditions = Conditions.of(FLOW, {"lam": (4.0, 6.0), "m2": (-5.0, -3.0)})
    assert conditions.couplings(FLOW, {}) == {"lam": 5.0, "m2": -4.0}
    assert FLOW.replace(lam=6.0).parameters == {"hop": 1.0, "quadratic": -2.0, "quartic": 6.0}
    standard = Phi4.from_mass(FLOW.lattice, m2=-4.0, lam=5.0, convention="standard")
    again = standard.replace(m2=1.0).replace(m2=-4.0, lam=5.0)
    assert again.parameters == pytest.approx(standard.parameters)
    assert "m2" not in Phi4(FLOW.lattice, hop=0.7, quadratic=1.0, quartic=1.0).conditions


@pytest.mark.parametrize(
    "system, given, words",
    [
        (ISING, {"temperature": (3.0, 1.0)}, "low < high"),
        (ISING, {"temperature": (2.0, 2.0)}, "low < high"),
        (ISING, {"temperature": (0.0, 2.0)}, "positive"),
        (ISING, {"temperature": (1.0, float("nan"))}, "low < high"),
        (ISING, {"coupling": (0.5, 1.0)}, "among temperature, field for ising, got 'coupling'"),
        (DoubleWell(), {"kappa": (0.1, 0.2)}, "conditions must be among temperature"),
    ],
)
def test_bad_values_are_one_line(system, given, words):
    with pytest.raises(ArgumentValueError, match=words) as caught:
        Conditions.of(system, given)
    assert "\n" not in str(caught.value) and caught.value.argument == "conditions"


@pytest.mark.parametrize(
    "given", [3.0, {"temperature": 2.0}, {"temperature": (1.0, 2.0, 3.0)}, {"temperature": "ab"}]
)
def test_bad_types_are_one_line(given):
    with pytest.raises(ArgumentTypeError) as caught:
        Conditions.of(ISING, given)
    assert "\n" not in str(caught.value) and caught.value.argument == "conditions"
