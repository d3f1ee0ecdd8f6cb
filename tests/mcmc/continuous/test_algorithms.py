# SPDX-License-Identifier: MIT
"""Chains of continuous systems: detailed balance, averages by quadrature, and wrong rules caught.

Detailed balance is tested on pairs (x, x'): x drawn exactly from a tilted double well, x' one move later.
Under a reversible kernel each pair of cells is as frequent as its mirror image, however x fluctuates.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from helpers.chains import chi_square_p
from helpers.stats import assert_z
from numba import njit

import edgphys as ep
from edgphys import dataset
from edgphys.mcmc import algorithms_for, run
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.continuous import batch, mala
from edgphys.mcmc.continuous import hmc as generic_hmc
from edgphys.mcmc.continuous import tuning as continuous_tuning
from edgphys.mcmc.core import dual_averaging
from edgphys.mcmc.core.acceptance import acceptance, acceptances
from edgphys.mcmc.random.xoshiro import new_state

ALGORITHMS = ("random_walk", "mala", "hmc")
WELL = {"barrier": 2.0, "tilt": 0.3}
EDGES = np.array([-np.inf, -1.2, -0.9, -0.5, 0.0, 0.6, 0.9, 1.2, np.inf])
MOVES = {"shipped": 6_000, "compiled": 6_000, "torch": 20_000}
STEPS = {"random_walk": 0.8, "mala": 0.6, "hmc": 0.45}  # large: one move in two is refused


def torch_well(x):
    return 2.0 * (x[:, 0] ** 2 - 1.0) ** 2 + 0.3 * x[:, 0]


def torch_system(temperature=1.0):
    return ep.Potential(torch_well, 1, temperature, centres=[[1.0], [-1.0]])


@njit
def compiled_well(x):
    return 2.0 * (x[0] ** 2 - 1.0) ** 2 + 0.3 * x[0]


SYSTEMS = {
    "shipped": lambda **t: ep.DoubleWell(**WELL, **t),
    "torch": lambda **t: torch_system(**t),
    "compiled": lambda **t: ep.Potential(compiled_well, 1, centres=[[1.0], [-1.0]], **t),
}


# ------------------------------------------------------------------------------------- one exact move


def exact_draws(n, seed=0):
    """Independent draws from the well by the inverse of its distribution function, and cell probabilities."""
    x = np.linspace(-4, 4, 80_001)
    weight = np.exp(-(2 * (x**2 - 1) ** 2 + 0.3 * x))
    below = np.concatenate([[0.0], np.cumsum(0.5 * (weight[1:] + weight[:-1]))])
    below /= below[-1]
    inside = np.interp(EDGES[1:-1], x, below)
    cells = np.diff(np.concatenate([[0.0], inside, [1.0]]))
    return np.interp(np.random.default_rng(seed).random(n), below, x), cells


def one_move(system, algorithm, x, seed=5):
    """x after one move with the frozen step of STEPS."""
    sampler = make_sampler(system, algorithm, {} if system.kernel else {"chains_per_batch": len(x)})
    tuned = {"step_size": STEPS[algorithm], "mean_steps": 3.0}
    state = sampler.start(0, np.random.SeedSequence(seed))
    if system.kernel is None:
        state.configuration[:] = x[:, None]
        sampler.advance(state, tuned, 1, np.empty((len(x), 1, sampler.n_columns)), np.empty((len(x), 0, 1)))
        return state.configuration[:, 0].copy()
    rows, kept, moved = np.empty((1, sampler.n_columns)), np.empty((0, 1)), np.empty_like(x)
    for k, value in enumerate(x):
        state.configuration[0] = value
        sampler.advance(state, tuned, 1, rows, kept)
        moved[k] = state.configuration[0]
    return moved


def balance_p(before, after):
    """p-value of the symmetry of pairs of cells."""
    n_cells = len(EDGES) - 1
    pairs = np.zeros((n_cells, n_cells))
    np.add.at(pairs, (np.digitize(before, EDGES[1:-1]), np.digitize(after, EDGES[1:-1])), 1)
    upper = np.triu_indices(n_cells, 1)
    forth, back = pairs[upper], pairs.T[upper]
    seen = forth + back >= 10
    statistic = ((forth - back) ** 2)[seen] / (forth + back)[seen]
    assert seen.sum() > 5
    return scipy.stats.chi2.sf(statistic.sum(), seen.sum())


@pytest.mark.statistical
@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_move_is_balanced_in_detail(algorithm, kind):
    x, _ = exact_draws(MOVES[kind])
    moved = one_move(SYSTEMS[kind](), algorithm, x)
    assert 0.2 < np.mean(moved == x) < 0.9
    assert balance_p(x, moved) > 1e-4


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", ["shipped", "torch"])
def test_another_temperature_is_not_balanced(algorithm, kind):
    x, _ = exact_draws(MOVES[kind])
    assert balance_p(x, one_move(SYSTEMS[kind](temperature=2.0), algorithm, x)) < 1e-8


@pytest.mark.parametrize(
    "module, name, wrong, algorithm",
    [
        (mala, "log_hastings", lambda noise, back: np.zeros(len(noise)), "mala"),
        (batch, "acceptances", np.ones_like, "hmc"),
        (batch, "acceptances", lambda log_ratios: acceptances(0.5 * log_ratios), "random_walk"),
    ],
)
def test_wrong_rules_are_caught(monkeypatch, module, name, wrong, algorithm):
    """No Hastings factor, no acceptance test, half the energy."""
    monkeypatch.setattr(module, name, wrong)
    x, _ = exact_draws(MOVES["torch"])
    assert balance_p(x, one_move(torch_system(), algorithm, x)) < 1e-8


@njit
def flat_energy(x, gradient_out, parameters):
    gradient_out[0] = 8.0 * x[0] * (x[0] ** 2 - 1.0) + 0.3
    return 0.0


@pytest.mark.parametrize("algorithm", ["mala", "hmc"])
def test_compiled_moves_need_the_energy(algorithm):
    """The gradient of the well, but an energy that is the same everywhere: what is left is no acceptance."""
    system = SYSTEMS["compiled"]()
    system._kernel = flat_energy
    x, _ = exact_draws(MOVES["compiled"])
    assert balance_p(x, one_move(system, algorithm, x)) < 1e-8


@njit
def wrong_gradient(x, gradient_out, parameters):
    gradient_out[0] = 3.0 * np.sin(5.0 * x[0])
    return 2.0 * (x[0] ** 2 - 1.0) ** 2 + 0.3 * x[0]


@pytest.mark.parametrize("algorithm", ["mala", "hmc"])
def test_errors_of_the_gradient_do_not_reach_the_distribution(algorithm):
    """Why differences are good enough: any function of x will do for the drift."""
    system = SYSTEMS["compiled"]()
    system._kernel = wrong_gradient
    x, _ = exact_draws(MOVES["compiled"])
    assert balance_p(x, one_move(system, algorithm, x)) > 1e-4


@pytest.mark.parametrize("algorithm", ["random_walk", "mala"])
def test_compiled_and_torch_chains_take_the_same_moves(algorithm):
    """From the same state and generator, with the same step: the same chain to rounding."""
    compiled = make_sampler(SYSTEMS["shipped"](), algorithm)
    batch = make_sampler(torch_system(), algorithm, {"chains_per_batch": 3})
    seeds = np.random.SeedSequence(4).spawn(3)
    group = batch.start(0, seeds[0])
    tuned = {"step_size": 0.4}
    group.rng[:3] = [new_state(seed) for seed in seeds]
    singles = [compiled.start(k, seed) for k, seed in enumerate(seeds)]
    for k, (single, seed) in enumerate(zip(singles, seeds, strict=True)):
        single.configuration[:] = group.configuration[k]
        single.rng = new_state(seed)
    together = np.empty((3, 30, 1))
    batch.advance(group, tuned, 1, np.empty((3, 30, batch.n_columns)), together)
    for k, single in enumerate(singles):
        alone = np.empty((30, 1))
        compiled.advance(single, tuned, 1, np.empty((30, compiled.n_columns)), alone)
        np.testing.assert_allclose(alone, together[k], rtol=1e-9)
        assert len(np.unique(alone)) > 5


# ------------------------------------------------------------------------------------- trajectories


def harmonic_path(size, n_steps, sign=1.0):
    from edgphys.systems.continuous.kernel_pointer import KernelPointer

    system = ep.MuellerBrown()
    kernel, potential = KernelPointer(system.kernel), (np.array(system.kernel_parameters), system.beta)
    x, momentum, gradient = np.array([-0.5, 1.3]), np.array([0.7, -1.1]), np.empty(2)

    def energy():
        return kernel_energy(system, x, gradient) * system.beta + 0.5 * momentum @ momentum

    start = x.copy(), momentum.copy(), energy()
    sizes = np.array([size, 0.5 * size])
    generic_hmc._leapfrog(kernel, potential, x, momentum, gradient, sizes, n_steps)
    error = energy() - start[2]
    moved = np.abs(x - start[0]).max()
    momentum *= -1
    generic_hmc._leapfrog(kernel, potential, x, momentum, gradient, sizes, n_steps)
    return error, moved, x - start[0], momentum + start[1]


def kernel_energy(system, x, gradient):
    return system.kernel(x, gradient, system.kernel_parameters)


def test_leapfrog_is_reversible():
    _, moved, position, momentum = harmonic_path(0.05, 20)
    assert moved > 0.1 and np.abs(position).max() < 1e-12 and np.abs(momentum).max() < 1e-12


def test_leapfrog_energy_error_is_second_order():
    sizes = np.array([0.04, 0.02, 0.01, 0.005])
    errors = [abs(harmonic_path(size, round(0.4 / size))[0]) for size in sizes]
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(2.0, abs=0.15)


def test_acceptance_of_a_runaway_is_zero():
    ratios = np.array([np.nan, -np.inf, -1.0, 0.0, 2.0, np.inf])
    expected = [0.0, 0.0, np.exp(-1.0), 1.0, 1.0, 1.0]
    np.testing.assert_allclose([acceptance(r) for r in ratios], expected)
    np.testing.assert_allclose(acceptances(ratios), expected)


# ------------------------------------------------------------------------------- averages of whole runs


def moments_z(samples, system, exact):
    """z-scores of chain means; Student's t for the few chains, turned into a normal quantile."""
    energy, n = samples["energy"], samples.sizes["chain"]
    mean, variance = exact["energy"], exact["specific_heat"] * system.n_variables / system.beta**2
    series = {"energy": (energy, mean), "energy_2": ((energy - mean) ** 2, variance)}
    if "population" in exact:
        series["population"] = (samples[system.observables[0]], exact["population"])
    scores = {}
    for name, (values, expected) in series.items():
        means = values.mean("draw").values
        t = (means.mean() - expected) / (means.std(ddof=1) / np.sqrt(n))
        scores[name] = float(np.sign(t) * scipy.stats.norm.isf(scipy.stats.t.sf(abs(t), n - 1)))
        scores[f"{name}_err"] = float(means.std(ddof=1) / np.sqrt(n))
    return scores


