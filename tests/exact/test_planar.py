# SPDX-License-Identifier: MIT
"""Kac and Ward's determinant against enumeration, transfer matrices, Kaufman's torus and known constants."""

from __future__ import annotations

import math

import numpy as np
import pytest

import edgphys as ep
import lattices
from edgphys.errors import NotExactError
from edgphys.exact import enumeration, frontier, kaufman, onsager, planar
from edgphys.exact.pfaffian import pfaffian
from lattices.crossings import bonds_cross

GRAPHS = [
    ("square", (4, 4), True),
    ("square", (3, 5), (True, False)),
    ("square", (4, 3), False),
    ("triangular", (3, 4), True),
    ("triangular", (4, 3), False),
    ("honeycomb", (2, 3), True),
    ("honeycomb", (3, 2), (False, True)),
    ("kagome", (2, 2), True),
    ("kagome", (2, 2), False),
]
NAMES = ("log_z", "free_energy", "energy", "specific_heat")


def couplings(lattice, kind):
    """All alike, alike in half of the directions only, and none like another."""
    if kind == "alike":
        return np.ones(lattice.n_bonds)
    if kind == "antiferromagnet":
        return -np.ones(lattice.n_bonds)
    if kind == "by direction":
        return np.array([0.7, -1.2, 0.4])[lattice.bond_colours % 3]
    return np.random.default_rng(3).normal(size=lattice.n_bonds)


@pytest.mark.parametrize("kind", ["alike", "antiferromagnet", "by direction", "glass"])
@pytest.mark.parametrize(("name", "extent", "pbc"), GRAPHS)
def test_equals_enumeration(name, extent, pbc, kind):
    lattice = lattices.build(name, extent, pbc)
    bonds, no_field = couplings(lattice, kind), np.zeros(lattice.n_sites)
    for temperature in (0.8, 2.0, 30.0):
        exact = enumeration.ising_of_couplings(lattice, temperature, bonds, no_field)
        result = planar.ising(lattice, temperature, bonds)
        assert result == pytest.approx({key: exact[key] for key in NAMES}, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("extent", [(2, 2), (2, 5), (8, 8), (9, 24), (40, 40)])
def test_equals_kaufman_through_the_transition(extent):
    lattice = lattices.build("square", extent, allow_double_bonds=True)
    t_c = onsager.critical_temperature()
    for temperature in (0.6, t_c - 1e-7, t_c, t_c + 1e-7, 5.0):
        result = planar.ising(lattice, temperature, np.ones(lattice.n_bonds))
        assert result["log_z"] == pytest.approx(kaufman.log_z(*extent, temperature), rel=1e-13)
        assert result["energy"] == pytest.approx(kaufman.energy(*extent, temperature), rel=1e-11)
        heat = kaufman.specific_heat(*extent, temperature)
        assert result["specific_heat"] == pytest.approx(heat, rel=1e-8, abs=1e-10)


def test_equals_the_sum_row_by_row_for_a_glass():
    lattice = lattices.build("square", (6, 6))
    bonds = lattices.random_bonds(lattice, "pm", seed=1)
    exact = frontier.ising(lattice, 0.6, bonds, np.zeros(36))
    assert planar.ising(lattice, 0.6, bonds) == pytest.approx({key: exact[key] for key in NAMES}, rel=1e-10)


@pytest.mark.parametrize("seed", [0, 2])
def test_a_cold_glass_is_right_or_refused(seed):
    lattice = lattices.build("square", (6, 6))
    bonds, refused = lattices.random_bonds(lattice, "pm", seed=seed), []
    for temperature in (0.2, 0.3, 0.4):
        try:
            log_z = planar.ising(lattice, temperature, bonds)["log_z"]
        except NotExactError:
            refused.append(temperature)
        else:
            exact = frontier.ising(lattice, temperature, bonds, np.zeros(36))["log_z"]
            assert log_z == pytest.approx(exact, rel=0, abs=1e-8)
    assert refused == [0.2] if seed == 0 else [0.2, 0.3]


def test_wrong_signs_of_the_sectors_are_seen(monkeypatch):
    """The control: with the sectors of a cylinder taken for those of a torus, enumeration disagrees."""
    lattice = lattices.build("triangular", (3, 4))
    bonds = np.ones(lattice.n_bonds)
    exact = enumeration.ising(lattice, 2.0, 1.0, 0.0)["log_z"]
    monkeypatch.setattr(planar, "_sector_signs", lambda pbc: {(1, 1): 1.0})
    assert abs(planar.ising(lattice, 2.0, bonds)["log_z"] - exact) > 1e-3


@pytest.mark.parametrize(("name", "energy"), [("triangular", -2.0), ("honeycomb", -2.0 / math.sqrt(3.0))])
def test_energy_at_the_critical_point(name, energy):
    """Of the infinite lattice: -2 J per site (triangular), -2/sqrt(3) J (honeycomb); Houtappel (1950).

    A torus at T_c is lower by c / L, which two sizes take away.
    """
    per_site = []
    for extent in ((32, 32), (64, 64)):
        lattice = lattices.build(name, extent)
        result = planar.ising(lattice, lattice.critical_temperature, np.ones(lattice.n_bonds))
        per_site.append(result["energy"] / lattice.n_sites)
    assert abs(per_site[1] - energy) > 1e-3
    assert 2.0 * per_site[1] - per_site[0] == pytest.approx(energy, abs=1e-4)


def test_residual_entropy_of_the_triangular_antiferromagnet():
    """0.3230659 per site: Wannier, Phys. Rev. 79, 357 (1950), as corrected in Phys. Rev. B 7, 5017 (1973).

    A torus has c / n_sites more, which two sizes take away.
    """
    small, large = (
        ep.Ising(lattices.build("triangular", (n, n)), temperature=0.25, coupling=-1.0) for n in (24, 48)
    )
    small, large = (one.exact_results()["entropy"] / one.n_sites for one in (small, large))
    assert (4.0 * large - small) / 3.0 == pytest.approx(0.3230659, abs=1e-5)


def test_the_series_of_a_pfaffian_squares_to_that_of_the_determinant():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3, 8, 8))
    matrix -= matrix.transpose(0, 2, 1)
    log_scale, (a, b, c), _ = pfaffian(matrix)
    nodes = 0.1 * np.cos(np.pi * (np.arange(9) + 0.5) / 9)  # det is a polynomial: by interpolation
    values = [np.linalg.det(matrix[0] + x * matrix[1] + x**2 * matrix[2]) for x in nodes]
    series = np.polynomial.Polynomial.fit(nodes, values, 8).convert().coef[:3]
    np.testing.assert_allclose(
        np.array([a * a, 2 * a * b, 2 * a * c + b * b]) * math.exp(2 * log_scale), series, rtol=1e-5
    )


