# SPDX-License-Identifier: MIT
"""Helpers of the studies: exact draws, MMD with its floor, profiles, evidence, sums over sites, tables.

Exact draws are judged by Kolmogorov-Smirnov against the distribution function by quadrature; a target of
another width must fail.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
from helpers.stats import assert_z

import edgphys as ep
from studies.common import merge, pm, table, z_score
from studies.lattice_records.table import judge
from studies.lattice_records.tables import describe, put
from studies.molecular.growth_references import costs, together
from studies.molecular.wells import EDGES, cases, exact_population, exact_profile
from studies.paper_tables.logistic import line_evidence, regression
from studies.paper_tables.targets import NAMES, distances, reference_draws
from studies.profiles import run as profiles


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


def test_the_profile_of_the_study_of_error_bars_is_normalised():
    density = np.exp(-profiles.WELL.beta * profiles.exact_profile(profiles.WELL))
    inside = (density * np.diff(profiles.EDGES[profiles.WELL.name])).sum()
    assert 0.995 < inside < 1.0


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


def chains_of_a_seed(log_z, scale=1.0):
    averages = {"energy": -3.0, "energy_err": 0.04 * scale} | dict.fromkeys(
        ("distance", "distance_err", "radius_of_gyration", "radius_of_gyration_err"), 1.0
    )
    spent = {"n_calls": 1e6, "cpu_s": 10.0}
    return {
        "mbar": averages | spent | {"log_z": log_z, "log_z_err": 0.01 * scale},
        "tempering": averages | spent,
    }


def test_cost_of_an_error_and_the_mean_of_seeds():
    rows = [chains_of_a_seed(2.0), chains_of_a_seed(2.02)]
    assert together(rows)["mbar log_z"] == pytest.approx((2.01, 0.01 / np.sqrt(2), 2.0, 2))
    spent = costs(rows, [])
    assert spent["mbar, CPU, log_z"] == pytest.approx((4e6, 40.0))  # half the error, four times the work
    assert spent["tempering, CPU, energy"] == pytest.approx((4e6, 40.0))
    assert costs([chains_of_a_seed(2.0, 2.0)], [])["mbar, CPU, log_z"] == pytest.approx((16e6, 160.0))
    learned = {"log_z_err": 0.01, "n_calls": 1e6, "sampling_s": 5.0, "training_s": 7.0, "reference_cost": {}}
    learned |= {"edg energy": (0.0, 0.04, 0.0), "tempering energy": (0.0, 0.02, 0.0), "opponent_calls": 3e6}
    spent = costs([], [learned])
    assert spent["EDG, log_z"] == pytest.approx((4e6, 27.0))  # the training once
    assert spent["tempering, energy"][0] == pytest.approx(3e6)


def record(seed, log_z, elbo=-0.1, **more):
    return {"case": "phi4-32", "seed": seed, "ess_1": 1.0, "elbo_1": elbo, "elbo_err_1": 0.01} | {
        "log_z_1": log_z,
        "log_z_err_1": 0.01,
        **more,
    }


def test_pulls_are_against_what_is_known_and_else_against_the_other_seeds():
    exact = judge([record(0, 0.02, log_z_true=0.0, log_z_true_err=0.0)], {}, 1)
    assert exact.pulls == pytest.approx([2.0]) and exact.gaps == pytest.approx([0.1])
    assert exact.excess == pytest.approx([-10.0])
    three = judge([record(seed, value) for seed, value in enumerate((0.0, 0.0, 0.03))], {}, 1)
    assert three.pulls[2] == pytest.approx(0.03 / (0.01 * np.sqrt(1.5)))
    assert judge([record(0, 0.0)], {}, 1).pulls == []
    assert judge([record(0, 0.0, elbo=0.2, log_z_true=0.0, log_z_true_err=0.0)], {}, 1).excess[0] > 3.0


def test_cells_and_blocks_of_the_tables(tmp_path):
    assert describe([0.5, 0.6, 0.7], 2) == "0.60 (0.20)" and describe([0.5, 0.6], 2) == "0.50, 0.60"
    path = tmp_path / "README.md"
    path.write_text("a <!-- x -->old<!-- /x --> b")
    for text in ("| 1 |", "| 2 |"):
        put("x", text, True, path)
    assert path.read_text() == "a <!-- x -->\n\n| 2 |\n\n<!-- /x --> b"
    put("x", "unseen", False, path)
    assert "unseen" not in path.read_text()
    with pytest.raises(ValueError, match="must have"):
        put("y", "", True, path)
