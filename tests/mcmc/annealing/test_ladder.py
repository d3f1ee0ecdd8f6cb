# SPDX-License-Identifier: MIT
"""Annealed importance sampling: Z exact whatever the schedule, HMC moves that leave densities as they are."""

import math

import numpy as np
import pytest
from helpers.stats import assert_off, assert_z

import edgphys as ep
from edgphys.mcmc.annealing import ladder, moving_points
from edgphys.mcmc.annealing.ladder import Annealing, Schedule, find_schedule, rung, walk
from edgphys.mcmc.annealing.moving_points import MovingPoints

HOT, COLD = ep.Harmonic(n_dims=3, temperature=4.0), ep.Harmonic(n_dims=3, temperature=0.5)


def gaussian_draws(system, n, rng):
    """Exact draws of a harmonic system, E = k |x|^2 / 2."""
    stiffness = 2.0 * float(system.energy(np.array([[1.0, 0.0, 0.0]]))[0])
    return rng.standard_normal((n, 3)) * math.sqrt(system.temperature / stiffness)


def anneal(start, end, x, schedule, rng):
    """Points at the end of a ladder, and what is added to their log weights."""
    points = MovingPoints(start, x, rng)
    log_factors = walk(points, start, end, schedule)
    return points.x, log_factors


def schedule_of(positions, step):
    """One leapfrog step at all rungs."""
    return Schedule(np.array(positions), np.full((len(positions), 1), step))


def relative_z(log_w, exact):
    """Mean of w over Z, which is to be 1, and its error."""
    w = np.exp(log_w - exact)
    return w.mean(), w.std() / math.sqrt(len(w))


@pytest.mark.parametrize("n_rungs", [1, 3, 20])
@pytest.mark.parametrize("step", [0.05, 0.6])
def test_ratio_of_partition_functions_is_unbiased(n_rungs, step):
    rng = np.random.default_rng(n_rungs)
    schedule = schedule_of(np.linspace(0.0, 1.0, n_rungs + 1)[1:], step)
    _, log_factors = anneal(HOT, COLD, gaussian_draws(HOT, 4000, rng), schedule, rng)
    exact = COLD.exact_results()["log_z"] - HOT.exact_results()["log_z"]
    assert_z(*relative_z(log_factors, exact), 1.0, n_tests=6, max_err=0.15)
    if n_rungs == 20:
        assert_off(*relative_z(log_factors, exact + 0.3), 1.0, least=5.0, max_err=0.15)


def test_points_arrive_at_the_cold_system():
    rng = np.random.default_rng(3)
    schedule = schedule_of(np.linspace(0.0, 1.0, 41)[1:], 0.2)
    x, log_factors = anneal(HOT, COLD, gaussian_draws(HOT, 4000, rng), schedule, rng)
    w = np.exp(log_factors - log_factors.max())
    energy, exact = COLD.energy(x), COLD.exact_results()["energy"]
    mean = (w * energy).sum() / w.sum()
    error = math.sqrt((w**2 * (energy - mean) ** 2).sum()) / w.sum()
    assert_z(mean, error, exact, max_err=0.03)
    assert abs(energy.mean() - HOT.exact_results()["energy"]) > 10.0 * error  # they did not stay


def test_a_move_leaves_the_density_as_it_is_for_any_step():
    # A large step: what is wrong with the acceptance would show.
    rng = np.random.default_rng(5)
    schedule = schedule_of([1.0], 0.9)
    x, log_factors = anneal(COLD, COLD, gaussian_draws(COLD, 20_000, rng), schedule, rng)
    assert np.abs(log_factors).max() == 0.0
    energy = COLD.energy(x)
    assert_z(energy.mean(), energy.std() / 20_000**0.5, COLD.exact_results()["energy"], max_err=0.01)