def exact_of(system):
    exact = system.exact_results()
    if system.basins:
        # Of the first observable: the right one of the wells, the upper one of Mueller-Brown.
        sign = 1.0 if system.observables[0] == system.basins[0] else -1.0
        exact["population"] = 1 / (1 + np.exp(sign * system.beta * system.free_energy_difference()))
    return exact


CASES = {
    "double_well_2d": (lambda: ep.DoubleWell(n_dims=2, **WELL), 0.02),
    "mueller_brown": (lambda: ep.MuellerBrown(temperature=40.0), 0.02),
    "many_well": (lambda: ep.ManyWell(n_dims=4, temperature=3.0), 0.02),
    "harmonic": (lambda: ep.Harmonic(n_dims=5, ratio=30.0), 0.02),
}


@pytest.mark.statistical
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_averages_agree_with_quadrature(algorithm, case):
    make, max_err = CASES[case]
    system = make()
    options = {"precondition": case == "harmonic"}
    samples = run(system, algorithm, 24, 20_000, seed=11, n_warmup=2000, thin=4, options=options)
    scores = moments_z(samples, system, exact_of(system))
    for name in [name for name in scores if not name.endswith("_err")]:
        scale = 1.0 if name == "population" else system.temperature ** (2 if name == "energy_2" else 1)
        limit = max_err * scale * system.n_variables
        assert_z(scores[name], 1.0, 0.0, n_tests=200, max_err=1.0)
        assert scores[f"{name}_err"] < limit, name


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_users_torch_function_gives_the_same_averages(algorithm):
    system, shipped = torch_system(), SYSTEMS["shipped"]()
    options = {"chains_per_batch": 200}
    samples = run(system, algorithm, 200, 250, seed=3, n_warmup=100, options=options)
    scores = moments_z(samples, system, shipped.exact_results())
    for name in ("energy", "energy_2"):
        assert_z(scores[name], 1.0, 0.0, n_tests=200, max_err=1.0)
        assert scores[f"{name}_err"] < 0.03
    cold = moments_z(samples, system, shipped.replace(temperature=0.8).exact_results())
    assert abs(cold["energy"]) > 5  # negative control


