# SPDX-License-Identifier: MIT
"""Helpers of the studies of continuous systems: exact draws, MMD with its floor, exact profile and evidence.

Exact draws are judged by Kolmogorov-Smirnov against the distribution function by quadrature; a target of
another width must fail.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
from helpers.edg import boltzmann
from helpers.stats import assert_z

import edgphys as ep
import lattices
from studies.common import merge, pm, table, z_score
from studies.lattice_records import transfer_matrix
from studies.molecular.wells import EDGES, cases, exact_population, exact_profile
from studies.paper_tables.logistic import line_evidence, regression
from studies.paper_tables.targets import NAMES, distances, reference_draws


@pytest.mark.statistical
@pytest.mark.parametrize("name", NAMES)
def test_exact_draws_have_the_mean_energy_of_quadrature(name):
    system = ep.Planar(name)
    x = reference_draws(system, 20_000, np.random.default_rng(1))
    energy = system.energy(x)
    error = energy.std(ddof=1) / np.sqrt(len(energy))
    assert_z(energy.mean(), error, system.exact_results()["energy"], n_tests=len(NAMES), max_err=0.02)
    shares = system.responsibilities(x)
    if system.n_modes > 1:
        errors = shares.std(0, ddof=1) / np.sqrt(len(x))
        z = (shares.mean(0) - system.mode_weights()) / errors
        assert np.abs(z).max() < scipy.stats.norm.isf(0.5e-4 / 100)


@pytest.mark.statistical
def test_radii_of_the_rings_follow_their_density_and_no_other():
    system = ep.Planar("ring5")
    r = np.linalg.norm(reference_draws(system, 20_000, np.random.default_rng(2)), axis=1)
    grid = np.linspace(1e-6, 7.0, 20_001)

    def cumulative(temperature):
        density = grid * np.exp(-system.energy(np.stack([grid, 0 * grid], 1)) / temperature)
        sums = scipy.integrate.cumulative_trapezoid(density, grid, initial=0.0)
        return lambda value: np.interp(value, grid, sums / sums[-1])

    assert scipy.stats.kstest(r, cumulative(1.0)).pvalue > 1e-4
    assert scipy.stats.kstest(r, cumulative(1.5)).pvalue < 1e-4


@pytest.mark.statistical
def test_distance_of_two_exact_samples_is_noise_and_of_a_shifted_one_is_not():
    system, rng = ep.Planar("mog6"), np.random.default_rng(3)
    x, y = reference_draws(system, 1000, rng), reference_draws(system, 1000, rng)
    same, shifted = distances(x, y), distances(x + 0.5, y)
    assert abs(same["mmd_squared"]) < 5 * same["null_err"]
    assert shifted["mmd_squared"] > 20 * shifted["null_err"]
    assert 0.5 < same["mmd_biased"] / np.sqrt(2 / 1000 * 0.8) < 1.5
    even = distances(x, y, np.zeros(1000))
    assert even["mmd_squared"] == pytest.approx(same["mmd_squared"], abs=1e-12)


def test_profile_and_populations_by_quadrature():
    system = ep.MuellerBrown(15.0)
    density = np.exp(-exact_profile(system))
    # The bins hold all but 1.6e-4 of the weight.
    assert (density * np.diff(EDGES)).sum() == pytest.approx(0.999841, abs=2e-6)
    # A tilt of zero makes both basins equal; the law of one pair leans to the right.
    assert exact_population(ep.DoubleWell(1)) == pytest.approx(0.5, abs=1e-9)
    assert 0.8 < exact_population(cases()["many-well-32"].system) < 0.9


def test_evidence_of_two_weights_is_that_of_a_wide_grid():
    system = regression("line", 0)
    axis = np.linspace(-4.0, 4.0, 401)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    plain = scipy.special.logsumexp(-system.energy(points)) + 2.0 * np.log(axis[1] - axis[0])
    assert line_evidence(system) == pytest.approx(plain, abs=1e-9)


def test_numbers_and_tables(tmp_path):
    assert pm(3.50853, 0.00214) == "3.5085(21)"
    assert pm(-12.34, 1.5) == "-12.3(15)"
    assert pm(0.5, 0.0) == "0.5"
    assert pm(1.0, 0.0996) == "1.00(10)"
    assert z_score(1.0, 3.0, 0.0, 4.0) == pytest.approx(0.2)
    assert np.isnan(z_score(1.0, 0.0, 0.0))
    assert table(("a", "b"), [("1", "2")]).splitlines() == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]
    path = tmp_path / "results.json"
    path.write_text('{"results": {"x": {"n": 1}, "y": {"n": 2}}}')
    assert merge(path, {"y": {"n": 3}}) == {"x": {"n": 1}, "y": {"n": 3}}


@pytest.mark.parametrize("temperature", [1.5, 4.0])
@pytest.mark.parametrize(
    ("name", "length", "pbc"),
    [("triangular", 3, True), ("honeycomb", 2, True), ("kagome", 2, True), ("open_square", 4, False)],
)
def test_transfer_matrices_sum_all_states(name, length, pbc, temperature):
    lattice = lattices.build(name.removeprefix("open_"), (length, length), pbc, allow_double_bonds=True)
    exact = boltzmann(ep.Ising(lattice, temperature=temperature))[2]
    found = getattr(transfer_matrix, name)
    assert found(1.0 / temperature, length) == pytest.approx(exact, abs=1e-10)
    assert abs(found(1.1 / temperature, length) - exact) > 1e-3


def test_transfer_matrix_of_a_frustrated_triangle():
    system = ep.Ising(lattices.build("triangular", (3, 3)), temperature=1.0, coupling=-1.0)
    assert transfer_matrix.triangular(-1.0, 3) == pytest.approx(boltzmann(system)[2], abs=1e-10)
