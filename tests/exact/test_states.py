# SPDX-License-Identifier: MIT
"""Finitely many states exactly: enumeration against the frontier, Ising, rings and free sites."""

from __future__ import annotations

import numpy as np
import pytest

import lattices
from edgphys.errors import NotExactError
from edgphys.exact import frontier, potts, states
from edgphys.systems import Clock, Ising, LatticePotential, Potts

SQUARE = lattices.build("square", (3, 3))
EVEN = lattices.build("square", (2, 4), False)
CASES = {
    "potts": lambda: Potts(SQUARE, 1.0, 3),
    "potts_antiferro": lambda: Potts(EVEN, 0.7, 3, -1.0, 0.4),
    "potts_glass": lambda: Potts(
        SQUARE, 1.0, 3, lattices.random_bonds(SQUARE, "gaussian", seed=1), np.linspace(-1, 1, 9)
    ),
    "clock": lambda: Clock(lattices.build("honeycomb", (2, 2), (True, False)), 0.8, 4, -1.0),
    "blume_capel": lambda: LatticePotential(
        SQUARE, lambda s: 0.9 * s**2, lambda a, b: -a * b, states=(-1, 0, 1), temperature=0.9
    ),
}


def both(system):
    tables = system.bond_table, system.site_table, system.pair_weights, system.order_vectors
    about = {"staggered": system.antiferromagnetic, "vanishes": "z2" in system.symmetries}
    place = system.lattice, system.temperature
    return states.enumerated(*place, *tables, **about), frontier.states(*place, *tables, **about)


@pytest.mark.parametrize("case", CASES)
def test_site_after_site_gives_what_the_enumeration_gives(case):
    enumerated, summed = both(CASES[case]())
    assert set(summed) <= set(enumerated)
    for name, value in summed.items():
        assert value == pytest.approx(enumerated[name], rel=1e-10, abs=1e-12, nan_ok=True), name


@pytest.mark.parametrize("extent", [(3, 4), (5, 6)])
@pytest.mark.parametrize("coupling", [1.0, -1.0, {"x": 1.0, "y": -0.3}])
def test_two_states_are_an_ising_model(extent, coupling):
    lattice = lattices.build("square", extent, (True, False))
    for make, half in ((Potts, 0.5), (Clock, 1.0)):
        halved = {k: half * J for k, J in coupling.items()} if isinstance(coupling, dict) else half * coupling
        system, ising = make(lattice, 1.5, 2, coupling, 0.4), Ising(lattice, 1.5, halved, 0.4 * half)
        values, expected = system.exact_results(), ising.exact_results()
        shift = -0.5 * (system.bond_couplings.sum() + 0.4 * lattice.n_sites) if make is Potts else 0.0
        for name in set(values) - {"order_parameter"}:
            by = {"energy": shift, "free_energy": shift, "log_z": -shift / 1.5}.get(name, 0.0)
            assert values[name] == pytest.approx(expected[name] + by, rel=1e-9, abs=1e-11, nan_ok=True), name
        if "order_parameter" in values:
            assert values["order_parameter"] == pytest.approx(expected["abs_magnetization"], rel=1e-12)


def test_four_hours_of_a_clock_are_two_ising_models():
    lattice = lattices.build("square", (4, 4))
    clock, ising = Clock(lattice, 1.1, 4).exact_results(), Ising(lattice, 1.1, 0.5).exact_results()
    for name in ("log_z", "energy", "specific_heat"):
        assert clock[name] == pytest.approx(2 * ising[name], rel=1e-10), name
    # m = (m_1 + m_2, m_1 - m_2) / 2, of two that know nothing of each other.
    assert clock["susceptibility"] == pytest.approx(ising["susceptibility"], rel=1e-10)


@pytest.mark.parametrize("q", [3, 7])
def test_a_ring_is_the_trace_of_a_matrix(q):
    system = Potts(lattices.build("chain", (50,)), 0.7, q, 0.9)
    x = np.exp(0.9 / 0.7)
    expected = np.logaddexp(50 * np.log(x + q - 1), np.log(q - 1) + 50 * np.log(x - 1))
    assert system.exact_results()["log_z"] == pytest.approx(expected, rel=1e-12)
    matrix = np.exp(-system.bond_table / 0.7 - 0.5 * (system.site_table[:, None] + system.site_table) / 0.7)
    assert expected == pytest.approx(np.log(np.trace(np.linalg.matrix_power(matrix, 50))), rel=1e-12)


def test_free_sites_are_the_limit_of_no_coupling():
    lattice = lattices.build("square", (3, 3))
    for field in (0.4, np.linspace(-1, 1, 9)):
        free, weak = (Potts(lattice, 0.8, 3, J, field).exact_results() for J in (0.0, 1e-9))
        for name, value in free.items():
            assert value == pytest.approx(weak[name], rel=1e-6), name
    assert set(Potts(lattices.build("square", (50, 50)), 0.8, 3, 0.0).exact) >= {"log_z", "energy"}


@pytest.mark.parametrize("q", [2, 3, 4])
def test_energy_at_the_critical_point_is_that_of_duality(q):
    """Up to the finite width of a torus; at another temperature it is further away."""
    critical, lattice = potts.critical_temperature(q), lattices.build("square", (3, 12))

    def deviation(temperature):
        energy = Potts(lattice, temperature, q).exact_results()["energy"] / lattice.n_sites
        return abs(energy - potts.critical_energy_density(q))

    assert deviation(critical) < 0.04 < 0.1 < deviation(0.85 * critical)
    assert deviation(1.15 * critical) > 0.1
    assert potts.clock_critical_temperature(3) == pytest.approx(potts.critical_temperature(3, 1.5))
    with pytest.raises(ValueError, match=r"q must be an integer from 2 to 4, got 5"):
        potts.clock_critical_temperature(5)


def test_what_is_too_large_is_refused():
    big = Potts(lattices.build("square", (12, 12)), 1.0, 3)
    assert big.exact == () and big.exact_results() == {}
    tables = big.bond_table, big.site_table, None, big.order_vectors
    with pytest.raises(NotExactError, match=r"at most 12 sites of 3 states to be enumerated, got 144"):
        states.enumerated(big.lattice, 1.0, *tables)
    with pytest.raises(NotExactError, match=r"at most 15 sites of 3 states that separate"):
        frontier.states(big.lattice, 1.0, *tables)