def test_result_does_not_depend_on_the_threads(monkeypatch):
    system = ep.MuellerBrown(temperature=10.0)
    start = system.replace(temperature=30.0)
    results = []
    for n_cpus in (1, 3):
        monkeypatch.setattr(moving_points, "cpu_count", lambda n_cpus=n_cpus: n_cpus)
        rng = np.random.default_rng(0)
        schedule = schedule_of([0.3, 1.0], 0.02)
        results.append(anneal(start, system, rng.standard_normal((300, 2)), schedule, rng))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_systems_without_kernel_go_the_same_way():
    system = ep.MuellerBrown(temperature=10.0)
    torch_only = ep.Potential(lambda x: system.energy(x), 2, temperature=10.0)
    schedule = schedule_of([0.3, 1.0], 0.02)
    ends = []
    for one in (system, torch_only):
        rng = np.random.default_rng(1)
        x = rng.standard_normal((50, 2)) * 0.3
        ends.append(anneal(one.replace(temperature=30.0), one, x, schedule, rng))
    np.testing.assert_allclose(ends[0][0], ends[1][0], atol=1e-8)
    np.testing.assert_allclose(ends[0][1], ends[1][1], atol=1e-8)


def test_rungs_are_linear_in_beta_and_in_the_core():
    system = ep.LennardJones(3, temperature=0.5)
    start = system.replace(core=0.8, temperature=2.0)
    middle = rung(start, system, 0.25)
    assert math.isclose(middle.beta, 0.75 * 0.5 + 0.25 * 2.0)
    assert math.isclose(middle.core, 0.6)
    assert rung(start, system, 1.0) is system
    assert math.isclose(rung(start, system, 0.0).beta, start.beta)


def test_schedule_ends_at_the_system_and_spreads_the_work():
    rng = np.random.default_rng(2)
    x = gaussian_draws(HOT, 2048, rng)
    schedule = find_schedule(MovingPoints, HOT, COLD, x, np.zeros(len(x)), 10, rng)[0]
    assert schedule.positions[-1] == 1.0
    assert (np.diff(schedule.positions) > 0).all()
    # Where beta is small the energy fluctuates more: rungs crowd at the hot end.
    assert np.diff(schedule.positions)[0] < 0.5 * np.diff(schedule.positions)[-1]


@pytest.mark.statistical
def test_number_of_rungs_is_chosen_for_the_variance_of_the_weights(monkeypatch):
    cold = COLD.replace(temperature=0.05)
    rng = np.random.default_rng(4)
    x = gaussian_draws(HOT, 2048, rng)
    schedule = find_schedule(MovingPoints, HOT, cold, x, np.zeros(len(x)), None, rng)[0]
    _, log_factors = anneal(HOT, cold, gaussian_draws(HOT, 2000, rng), schedule, rng)
    # Of the pilot's 256 points the spread is known to a tenth, the variance to a fifth.
    assert 0.5 < log_factors.var() / ladder._VARIANCE < 2.0
    assert len(schedule.positions) > MovingPoints.pilot_rungs[0]
    few = find_schedule(MovingPoints, HOT, cold, x, np.zeros(len(x)), len(schedule.positions) // 8, rng)[0]
    _, log_factors = anneal(HOT, cold, gaussian_draws(HOT, 2000, rng), few, rng)
    assert log_factors.var() > 3.0 * ladder._VARIANCE
    monkeypatch.setattr(ladder, "_MOST_RUNGS", 60)
    assert len(find_schedule(MovingPoints, HOT, cold, x, np.zeros(len(x)), None, rng)[0].positions) == 60


@pytest.mark.slow
@pytest.mark.parametrize("n_rungs", [3, 700, None])
def test_gradient_calls_are_counted(n_rungs):
    calls = []

    def energy(x):
        # A new Potential is probed with a few points.
        calls.append(len(x) if len(x) > 50 else 0)
        return 0.5 * (x**2).sum(1)

    system = ep.Potential(energy, 2)
    hot = system.replace(temperature=2.0)  # no colder one is asked far away once more
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2048, 2))
    calls.clear()
    run = Annealing(MovingPoints, hot, system, n_rungs, x, np.zeros(2048), rng, rng)
    assert run.n_gradient_calls == sum(calls)
    run(x[:100], np.zeros(100))
    assert run.n_gradient_calls == sum(calls)
