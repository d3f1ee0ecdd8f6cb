# SPDX-License-Identifier: MIT
"""phi^4 chains in one to four dimensions: kernels, one sweep of exact draws, exact averages, tuning."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.special
import scipy.stats
from helpers.chains import assert_chains, assert_chains_off
from helpers.phi4 import exact_free_fields, exact_ring_fields, moved, stationarity_scores
from helpers.stats import assert_z

import lattices
from edgphys.mcmc import run
from edgphys.mcmc.algorithms import algorithms_for, make_sampler
from edgphys.mcmc.core.acceptance import lowers_enough
from edgphys.mcmc.core.layout import make_layout
from edgphys.mcmc.phi4 import embedded_wolff, hmc, length_search, reflections
from edgphys.mcmc.phi4.stencil import action_of, embed, kick, make_grid
from edgphys.mcmc.random import normal
from edgphys.mcmc.random.xoshiro import new_state
from edgphys.systems import Phi4

ALGORITHMS = ("metropolis", "hmc", "embedded_wolff", "overrelaxation")
RING = {"hop": 0.6, "quadratic": 0.2, "quartic": 0.3}
LATTICES = {
    "chain": ("chain", (7,), True),
    "chain_open": ("chain", (5,), False),
    "square": ("square", (3, 5), True),
    "square_half_open": ("square", (4, 3), (True, False)),
    "cubic": ("cubic", (4, 3, 5), True),
    "cubic_open_inside": ("cubic", (3, 4, 3), (False, True, False)),
    "hypercubic": ("hypercubic", (3, 3, 3, 3), True),
    "hypercubic_mixed": ("hypercubic", (3, 4, 3, 4), (True, False, True, False)),
}
# Frozen parameters for single sweeps; a step size at which a third of the proposals is rejected.
TUNED = {
    "metropolis": {"width": 1.5},
    "hmc": {"step_size": 0.5, "trajectory_length": 1.0},
    "embedded_wolff": {"width": 1.5, "slope": 0.7, "clusters_per_sweep": 2.0},
    "overrelaxation": {"width": 1.5, "slope": 0.7},
}


def couplings(system):
    return system.hop, system.quadratic, system.quartic


def random_field(system, seed=0):
    values = np.random.default_rng(seed).standard_normal(system.n_sites)
    grid = make_grid(system.lattice)
    return embed(values, grid), values, grid


def limit(n_tests):
    return scipy.stats.norm.isf(0.5e-4 / n_tests)


# ------------------------------------------------------------------------------------ action, force, leapfrog


@pytest.mark.parametrize("name", LATTICES)
def test_shifts_give_action_and_force_of_the_system(name):
    import torch

    system = Phi4(lattices.build(*LATTICES[name]), 0.13, 0.5)
    field, values, grid = random_field(system)
    batch, action = torch.from_numpy(values[None]), couplings(system)
    exact, force = float(system.reduced_energy(batch)), system.gradient(batch).numpy().ravel()
    momentum = np.ones(system.n_sites)
    kick(field, momentum, grid, action, 0.5)
    np.testing.assert_allclose(momentum, 1 - 0.5 * force, rtol=1e-12, atol=1e-12)
    assert action_of(field, grid, action) == pytest.approx(exact, rel=1e-12)
    grid[-1, 2] = 1 - grid[-1, 2]  # the other boundary condition along the last axis
    assert action_of(embed(values, grid), grid, action) != pytest.approx(exact, rel=1e-6)


def test_double_bonds_of_an_axis_of_two_sites_count_twice():
    lattice = lattices.build("square", (2, 4), allow_double_bonds=True)
    system = Phi4(lattice, 0.2, 0.1)
    field, values, grid = random_field(system)
    i, j = lattice.bonds.T
    local = 0.8 * values**2 + 0.1 * values**4
    exact = local.sum() - 0.4 * (values[i] * values[j]).sum()
    assert action_of(field, grid, couplings(system)) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("name", ["cubic_open_inside", "hypercubic"])
def test_leapfrog_is_reversible_and_keeps_volume(name):
    system = Phi4(lattices.build(*LATTICES[name]), 0.13, 0.5)
    field, values, grid = random_field(system)
    action, start = couplings(system), field.copy()
    momentum = np.random.default_rng(1).standard_normal(system.n_sites)
    first = momentum.copy()
    hmc.leapfrog(field, momentum, grid, action, 0.1, 12)
    assert np.abs(field - start).max() > 0.3
    momentum *= -1
    hmc.leapfrog(field, momentum, grid, action, 0.1, 12)
    np.testing.assert_allclose(field, start, atol=1e-12)
    np.testing.assert_allclose(-momentum, first, atol=1e-12)
    point, d, n = np.concatenate([values, first]), 1e-5, system.n_sites
    pad = int(grid[0, 0])

    def flow(x):
        field, momentum = embed(x[:n], grid), x[n:].copy()
        hmc.leapfrog(field, momentum, grid, action, 0.15, 3)
        return np.concatenate([field[pad:-pad], momentum])

    jacobian = [(flow(point + d * e) - flow(point - d * e)) / (2 * d) for e in np.eye(2 * n)]
    assert np.linalg.slogdet(jacobian)[1] == pytest.approx(0.0, abs=1e-6)


def energy_errors(system, fields, step, n_steps, seed=5):
    """dH of one trajectory from each of `fields`."""
    grid, action = make_grid(system.lattice), couplings(system)
    rng, errors = np.random.default_rng(seed), []
    for values in fields:
        field, momentum = embed(values, grid), rng.standard_normal(system.n_sites)
        start = hmc.hamiltonian(field, momentum, grid, action)
        hmc.leapfrog(field, momentum, grid, action, step, n_steps)
        errors.append(hmc.hamiltonian(field, momentum, grid, action) - start)
    return np.array(errors)


@pytest.mark.statistical
def test_energy_error_in_equilibrium():
    """<exp(-dH)> = 1 (Creutz), <dH> ~ step^4, acceptance erfc(sqrt(<dH>) / 2) (Gupta et al. 1990)."""
    system = Phi4(lattices.build("hypercubic", (3, 3, 3, 3)), hop=0.1, quadratic=1.0, quartic=0.0)
    fields, means = exact_free_fields(system, 4000, 1), []
    for step, n_steps in ((0.4, 5), (0.2, 10)):
        dh = energy_errors(system, fields, step, n_steps)
        x = np.exp(-dh)
        assert_z(x.mean(), x.std(ddof=1) / np.sqrt(x.size), 1.0, n_tests=2, max_err=0.05)
        acceptance = np.minimum(1, x).mean()
        assert acceptance == pytest.approx(scipy.special.erfc(np.sqrt(dh.mean()) / 2), abs=0.02)
        means.append(dh.mean())
    assert np.log2(means[0] / means[1]) == pytest.approx(4.0, abs=0.5)
    x = np.exp(-energy_errors(system, 1.1 * fields, 0.4, 5))  # not the stationary law
    assert abs(x.mean() - 1) > 10 * x.std(ddof=1) / np.sqrt(x.size)


# --------------------------------------------------------------------------------- one sweep from exact draws


def assert_stationary(system, before, after):
    assert np.abs(after - before).mean() > 0.05  # it does move
    for name, z in stationarity_scores(system, before, after).items():
        assert abs(z) < limit(100), f"{name}: z = {z:.2f}"


@pytest.fixture(scope="module")
def ring():
    system = Phi4(lattices.build("chain", (4,)), **RING)
    return system, exact_ring_fields(system, 6000, 3)


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_sweep_keeps_the_interacting_law(ring, algorithm):
    system, before = ring
    assert_stationary(system, before, moved(system, algorithm, before, TUNED[algorithm]))


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_sweep_keeps_the_free_law_in_four_dimensions(algorithm):
    """All moments of the action too: 2 S is chi-square with n_sites degrees of freedom."""
    system = Phi4(lattices.build("hypercubic", (3, 3, 3, 3)), hop=0.1, quadratic=1.0, quartic=0.0)
    before = exact_free_fields(system, 3000, 4)
    after = moved(system, algorithm, before, TUNED[algorithm])
    assert_stationary(system, before, after)
    actions = system.measure(after.reshape(-1, 3, 3, 3, 3))["energy"]
    law = scipy.stats.chi2(system.n_sites)
    assert scipy.stats.kstest(2 * actions, law.cdf).pvalue > 1e-4
    assert scipy.stats.kstest(2.06 * actions, law.cdf).pvalue < 1e-4  # what the test can see


@pytest.mark.statistical
def test_trajectories_are_reversible_in_law(ring):
    """<f(x) g(x')> = <g(x) f(x')>: detailed balance of the whole trajectory with its random length."""
    system, before = ring
    after = moved(system, "hmc", before, TUNED["hmc"], seed=2)
    f = [x[:, 0] ** 2 for x in (before, after)]
    g = [x[:, 1] * x[:, 2] ** 3 for x in (before, after)]
    d = f[0] * g[1] - g[0] * f[1]
    assert_z(d.mean(), d.std(ddof=1) / np.sqrt(d.size), 0.0, max_err=0.2)


def without_metropolis_test(system, phi, neighbours, rng):
    field = np.concatenate([phi[-2:-1], phi[:-1], phi[:1]])
    momentum = np.empty(phi.size - 1)
    normal.fill_normal(rng, momentum)
    hmc.leapfrog(field, momentum, make_grid(system.lattice), couplings(system), 0.5, 2)
    phi[:-1] = field[1:-1]


def without_quartic_part(system, phi, neighbours, rng):
    action = (system.hop, system.quadratic, 0.0)
    reflections.reflect_sweep(phi, rng, np.zeros(7, np.int64), neighbours, action, 0.7)


def with_half_the_bond_strength(system, phi, neighbours, rng):
    members, inside = np.empty(phi.size - 1, np.uint32), np.zeros(phi.size, np.bool_)
    embedded_wolff._flip_cluster(phi, rng, neighbours, 0.5 * system.hop, members, inside)


@pytest.mark.statistical
@pytest.mark.parametrize("rule", [without_metropolis_test, without_quartic_part, with_half_the_bond_strength])
def test_wrong_rules_are_caught_by_one_sweep(ring, rule):
    system, before = ring
    layout = make_layout(system.lattice, np.arange(system.n_sites))
    rng, after = new_state(np.random.SeedSequence(6)), np.empty_like(before)
    for i, field in enumerate(before):
        phi = layout.store(field)
        rule(system, phi, layout.neighbours, rng)
        after[i] = phi[:-1]
    scores = stationarity_scores(system, before, after)
    assert max(map(abs, scores.values())) > 12.0, scores


def test_metropolis_test_accepts_as_often_as_it_should():
    words = np.random.default_rng(7).integers(0, 2**64, 4000, np.uint64)
    for change in (-2.0, 0.0, 0.05, 0.7, 3.0, np.inf, np.nan):
        accepted = sum(bool(lowers_enough(word, change)) for word in words)
        p = 0.0 if np.isnan(change) else min(1.0, np.exp(-change))
        assert abs(accepted - 4000 * p) <= limit(7) * np.sqrt(4000 * p * (1 - p))


# -------------------------------------------------------------------------------------------- exact averages

FREE = {"chain": 0.3, "square_half_open": 0.17, "cubic": 0.12, "hypercubic": 0.09}
NAMES = ("energy", "specific_heat", "phi2", "abs_magnetization", "binder_cumulant", "magnetization")


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", FREE)
def test_averages_are_those_of_the_free_field(name, algorithm):
    system = Phi4(lattices.build(*LATTICES[name]), FREE[name], 0.0)
    exact = {key: system.exact_results()[key] for key in NAMES}
    samples = run(system, algorithm, 32, 1000, seed=31, n_warmup=200)
    assert_chains(samples, exact, max_err=0.2, n_tests=len(FREE) * len(ALGORITHMS) * len(NAMES))


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_averages_are_those_of_the_transfer_operator(algorithm):
    system = Phi4(lattices.build("chain", (9,)), **RING)
    exact = {key: system.exact_results()[key] for key in NAMES if key in system.exact}
    assert {"energy", "specific_heat", "phi2", "binder_cumulant"} <= set(exact)
    samples = run(system, algorithm, 32, 3000, seed=32, n_warmup=500)
    n_tests = len(ALGORITHMS) * len(exact)
    assert_chains(samples, exact, max_err=0.1, n_tests=n_tests)
    wrong = Phi4(system.lattice, hop=0.63, quadratic=0.2, quartic=0.3).exact_results()
    assert_chains_off(samples, {key: wrong[key] for key in exact}, max_err=0.1, least=10.0)


# phi4_torus((3, 3), 0.35, 0.5, 0.3); its accuracy is 1e-8.
TORUS = {
    "energy": -0.26476810504,
    "specific_heat": 0.66670683204,
    "binder_cumulant": 0.51977381995,
    "phi2": 1.00874854847,
    "magnetization": 0.0,
}


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_averages_are_those_of_the_torus(algorithm):
    system = Phi4(lattices.build("square", (3, 3)), hop=0.35, quadratic=0.5, quartic=0.3)
    samples = run(system, algorithm, 32, 3000, seed=33, n_warmup=500)
    assert_chains(samples, TORUS, max_err=0.1, n_tests=len(ALGORITHMS) * len(TORUS))


@pytest.mark.slow
def test_reference_of_the_torus():
    from edgphys.exact.transfer import phi4_torus

    exact = phi4_torus((3, 3), 0.35, 0.5, 0.3)
    assert {key: exact[key] for key in TORUS} == pytest.approx(TORUS, abs=1e-7)


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", ["cubic", "hypercubic"])
@pytest.mark.parametrize("sign", [1, -1])
def test_schwinger_dyson(name, algorithm, sign):
    """<sum phi dS/dphi> = n_sites; hop < 0 on odd extents frustrates the sign clusters."""
    system = Phi4(lattices.build(*LATTICES[name]), sign * 0.12, 0.3)
    samples = run(system, algorithm, 24, 600, seed=34, n_warmup=200, keep=True)
    axes = samples["configurations"].dims[2:]
    phi4 = (samples["configurations"] ** 4).sum(axes)
    per_chain = (2 * samples["energy"] + 2 * system.quartic * phi4).mean("draw").values
    err = per_chain.std(ddof=1) / np.sqrt(24)
    t = (per_chain.mean() - system.n_sites) / err
    assert err < 0.5 and abs(scipy.stats.norm.isf(scipy.stats.t.sf(t, 23))) < limit(16)
    wrong = (2 * samples["energy"] + 2.4 * system.quartic * phi4).mean("draw").values.mean()
    assert abs(wrong - system.n_sites) > 10 * err


def test_all_algorithms_serve_all_systems():
    for spec in LATTICES.values():
        assert set(algorithms_for(Phi4(lattices.build(*spec), -0.05, 0.4))) == set(ALGORITHMS)


# ---------------------------------------------------------------------------------------------------- tuning


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_warm_up_and_sampling_in_pieces_give_the_same_bits(algorithm):
    system = Phi4(lattices.build("square", (4, 5)), 0.25, 0.1)
    sampler, results = make_sampler(system, algorithm), []
    for warm_up, draws in (((301,), (40,)), ((1, 98, 2, 99, 1, 100), (1, 25, 14))):
        state, first, rows = sampler.start(2, np.random.SeedSequence(9)), 0, np.empty((40, 4))
        for n in warm_up:
            sampler.warm_up(state, first, n, 301)
            first += n
        tuned, memory, first = sampler.freeze([state]), state.tuning.copy(), 0
        for n in draws:
            sampler.advance(state, tuned, 2, rows[first : first + n], np.empty((0, 20)))
            first += n
        np.testing.assert_array_equal(state.tuning, memory)  # frozen
        results.append((tuned, rows, state.rng, state.configuration, state.counts))
    assert results[0][0] == results[1][0]
    for a, b in zip(results[0][1:], results[1][1:], strict=True):
        np.testing.assert_array_equal(a, b)


def settings_of(system, **options):
    samples = run(system, "hmc", 4, 400, seed=11, n_warmup=600, options=options)
    return json.loads(samples.attrs["settings"])


@pytest.mark.parametrize("quadratic", [0.02, 2.0, 200.0])
def test_tuned_length_follows_the_frequency(quadratic):
    """Without hopping and quartic term omega^2 = 2 quadratic for all modes; omega length = 1 to 2 is best."""
    system = Phi4(lattices.build("square", (8, 8)), hop=0.0, quadratic=quadratic, quartic=0.0)
    settings = settings_of(system)
    omega = np.sqrt(2 * quadratic)
    assert 0.7 < omega * settings["tuned"]["trajectory_length"] < 3.0
    assert 0.6 < settings["measured"]["acceptance"] < 0.97


def test_tuned_length_grows_towards_the_transition():
    lengths = [
        settings_of(Phi4(lattices.build("square", (12, 12)), kappa, 0.022))["tuned"]["trajectory_length"]
        for kappa in (0.1, 0.255)
    ]
    assert lengths[1] > 1.5 * lengths[0]


def test_given_step_and_length_are_kept():
    system = Phi4(lattices.build("square", (8, 8)), 0.25, 0.022)
    given = {"step_size": 0.1, "trajectory_length": 1.0}
    assert settings_of(system, **given)["tuned"] == given
    samples = run(system, "hmc", 8, 2000, seed=12, n_warmup=0, options=given)
    gradients = samples.attrs["n_gradient_calls"] / 16_000
    assert gradients == pytest.approx(11.0, abs=0.2)  # ten steps on average, one gradient more
    assert settings_of(system, step_size=0.1)["tuned"]["step_size"] == 0.1
    assert settings_of(system, trajectory_length=1.0)["tuned"]["trajectory_length"] == 1.0


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"step_size": 0.0}, ValueError, r"step_size must be positive and finite, got 0\.0"),
        ({"step_size": "small"}, TypeError, r"step_size must be a real number, got 'small'"),
        ({"target_acceptance": None}, TypeError, r"target_acceptance must be a real number, got None"),
        ({"target_acceptance": 1.0}, ValueError, r"target_acceptance must be a number in \(0, 1\), got 1\.0"),
    ],
)
def test_bad_hmc_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        make_sampler(Phi4(lattices.build("chain", (4,)), 0.1, 0.1), "hmc", options)


@pytest.mark.parametrize("algorithm, n_over", [("overrelaxation", 0), ("embedded_wolff", -1)])
def test_bad_numbers_of_reflections_are_refused(algorithm, n_over):
    with pytest.raises(ValueError, match=rf"n_over must be an integer >= {n_over + 1}, got {n_over}"):
        make_sampler(Phi4(lattices.build("chain", (4,)), 0.1, 0.1), algorithm, {"n_over": n_over})


def test_best_length_is_the_cheapest_for_the_worst_observable():
    """Draws of variance 1; a length whose trajectories cost g gradients and decorrelate as rho."""
    memory, values = np.zeros(length_search.N_MEMORY), np.ones(4)
    assert length_search.best_length(memory, 1.0, 8.0) == 8.0  # nothing known
    for sign in (1.0, -1.0) * 5:
        length_search.collect(memory, sign * values)
    for place, gradients, rho in ((2, 4, 0.6), (3, 6, 0.3), (4, 9, 0.25)):
        for _ in range(10):
            new = np.sqrt(2 * (1 - rho)) * values
            new[2] *= 1.2  # an observable that decorrelates faster does not matter
            length_search.record(memory, place, gradients, 1.0, 0 * values, new)
    # Costs 4 x 4, 6 x 1.86, 9 x 1.67.
    assert length_search.best_length(memory, 1.0, 8.0) == pytest.approx(2.0**1.5)
    np.testing.assert_array_equal(length_search.best_length(2 * memory, 1.0, 8.0), 2.0**1.5)


def test_reflections_of_the_free_field_are_never_rejected():
    """With the exact slope, 1 / quadratic; the regression finds it."""
    system = Phi4(lattices.build("cubic", (4, 4, 4)), 0.12, 0.0)
    samples = run(system, "overrelaxation", 8, 500, seed=13, n_warmup=300)
    settings = json.loads(samples.attrs["settings"])
    assert settings["tuned"]["slope"] == pytest.approx(1.0, abs=0.05)
    assert settings["measured"]["reflection_acceptance"] > 0.98
    assert settings["measured"]["acceptance"] == pytest.approx(0.5, abs=0.03)
    assert samples.attrs["n_energy_calls"] == pytest.approx(8 * 800 * 5, rel=0.1)
