# SPDX-License-Identifier: MIT
"""Independent sites: spins against enumeration, fields against the free field and a ring."""

from __future__ import annotations

import numpy as np
import pytest

import edgphys as ep
import lattices
from edgphys.exact import enumeration, free_sites, gaussian, transfer


@pytest.mark.parametrize("field", [0.0, 0.7, -3.0])
def test_spins_are_those_of_enumeration_without_coupling(field):
    lattice = lattices.build("triangular", (3, 4))
    counted = enumeration.ising(lattice, 1.3, 0.0, field)
    found = free_sites.free_spins(12, 1.3, field)
    assert found.keys() == counted.keys()
    for name, value in counted.items():
        assert found[name] == pytest.approx(value, rel=1e-12, abs=1e-14), name
    coupled = enumeration.ising(lattice, 1.3, 0.1, field)  # control
    assert abs(coupled["log_z"] - found["log_z"]) > 1e-3


def test_fields_are_the_free_field_without_quartic_term():
    found = free_sites.free_fields(9, 0.8, 0.0)
    free = gaussian.free_field(lattices.build("square", (3, 3)), 0.0, 0.8)
    for name, value in found.items():
        assert value == pytest.approx(free[name], rel=1e-11, abs=1e-12), name


def test_fields_are_the_ring_for_little_hopping():
    hop = 1e-6
    found, ring = free_sites.free_fields(8, -1.0, 0.5), transfer.phi4_chain(8, hop, -1.0, 0.5)
    for name in ("log_z", "energy", "specific_heat", "susceptibility", "binder_cumulant", "phi2"):
        assert found[name] == pytest.approx(ring[name], abs=1e-4), name


def test_systems_know_it_on_any_lattice():
    spins = ep.Ising(
        lattices.build("cubic", (8, 8, 8), pbc=(True, False, True)), 2.0, coupling=0.0, field=0.4
    )
    exact = spins.exact_results()
    assert exact["log_z"] == pytest.approx(512 * np.log(2 * np.cosh(0.2)), rel=1e-13)
    assert set(spins.exact) == set(exact) and "correlation_length" not in exact
    fields = ep.Phi4(lattices.build("square", (8, 8)), kappa=0.0, lam=0.5)
    assert set(fields.exact) == set(fields.exact_results()) and "correlation_length" in fields.exact
