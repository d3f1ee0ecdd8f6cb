# SPDX-License-Identifier: MIT
"""The Gray-code histogram against plain-python enumeration and Kaufman: several lattices, fields, signs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.oracles import enumerate_ising

import lattices
from edgphys.errors import NotExactError
from edgphys.exact import enumeration, kaufman
from lattices.momenta import lattice_momenta, lowest_momenta

CASES = [
    ("chain", (5,), True),
    ("chain", (6,), False),
    ("square", (3, 3), True),
    ("square", (4, 3), (True, False)),
    ("triangular", (3, 3), True),
    ("honeycomb", (3, 2), (True, False)),
    ("cubic", (3, 2, 2), (True, False, False)),
]


def build(name, extent, pbc, **options):
    return lattices.build(name, extent, pbc=pbc, **options)


def compare(lattice, temperature, coupling, field):
    exact = enumerate_ising(lattice.n_sites, lattice.bonds.tolist(), temperature, coupling, field)
    found = enumeration.ising(lattice, temperature, coupling, field)
    n_sites = lattice.n_sites
    variance = exact["m2"] - exact["magnetization"] ** 2
    expected = {
        "log_z": exact["log_z"],
        "free_energy": -temperature * exact["log_z"],
        "energy": exact["energy"],
        "specific_heat": exact["energy_variance"] / temperature**2 / n_sites,
        "magnetization": exact["magnetization"],
        "abs_magnetization": exact["abs_magnetization"],
        "susceptibility": n_sites * variance / temperature,
        "binder_cumulant": 1 - exact["m4"] / (3 * exact["m2"] ** 2),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-11, abs=1e-13), name
    return exact, found


@pytest.mark.parametrize(
    ("coupling", "field"), [(1.0, 0.0), (-0.7, 0.0), (1.0, 0.3), (-1.0, -0.4), (0.0, 0.5)]
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}{case[1]}")
def test_all_estimates(case, coupling, field):
    lattice = build(*case)
    compare(lattice, 1.9, coupling, field)


@pytest.mark.parametrize("field", [0.0, 0.25])
@pytest.mark.parametrize("case", [CASES[0], ("square", (3, 4), True), CASES[4]])
def test_correlation_length(case, field):
    lattice = build(*case)
    exact, found = compare(lattice, 2.5, 1.0, field)
    zero, lengths = lattice.n_sites * (exact["m2"] - exact["magnetization"] ** 2), []
    for k, size in zip(lowest_momenta(lattice), lattice_momenta(lattice), strict=True):
        wave = np.exp(1j * lattice.positions @ k)
        power = (wave @ exact["correlation"] @ wave.conj()).real / lattice.n_sites
        lengths.append(math.sqrt(zero / power - 1) / size)
    expected = np.mean(lengths)
    assert found["correlation_length"] == pytest.approx(expected, rel=1e-11)


def test_correlation_length_at_low_temperature_is_that_of_single_turned_spins():
    """S(0) = 16 and S(k) = 4 exp(-8 / T): xi = sqrt(2) exp(4 / T); NaN beyond double precision."""
    lattice = build("square", (4, 4), True)
    for temperature in (0.2, 0.1, 0.05, 0.02):
        found = enumeration.ising(lattice, temperature)["correlation_length"]
        assert found == pytest.approx(math.sqrt(2.0) * math.exp(4.0 / temperature), rel=1e-8), temperature
    assert math.isnan(enumeration.ising(lattice, 0.01)["correlation_length"])


def test_correlation_length_is_nan_in_an_antiferromagnet_and_absent_with_open_axes():
    assert math.isnan(enumeration.ising(build("square", (4, 4), True), 1.0, -1.0)["correlation_length"])
    assert "correlation_length" not in enumeration.ising(build("square", (3, 3), False), 1.0)


@pytest.mark.parametrize(
    ("name", "extent", "pbc"),
    [("square", (4, 4), True), ("honeycomb", (2, 4), True), ("square", (3, 3), False), ("chain", (6,), True)],
)
def test_staggered_order_of_an_antiferromagnet_is_the_order_of_the_ferromagnet(name, extent, pbc):
    lattice = build(name, extent, pbc)
    ferromagnet, found = (enumeration.ising(lattice, 2.1, coupling) for coupling in (1.0, -1.0))
    staggered = {key: value for key, value in found.items() if key.startswith("staggered_")}
    assert len(staggered) == (5 if pbc else 4)
    for key, value in staggered.items():
        assert value == pytest.approx(ferromagnet[key.removeprefix("staggered_")], rel=1e-12), key
    assert abs(found["binder_cumulant"] - ferromagnet["binder_cumulant"]) > 0.1  # control: the uniform one


def test_staggered_order_in_a_field_by_hand():
    lattice = build("square", (3, 3), False)  # five sites against four: the average is not 0
    found = enumeration.ising(lattice, 2.0, -1.0, 0.5)
    spins = 2.0 * np.array(np.meshgrid(*[[0, 1]] * 9)).reshape(9, -1) - 1.0
    ends = lattice.bonds.T
    weights = np.exp(-((spins[ends[0]] * spins[ends[1]]).sum(0) - 0.5 * spins.sum(0)) / 2.0)
    weights /= weights.sum()
    m = lattice.bipartition @ spins / 9
    assert (
        found["staggered_magnetization"] == pytest.approx(weights @ m, rel=1e-12) and abs(weights @ m) > 0.01
    )
    assert found["staggered_susceptibility"] == pytest.approx(
        9 * (weights @ m**2 - (weights @ m) ** 2) / 2.0, rel=1e-12
    )
    periodic = enumeration.ising(build("square", (4, 4), True), 2.0, -1.0, 0.5)
    assert periodic["staggered_magnetization"] == 0.0


def test_sites_within_a_cell_enter_with_their_positions():
    lattice = build("honeycomb", (3, 3), True)
    momenta = lowest_momenta(lattice)
    first = lattice.positions[lattice.sublattices == 1] - lattice.positions[lattice.sublattices == 0]
    assert np.allclose(first, first[0])
    cells = lattice.positions[lattice.sublattices == 0] @ momenta.T
    expected = 2 * np.pi * lattice.cells[lattice.sublattices == 0] / np.array(lattice.extent)
    np.testing.assert_allclose(np.exp(1j * (cells - cells[0])), np.exp(1j * expected), atol=1e-12)


@pytest.mark.parametrize("extent", [(4, 4), (4, 5)])
@pytest.mark.parametrize("temperature", [0.3, 2.0, 2.269, 3.0])
def test_up_to_twenty_spins_against_kaufman(extent, temperature):
    found = enumeration.ising(build("square", extent, True), temperature)
    assert found["log_z"] == pytest.approx(kaufman.log_z(*extent, temperature), rel=1e-13)
    assert found["energy"] == pytest.approx(kaufman.energy(*extent, temperature), rel=1e-12)
    assert found["specific_heat"] == pytest.approx(kaufman.specific_heat(*extent, temperature), rel=1e-8)


def test_double_bonds_count_twice():
    lattice = build("square", (2, 3), True, allow_double_bonds=True)
    assert lattice.n_bonds == 12
    compare(lattice, 2.2, 1.0, 0.1)
    assert enumeration.ising(lattice, 2.2)["log_z"] == pytest.approx(kaufman.log_z(2, 3, 2.2), rel=1e-13)


def test_a_flipped_bond_is_seen():
    """Negative control: one bond listed between other sites moves ln Z by far more than the tolerance."""
    lattice = build("square", (3, 3), True)
    bonds = lattice.bonds.tolist()
    bonds[0] = [0, 4]
    wrong = enumerate_ising(9, bonds, 1.9)["log_z"]
    assert abs(enumeration.ising(lattice, 1.9)["log_z"] - wrong) > 1e-4


def test_no_overflow_near_zero_temperature():
    found = enumeration.ising(build("square", (4, 4), True), 1e-3)
    assert found["log_z"] == pytest.approx(32e3 + math.log(2), rel=1e-15)
    assert (found["energy"], found["specific_heat"], found["abs_magnetization"]) == (-32.0, 0.0, 1.0)


def test_refusals():
    with pytest.raises(NotExactError, match="lattice must have at most 20 sites to be enumerated, got 21"):
        enumeration.ising(build("chain", (21,), True), 1.0)
    with pytest.raises(ValueError, match=r"temperature must be positive and finite, got 0"):
        enumeration.ising(build("chain", (5,), True), 0)
    with pytest.raises(TypeError, match="field must be a real number, got None"):
        enumeration.ising(build("chain", (5,), True), 1.0, field=None)