def test_a_singular_matrix_keeps_its_derivatives():
    matrix = np.zeros((3, 4, 4))
    matrix[0, 0, 1], matrix[1, 2, 3] = 2.0, 3.0  # Pf = 2 * 3 x
    matrix[0, 2, 3] = 1e-300
    matrix -= matrix.transpose(0, 2, 1)
    log_scale, series, loss = pfaffian(matrix)
    np.testing.assert_allclose(series * math.exp(log_scale), [2e-300, 6.0, 0.0], atol=1e-12)
    assert loss > 1e290


@pytest.mark.parametrize(
    ("name", "crosses"),
    [
        ("square", False),
        ("triangular", False),
        ("honeycomb", False),
        ("kagome", False),
        ("square-j1j2", True),
    ],
)
def test_crossing_bonds_are_seen(name, crosses):
    assert bonds_cross(lattices.build(name, (5, 5)).unit_cell) is crosses


def test_bonds_that_lie_on_each_other_are_seen(tmp_path):
    file = tmp_path / "double.toml"
    bonds = "[{sites=[0,0],cell=[1,0]},{sites=[0,0],cell=[0,1]},{sites=[0,0],cell=[2,0]}]"
    file.write_text(f'name="double"\nbasis_vectors=[[1,0],[0,1]]\nsite_offsets=[[0,0]]\nbonds={bonds}')
    assert bonds_cross(lattices.build(file, (5, 5)).unit_cell)


def test_what_cannot_be_had_is_refused_in_one_line():
    crossing = lattices.build("square-j1j2", (4, 4))
    with pytest.raises(NotExactError, match="lattice must have two axes and no bonds that cross, got"):
        planar.ising(crossing, 1.0, np.ones(crossing.n_bonds))
    torus = lattices.build("square", (10, 10))
    with pytest.raises(NotExactError, match="temperature must be higher for the frustrated couplings"):
        planar.ising(torus, 0.2, lattices.random_bonds(torus, seed=0))


def test_what_the_systems_say():
    energies = ("log_z", "free_energy", "energy", "entropy", "specific_heat")
    kagome = lattices.build("kagome", (32, 32))
    torus, odd = lattices.build("square", (12, 12)), lattices.build("square", (11, 11))
    assert ep.Ising(kagome, temperature=2.0).exact == energies
    assert ep.Ising(kagome, temperature=2.0, field=0.1).exact == ()
    assert ep.Ising(torus, 1.0, coupling=lattices.random_bonds(torus, seed=0)).exact == energies
    assert ep.Ising(odd, temperature=2.0, coupling=-1.0).exact == energies
    fields = np.ones(torus.n_sites)
    assert ep.Ising(torus, 1.0, coupling=np.ones(torus.n_bonds), field=fields).exact == ()
    by_kind = ep.Ising(lattices.build("square", (96, 96)), 2.0, coupling={"x": 1.0, "y": 0.5})
    assert by_kind.exact == energies


def test_a_cylinder_counts_its_one_sector():
    """A glass of 22 x 22 fits around one way or none, as it did not with two sectors, and not around both."""
    fits = []
    for pbc in (True, (True, False), False):
        lattice = lattices.build("square", (22, 22), pbc=pbc)
        fits.append(planar.can_sum(lattice, lattices.random_bonds(lattice, seed=0)))
    assert fits == [False, True, True]
