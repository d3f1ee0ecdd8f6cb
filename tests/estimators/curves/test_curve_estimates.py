# SPDX-License-Identifier: MIT
"""Curves of the enumerated 4 x 4 Ising model: values, errors and covariances against exact results."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.calibration import assert_covers
from helpers.curves import EnumeratedIsing, exact_curve, square
from helpers.stats import assert_z

import edgphys as ep
from edgphys.estimators.curves.curve_estimates import curve_values
from edgphys.estimators.curves.measured import Measured
from edgphys.estimators.curves.nodes import check_nodes
from edgphys.estimators.curves.pooled import Pool

# Four of them nodes, the others between.
TEMPERATURES = (1.8, 2.0, 2.1, 2.4, 2.8, 3.2)
NODES = tuple(1.0 / np.linspace(1 / 1.8, 1 / 3.2, 8))
NAMES = (
    *("log_z", "free_energy", "energy", "specific_heat", "abs_magnetization", "susceptibility"),
    *("binder_cumulant", "correlation_length"),
)


def pooled(law, n, seed, nodes=NODES, temperatures=TEMPERATURES):
    """Results at the temperatures, and of the check at the nodes."""
    rng, systems = np.random.default_rng(seed), [square(t) for t in nodes]
    drawn = [law(system, n, rng) for system in systems]
    measured = Measured(np.concatenate([one for one, _ in drawn]), systems)
    log_weights = np.array([one for _, one in drawn])
    energies = [measured.at(system)["reduced_energy"].values for system in systems]
    energies = np.reshape(energies, (len(nodes), *log_weights.shape))
    pool = Pool(log_weights, energies)
    found = curve_values(pool, (measured.at(square(t)) for t in temperatures), {})
    return found, check_nodes(pool, log_weights, energies, np.array([s.beta for s in systems]))


@pytest.mark.statistical
@pytest.mark.parametrize("options", [{"noise": 0.2}, {"noise": 0.2, "wrong": 0.03}])
def test_curves_are_exact_at_nodes_and_between(options):
    found, check = pooled(EnumeratedIsing(**options), 1000, 1)
    largest = [0.02, 0.05, 0.2, 0.03, 0.01, 0.06, 0.01, 0.1]
    for name, max_err in zip(NAMES, largest, strict=True):
        exact = exact_curve(name, TEMPERATURES)
        for value, err, known in zip(found.values[name], found.values[f"{name}_err"], exact, strict=True):
            assert_z(value, err, known, n_tests=2 * 48, max_err=max_err)
    assert check.reason == "" and found.reasons == [[]] * len(TEMPERATURES)
    assert np.abs(check.at_nodes["log_z_node_deviation"]).max() < 4.5
    assert np.abs(check.between["derivative_deviation"]).max() < 4.5


@pytest.mark.statistical
def test_weights_that_ignore_the_coupling_fail():
    found, check = pooled(EnumeratedIsing(noise=0.2, ignores=square(2.3)), 1000, 1)
    off = np.abs(found.values["log_z"] - exact_curve("log_z", TEMPERATURES)) / found.values["log_z_err"]
    assert off.max() > 20
    assert check.probability < 1e-10 and "differ beyond chance" in check.reason
    assert np.abs(check.at_nodes["log_z_node_deviation"]).max() > 20
    assert np.abs(check.between["derivative_deviation"]).max() > 20


def test_covariances_hold_the_errors_and_free_energy_follows():
    found, _ = pooled(EnumeratedIsing(noise=0.2), 100, 2)
    for name in ("log_z", "energy"):
        variances = np.diag(found.covariances[name])
        np.testing.assert_allclose(variances, found.values[f"{name}_err"] ** 2, rtol=1e-10)
        assert np.linalg.eigvalsh(found.covariances[name]).min() > -1e-12
    np.testing.assert_allclose(
        found.values["free_energy"], -np.array(TEMPERATURES) * found.values["log_z"], rtol=1e-12
    )


def test_one_node_and_one_value_are_what_estimate_gives():
    rng, system = np.random.default_rng(3), square(2.3)
    spins, log_weights = EnumeratedIsing(noise=0.4)(system, 300, rng)
    measured = Measured(spins, [system])
    samples = measured.at(system).assign(log_weight_joint=("draw", log_weights))
    pool = Pool(log_weights[None], samples["reduced_energy"].values[None, None])
    found, estimates = curve_values(pool, [measured.at(system)], {}).values, ep.estimate(samples)
    for name in (*NAMES, "ess", "ess_count", "max_weight", "pareto_k", "magnetization"):
        np.testing.assert_allclose(found[name], float(estimates[name]), rtol=1e-9, err_msg=name)
        if name in NAMES:
            np.testing.assert_allclose(found[f"{name}_err"], float(estimates[f"{name}_err"]), rtol=1e-9)


def test_slope_of_log_z_is_minus_the_energy():
    """An identity of the estimates, up to what the jackknife takes off their bias."""
    near = tuple(1.0 / (1 / 2.3 + np.array([-1e-4, 0.0, 1e-4])))
    found, _ = pooled(EnumeratedIsing(noise=0.2), 200, 4, temperatures=near)
    low, _, high = found.values["log_z"]
    slope, err = (high - low) / 2e-4, found.values["energy_err"][1]
    assert abs(slope + found.values["energy"][1]) < 0.05 * err


def test_draws_that_miss_part_of_z_are_not_trusted():
    law = EnumeratedIsing(noise=0.2)
    spins, log_weights = law(square(2.3), 400, np.random.default_rng(5))
    measured = Measured(spins, [square(2.3)])
    point = measured.at(square(2.3))
    pool = Pool(log_weights[None], point["reduced_energy"].values[None, None])
    found = curve_values(pool, [point], {"unseen_share": 0.3, "unseen_share_err": 0.01})
    assert found.values["reliable"] == [0.0] and "0.3 of Z lies where no draw reached" in found.reasons[0][0]


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("options", [{"noise": 0.2}, {"noise": 0.8, "wrong": 0.03}])
def test_errors_and_covariances_are_the_spread_over_seeds(options):
    law, exact = EnumeratedIsing(**options), {name: exact_curve(name, TEMPERATURES) for name in NAMES}
    runs = [pooled(law, 150, 100 + seed) for seed in range(200)]
    z = {
        name: np.array([(one.values[name] - exact[name]) / one.values[f"{name}_err"] for one, _ in runs])
        for name in NAMES
    }
    assert_covers(np.concatenate([scores.ravel() for scores in z.values()]))
    for name in ("log_z", "energy"):
        spread = np.cov([one.values[name] for one, _ in runs], rowvar=False)
        told = np.mean([one.covariances[name] for one, _ in runs], axis=0)
        scale = np.sqrt(np.diag(told))
        # 200 runs know a correlation to 0.07 and a variance to 0.1
        np.testing.assert_allclose(spread / np.outer(scale, scale), told / np.outer(scale, scale), atol=0.35)
    probabilities = np.sort([check.probability for _, check in runs])
    assert np.abs(probabilities - (np.arange(200) + 0.5) / 200).max() < 0.14  # Kolmogorov, 1e-3
