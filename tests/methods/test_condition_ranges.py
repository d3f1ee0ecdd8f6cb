# SPDX-License-Identifier: MIT
"""The ranges that one model must cover: found where systems differ in conditions alone, refused elsewhere."""

from __future__ import annotations

import pytest

import edgphys as ep
import lattices
from edgphys.errors import ArgumentValueError
from edgphys.methods.condition_ranges import condition_ranges

SQUARE = lattices.build("square", (4, 4))


def flow(m2=-4.0, lam=8.0):
    return ep.Phi4.from_mass(SQUARE, m2=m2, lam=lam, convention="flow")


@pytest.mark.parametrize(
    ("systems", "preferred", "expected"),
    [
        ([ep.Ising(SQUARE, temperature=2.0, field=h) for h in (0.2, -0.1, 0.0)], (), {"field": (-0.1, 0.2)}),
        ([ep.Ising(SQUARE, temperature=2.0)] * 2, (), {}),
        ([ep.Phi4(SQUARE, kappa=k, lam=0.022) for k in (0.3, 0.2)], (), {"kappa": (0.2, 0.3)}),
        ([flow(lam=4.0), flow(lam=6.0)], (), {"quartic": (4.0, 6.0)}),
        ([flow(lam=4.0), flow(lam=6.0)], ("lam",), {"lam": (4.0, 6.0)}),
        ([flow(-4.0, 4.0), flow(-3.0, 6.0)], (), {"quadratic": (0.0, 1.0), "quartic": (4.0, 6.0)}),
        ([flow(-4.0, 4.0), flow(-3.0, 6.0)], ("m2", "lam"), {"m2": (-4.0, -3.0), "lam": (4.0, 6.0)}),
        ([flow(), ep.Phi4(SQUARE, hop=0.9, quadratic=0.0, quartic=8.0)], (), {"hop": (0.9, 1.0)}),
        ([ep.MuellerBrown(temperature=t) for t in (10.0, 20.0)], (), {"temperature": (10.0, 20.0)}),
    ],
)  # fmt: skip
def test_ranges(systems, preferred, expected):
    assert condition_ranges(systems, preferred) == expected


def bowl(strength, temperature):
    return ep.Potential(lambda x: strength * (x**2).sum(1), n_dims=2, temperature=temperature)


def replaced_by_hand():
    system = ep.MuellerBrown(temperature=20.0)
    vars(system)["reduced_energy"] = lambda x: 2.0 * (x**2).sum(1)
    return system


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ep.Ising(SQUARE, temperature=2.0), ep.Ising(SQUARE, temperature=3.0, coupling=2.0)),
        (ep.Ising(SQUARE, temperature=2.0), ep.Ising(lattices.build("square", (4, 6)), temperature=3.0)),
        (
            ep.Ising(SQUARE, temperature=2.0),
            ep.Ising(lattices.build("square", (4, 4), (True, False)), temperature=3.0),
        ),
        (ep.Ising(SQUARE, temperature=2.0), ep.Phi4(SQUARE, kappa=0.2, lam=0.022)),
        (ep.Phi4(SQUARE, kappa=0.2, lam=0.022), flow()),
        (ep.DoubleWell(1, temperature=1.0), ep.DoubleWell(2, temperature=2.0)),
        (bowl(1.0, 1.0), bowl(1.5, 2.0)),
        (ep.MuellerBrown(temperature=10.0), replaced_by_hand()),
    ],
)
def test_systems_that_differ_in_more_are_refused(first, second):
    with pytest.raises(ArgumentValueError, match=r"^the points "):
        condition_ranges([first, second])


def test_one_function_at_several_temperatures_has_a_range():
    """The control of the test above: Potentials that differ in the temperature alone."""
    function = lambda x: (x**2).sum(1)  # noqa: E731
    systems = [ep.Potential(function, n_dims=2, temperature=t) for t in (1.0, 2.0)]
    assert condition_ranges(systems) == {"temperature": (1.0, 2.0)}