@pytest.mark.statistical
def test_histogram_of_thinned_draws_and_of_a_wrong_temperature():
    _, cells = exact_draws(1)
    for temperature, least, most in ((1.0, 1e-4, 1.0), (1.1, 0.0, 1e-6)):
        system = SYSTEMS["shipped"](temperature=temperature)
        samples = run(system, "hmc", 8, 150_000, seed=2, thin=50, keep=True)
        assert float(ep.estimate(samples)["tau_int"]) < 0.65  # as good as independent
        x = samples["configurations"].values.ravel()
        counts = np.bincount(np.digitize(x, EDGES[1:-1]), minlength=len(cells))
        assert least <= chi_square_p(counts[None], cells[None]) <= most


# ------------------------------------------------------------------------------------------ warm-up


@pytest.mark.parametrize("kind", ["shipped", "torch"])
@pytest.mark.parametrize("algorithm, target", [("random_walk", 0.441), ("mala", 0.574), ("hmc", 0.8)])
def test_steps_are_tuned_to_the_best_acceptance(algorithm, target, kind):
    samples = run(SYSTEMS[kind](), algorithm, 4, 400, seed=1, n_warmup=600)
    settings = json.loads(samples.attrs["settings"])
    assert settings["measured"]["acceptance"] == pytest.approx(target, abs=0.1)
    other = run(SYSTEMS[kind](), algorithm, 4, 400, seed=1, n_warmup=600, options={"target_acceptance": 0.3})
    assert json.loads(other.attrs["settings"])["measured"]["acceptance"] == pytest.approx(0.3, abs=0.1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_preconditioning_learns_the_scales(algorithm):
    """A narrow direction of 1/30: the steps follow it, and the wide one moves faster."""
    system = ep.Harmonic(n_dims=2, ratio=900.0)
    jumps = {}
    for precondition in (False, True):
        options = {"precondition": precondition, "steps_per_sweep": 10}
        samples = run(system, algorithm, 4, 2000, seed=1, n_warmup=2000, options=options, keep=True)
        tuned = json.loads(samples.attrs["settings"])["tuned"]
        if precondition:
            wide, narrow = tuned["step_sizes"]
            assert wide / narrow == pytest.approx(30.0, rel=0.3)
            assert tuned["step_size"] == pytest.approx(np.sqrt(wide * narrow))
        wide = samples["configurations"][..., 0].values
        jumps[precondition] = np.mean(np.diff(wide, axis=1) ** 2)
    if algorithm != "hmc":  # there a longer trajectory makes up for it
        assert jumps[True] > 5 * jumps[False]


def test_trajectory_length_is_chosen_or_given():
    system = ep.Harmonic(n_dims=8)
    free = json.loads(run(system, "hmc", 4, 100, seed=1, n_warmup=2000).attrs["settings"])["tuned"]
    assert free["trajectory_length"] == pytest.approx(np.pi / 2, rel=1e-9)
    for length in (0.3, 6.0):
        options = {"trajectory_length": length}
        samples = run(system, "hmc", 4, 100, seed=1, n_warmup=2000, options=options)
        given = json.loads(samples.attrs["settings"])["tuned"]
        assert given["trajectory_length"] == length
        assert given["mean_steps"] == pytest.approx(max(1.0, length / given["step_size"]), rel=0.1)


def test_scales_keep_the_product_of_step_and_scale():
    tuning = continuous_tuning.new_tuning(1, 2, 0.5, 1.0)
    learned = continuous_tuning.tuning_views(tuning, 1, 2)
    rng = np.random.default_rng(0)
    for sweep in range(51):
        continuous_tuning.learn_scales(learned, rng.normal(size=(1, 2)) * [3.0, 0.1], sweep, 100, True)
    head, _, _, scales = learned
    assert scales[0] == pytest.approx(3.0, rel=0.3) and 0.1 < scales[1] < 1.0
    assert np.exp(head[dual_averaging.LOG_STEP]) * np.sqrt(scales.prod()) == pytest.approx(0.5)


# --------------------------------------------------------------------------------- pieces and resuming


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", ["shipped", "torch"])
def test_threads_and_pieces_change_no_number(monkeypatch, algorithm, kind):
    import importlib

    driver = importlib.import_module("edgphys.mcmc.core.driver")
    system, options = SYSTEMS[kind](), {"steps_per_sweep": 2}
    reference = run(system, algorithm, 10, 50, seed=7, n_warmup=60, keep=True, n_threads=1, options=options)
    assert len({row.tobytes() for row in reference["energy"].values}) == 10
    updates = make_sampler(system, algorithm, options).updates_per_sweep
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 7 * updates)
    cut = run(system, algorithm, 10, 50, seed=7, n_warmup=60, keep=True, n_threads=3, options=options)
    xr.testing.assert_equal(reference, cut)
    assert cut.attrs["settings"] == reference.attrs["settings"]
    assert not np.array_equal(run(system, algorithm, 10, 50, seed=8)["energy"], reference["energy"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", ["shipped", "torch"])
def test_a_resumed_run_is_the_same_to_the_bit(tmp_path, monkeypatch, algorithm, kind):
    system = SYSTEMS[kind]()
    arguments = {"n_chains": 3, "seed": 5, "n_warmup": 40, "keep": True}
    whole = run(system, algorithm, n_sweeps=60, **arguments)
    path = tmp_path / "chain.ckpt"
    run(system, algorithm, n_sweeps=25, checkpoint=path, **arguments)
    resumed = run(system, algorithm, n_sweeps=60, checkpoint=path, **arguments)
    xr.testing.assert_equal(whole, resumed)
    assert resumed.attrs["n_energy_calls"] == whole.attrs["n_energy_calls"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_killed_warm_up_goes_on(tmp_path, monkeypatch, algorithm):
    import importlib

    driver = importlib.import_module("edgphys.mcmc.core.driver")
    system, path = SYSTEMS["shipped"](), tmp_path / "chain.ckpt"
    arguments = {"n_chains": 2, "n_sweeps": 30, "seed": 5, "n_warmup": 60, "n_threads": 1}
    whole = run(system, algorithm, **arguments)
    sampler_class = type(make_sampler(system, algorithm))
    honest, calls = sampler_class.warm_up, []

    def dying(self, *args):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        honest(self, *args)

    updates = make_sampler(system, algorithm).updates_per_sweep
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 7 * updates)
    with monkeypatch.context() as patch:
        patch.setattr(sampler_class, "warm_up", dying)
        with pytest.raises(KeyboardInterrupt):
            run(system, algorithm, checkpoint=path, **arguments)
    xr.testing.assert_equal(whole, run(system, algorithm, checkpoint=path, **arguments))


def test_a_checkpoint_of_another_function_is_refused(tmp_path):
    arguments = {"n_chains": 2, "n_sweeps": 10, "seed": 5, "checkpoint": tmp_path / "chain.ckpt"}
    run(torch_system(), "random_walk", **arguments)
    other = ep.Potential(lambda x: torch_well(x) * 1.001, 1, centres=[[1.0], [-1.0]])
    with pytest.raises(ep.errors.DatasetError, match="fingerprint"):
        run(other, "random_walk", **arguments)


# ------------------------------------------------------------------------------------------ interface


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dataset_without_a_lattice(tmp_path, algorithm):
    system = ep.MuellerBrown()
    assert algorithms_for(system) == ALGORITHMS
    samples = run(system, algorithm, 2, 100, seed=1, keep=True, thin=2)
    assert samples["configurations"].dims == ("chain", "draw", "coordinate")
    measured = system.measure(samples["configurations"].values.reshape(-1, 2))
    for name, values in measured.items():
        np.testing.assert_allclose(samples[name].values.ravel(), values, rtol=1e-12)
    bare = run(system, algorithm, 2, 100, seed=1, thin=2)
    xr.testing.assert_equal(bare, samples.drop_vars("configurations"))
    dataset.write(samples, tmp_path / "samples.nc")
    table = ep.estimate(dataset.read(tmp_path / "samples.nc"))
    assert table.attrs["n_variables"] == 2 and float(table["energy_err"]) > 0
    settings = json.loads(samples.attrs["settings"])
    assert ("trajectory" if algorithm == "hmc" else "proposals") in settings["sweep"]
    proposals = 2 * (20 + 100) * settings["options"]["steps_per_sweep"]
    assert samples.attrs["n_energy_calls"] == proposals
    assert (samples.attrs["n_gradient_calls"] == 0) == (algorithm == "random_walk")


@pytest.mark.parametrize("kind", ["shipped", "torch"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_warm_up_is_allowed(kind, algorithm):
    samples = run(SYSTEMS[kind](), algorithm, 2, 50, seed=0, n_warmup=0)
    assert json.loads(samples.attrs["settings"])["measured"]["acceptance"] > 0.1


def test_draws_in_blocks_are_those_of_one_block(monkeypatch):
    from edgphys.mcmc.continuous import base as continuous_base

    system = ep.MuellerBrown()
    reference = run(system, "mala", 2, 100, seed=1)
    monkeypatch.setattr(continuous_base, "_DRAWS_A_BLOCK", 7)
    xr.testing.assert_equal(reference, run(system, "mala", 2, 100, seed=1))


@pytest.mark.parametrize(
    "algorithm, options, message",
    [
        ("hmc", {"trajectory_length": 0.0}, r"trajectory_length must be positive and finite, got 0\.0"),
        ("mala", {"target_acceptance": 1.0}, r"target_acceptance must be a number in \(0, 1\), got 1\.0"),
        ("mala", {"start_scale": -1}, r"start_scale must be positive and finite, got -1"),
        ("random_walk", {"steps_per_sweep": 0}, r"steps_per_sweep must be an integer >= 1, got 0"),
        ("random_walk", {"precondition": 1}, r"precondition must be True or False, got 1"),
        ("random_walk", {"chains_per_batch": 1.5}, r"chains_per_batch must be an integer >= 1, got 1\.5"),
        ("random_walk", {"trajectory_length": 1.0}, r"must be among: .*; got 'trajectory_length'"),
        ("wolff", {}, r"must be one of random_walk, mala, hmc for double_well, got 'wolff'"),
    ],
)
def test_bad_options_are_refused(algorithm, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        run(SYSTEMS["shipped"](), algorithm, 1, 10, seed=0, options=options)


@njit
def wall(x, gradient_out, parameters):
    gradient_out[0] = x[0]
    return 0.5 * x[0] ** 2 if abs(x[0]) < 3.0 else np.inf


def test_walls_of_infinite_energy_hold():
    import torch

    def torch_wall(x):
        return torch.where(x[:, 0].abs() < 3.0, 0.5 * x[:, 0] ** 2, torch.inf)

    with pytest.raises(ValueError, match="must be finite at points"):
        ep.Potential(torch_wall, 1, width=20.0)
    for kernel in (wall, None):
        system = ep.Potential(torch_wall, 1, kernel=kernel, width=0.2)
        for algorithm in ALGORITHMS:
            samples = run(system, algorithm, 2, 300, seed=1, options={"start_scale": 2.0}, keep=True)
            assert np.abs(samples["configurations"]).max() < 3.0
    with pytest.raises(ValueError, match="start_scale must give points of finite energy, got none"):
        run(system, "random_walk", 2, 10, seed=1, options={"start_scale": 1e9})


def test_a_kernel_that_does_not_compile_is_named():
    @njit
    def broken(x, gradient_out, parameters):
        return x.no_such_attribute

    system = SYSTEMS["compiled"]()
    system._kernel = broken
    with pytest.raises(TypeError, match="kernel must compile as"):
        run(system, "hmc", 1, 10, seed=0)
