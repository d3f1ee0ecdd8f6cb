# SPDX-License-Identifier: MIT
"""`EDG` for continuous systems from the outside: exact results, bounds, chains, files, checkpoints, counts.

Small networks, a few training steps or none: exactness may not depend on them. Oracles are quadratures and
closed forms of the systems. Controls: chains that ignore the weights, another temperature, and a mode that
the decoder has lost, which only the upper bound can see.
"""

from __future__ import annotations

import functools
import json
import math

import numpy as np
import pytest
import torch
import xarray as xr
from helpers.stats import assert_z

import lattices
from edgphys import dataset, mcmc
from edgphys.edg import EDG, sampler
from edgphys.edg.core import training
from edgphys.edg.core.path import log_weights
from edgphys.edg.mixture import gaussian_mixture as mixture
from edgphys.errors import DatasetError, TrainingError, UnknownNameError
from edgphys.estimators import estimate
from edgphys.systems import (
    DoubleWell,
    DoubleWellParticles,
    Harmonic,
    Ising,
    LennardJones,
    LogisticRegression,
    ManyWell,
    MuellerBrown,
    Phi4,
    Planar,
    Potential,
)

TINY = {"n_path_steps": 2, "decoder_size": (6, 1), "encoder_size": (6, 1), "n_components": 4}


@pytest.fixture(autouse=True, scope="module")
def short_search():
    """Fewer rounds and draws: what they give, test_mixture looks at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixture, "_N_ROUNDS", 4)
        patch.setattr(mixture, "_N_DRAWS", 2000)
        yield


SAME = ("created", "wall_time", "settings")  # settings hold the training time


def quick(system, seed=0, n_steps=4, **options):
    return EDG(system, **TINY | options).fit(seed, n_steps, batch_size=16, device="cpu", progress=False)


CASES = {
    "double well 1": lambda: EDG(DoubleWell(n_dims=1, tilt=0.4), **TINY),
    "double well 2": lambda: quick(DoubleWell(n_dims=2, barrier=3.0)),
    "mueller brown": lambda: quick(MuellerBrown(temperature=20.0), n_components=8),
    "many well": lambda: quick(ManyWell(n_dims=4)),
    "mog2_i": lambda: EDG(Planar("mog2_i"), **TINY),
    "ring": lambda: quick(Planar("ring"), n_components=16),
    "hamiltonian": lambda: quick(DoubleWell(n_dims=2, tilt=0.4), decoder="hamiltonian", n_leapfrog=1),
    "gaussian": lambda: EDG(Planar("mog2"), **TINY | {"encoder": "gaussian", "n_path_steps": None}),
    "one component": lambda: EDG(Harmonic(n_dims=3, ratio=4.0), **TINY | {"n_components": 1}),
}


@functools.cache
def case(name):
    return CASES[name]()


@functools.cache
def exact(name):
    return case(name).system.exact_results()


# Exact results.


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_draws_give_the_exact_results(name):
    edg = case(name)
    found = estimate(edg.sample(8000, seed=1, progress=False))
    limits = {"log_z": 0.03, "energy": 0.03 * edg.system.temperature * edg.system.n_variables}
    for key, limit in limits.items():
        pair = float(found[key]), float(found[f"{key}_err"])
        assert_z(*pair, exact(name)[key], n_tests=2 * len(CASES), max_err=limit)
    assert float(found["elbo"]) < exact(name)["log_z"] + 4.0 * float(found["elbo_err"])
    # Of a temperature a tenth higher.
    wrong = edg.system.replace(temperature=1.1 * edg.system.temperature).exact_results()
    with pytest.raises(AssertionError, match="z = "):
        for key, limit in limits.items():
            assert_z(float(found[key]), float(found[f"{key}_err"]), wrong[key], n_tests=2, max_err=limit)


def check_chain(edg):
    """<E>, and the population of the right wells."""
    system = edg.system
    samples = edg.chain(8000, seed=2, n_chains=8, progress=False)
    found = estimate(samples)
    energy = float(found["energy"]), float(found["energy_err"])
    assert_z(*energy, system.exact_results()["energy"], n_tests=6, max_err=0.2)
    right = samples["right"].mean("draw").to_numpy()
    p = 1.0 / (1.0 + math.exp(system.free_energy_difference() / system.temperature))
    # Student's t of 7 degrees of freedom: 7 errors are two in ten thousand.
    assert abs(right.mean() - p) < 7.0 * right.std(ddof=1) / math.sqrt(8)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["double well 1", "hamiltonian", "many well"])
def test_chain_gives_the_exact_results(name):
    check_chain(case(name))


@pytest.mark.statistical
def test_chain_that_ignores_the_weights_is_found(monkeypatch):
    """One Gaussian for two wells; every proposal is accepted."""
    edg = EDG(DoubleWell(n_dims=1, barrier=1.5, tilt=0.4), **TINY | {"n_components": 1})
    check_chain(edg)
    monkeypatch.setattr(
        sampler, "accepted_indices", lambda w, rng: np.tile(np.arange(w.shape[1]), (len(w), 1))
    )
    with pytest.raises(AssertionError, match="z = "):
        check_chain(edg)


@functools.cache
def reference(name):
    return mcmc.run(case(name).system, "hmc", n_chains=8, n_sweeps=500, seed=3, keep=True)


def from_above(edg, samples):
    found = edg.upper_bound(samples, seed=4)["log_weight_reverse"]
    assert found.dims == ("chain", "draw") and found.dtype == np.float64
    means = found.mean("draw").to_numpy()
    return float(means.mean()), float(means.std(ddof=1)) / math.sqrt(len(means))


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["double well 1", "hamiltonian", "one component"])
def test_bounds_from_both_sides_hold_log_z(name):
    edg, log_z = case(name), exact(name)["log_z"]
    upper, err = from_above(edg, reference(name))
    found = estimate(edg.sample(4000, seed=5, progress=False))
    # Student's t of 7 degrees of freedom: 5 errors are one in a thousand.
    assert float(found["elbo"]) - 4.0 * float(found["elbo_err"]) < log_z < upper + 5.0 * err
    assert 0.0 < upper - float(found["elbo"]) < 1.5


@pytest.mark.statistical
def test_upper_bound_sees_a_mode_that_the_decoder_lost():
    system = Planar("mog2")
    edg = EDG(system, **TINY)
    with torch.no_grad():
        lost = edg.model.decoder.frames.means[:, 0] < 0
        edg.model.label_logits[lost] -= 20.0
    samples = estimate(edg.sample(2000, seed=6, progress=False))
    # Half of Z is missed without a sign of it.
    assert float(samples["log_z"]) == pytest.approx(-math.log(2.0), abs=0.05)
    assert float(samples["ess"]) > 0.5
    rng = np.random.default_rng(7)
    x = system._points[rng.integers(2, size=(8, 100))] + 0.5 * rng.standard_normal((8, 100, 2))
    states = xr.Dataset(
        {"configurations": (("chain", "draw", "coordinate"), x)},
        attrs={"system": system.name, "parameters": json.dumps(system.parameters)},
    )
    assert from_above(edg, states)[0] > 5.0


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["double well 1", "hamiltonian", "many well"])
def test_flow_weights_give_the_same_log_z(name):
    found = estimate(case(name).sample(1500, seed=8, weights="ode", n_ode_steps=8, progress=False))
    assert_z(float(found["log_z"]), float(found["log_z_err"]), exact(name)["log_z"], n_tests=3, max_err=0.1)


def test_flow_weights_reach_every_gradient():
    """Closed forms, autograd, lattices: finite, and near the path weights of the same draws."""
    potential = Potential(lambda x: (x**2 - 1.0).square().sum(1), n_dims=2, centres=[(1, 1), (-1, -1)])
    lattice = Phi4(lattices.build("chain", (4,)), kappa=0.2, lam=0.1)
    for system, divergences in ((potential, ("exact", "hutchinson")), (lattice, ("exact",))):
        edg = EDG(system, decoder="hamiltonian", **TINY | {"n_leapfrog": 1})
        for divergence in divergences:
            options = {"weights": "ode", "divergence": divergence, "n_ode_steps": 3}
            samples = edg.sample(20, seed=9, progress=False, **options)
            path = edg.sample(20, seed=9, progress=False)
            difference = samples["log_weight_joint"] - path["log_weight_joint"]
            assert np.isfinite(difference).all() and abs(float(difference.median())) < 1.0


# Datasets.


@pytest.mark.parametrize("name", ["double well 2", "many well", "hamiltonian"])
def test_datasets_are_whole_and_survive_a_file(name, tmp_path):
    edg = case(name)
    system = edg.system
    samples = edg.sample(30, seed=10, keep=True, progress=False)
    chain = edg.chain(40, seed=11, keep=True, progress=False)
    assert samples["configurations"].dims == ("draw", "coordinate")
    assert chain["configurations"].dims == ("chain", "draw", "coordinate")
    assert samples["configurations"].shape == (30, system.n_variables)
    for found, method in ((samples, "edg"), (chain, "edg_chain")):
        dataset.validate(found)
        path = tmp_path / f"{method}.nc"
        dataset.write(found, path)
        xr.testing.assert_equal(dataset.read(path), found)
        attrs, settings = found.attrs, json.loads(found.attrs["settings"])
        assert attrs["system"] == system.name and attrs["method"] == method
        assert json.loads(attrs["parameters"]) == system.parameters and "n_sites" not in attrs
        assert attrs["n_variables"] == system.n_variables
        assert settings["training"]["n_steps"] == 4 and settings["training"]["seed"] == 0
        for option, value in edg.options.items():
            assert settings[option] == (list(value) if isinstance(value, tuple) else value), option
        flat = found["configurations"].to_numpy().reshape(-1, system.n_variables)
        for key, values in system.measure(flat).items():
            np.testing.assert_allclose(found[key].to_numpy().ravel(), values, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found["reduced_energy"], system.beta * found["energy"])
    assert "log_weight_joint" in samples and "log_weight_joint" not in chain
    assert "configurations" not in edg.sample(3, seed=10, progress=False)


@pytest.mark.parametrize("system", [DoubleWellParticles(), LennardJones(n_particles=3, n_axes=2)])
def test_particles_are_kept_as_positions_and_survive_a_file(system, tmp_path):
    sizes = {"n_path_steps": 2, "decoder_size": (3, 1), "encoder_size": (3, 1)}
    edg, path = EDG(system, **sizes), tmp_path / "edg.pt"
    edg.fit(0, 2, batch_size=8, device="cpu", progress=False)
    options = {"n_anneal": 0, "keep": True, "progress": False}
    samples, chain = edg.sample(6, seed=0, **options), edg.chain(8, seed=0, **options)
    assert samples["configurations"].dims == ("draw", "particle", "axis")
    assert chain["configurations"].dims == ("chain", "draw", "particle", "axis")
    assert chain["configurations"].shape == (4, 2, *system.event_shape)
    # The mean of the positions is divided out.
    np.testing.assert_allclose(samples["configurations"].mean("particle"), 0.0, atol=1e-5)
    for found in (samples, chain):
        dataset.validate(found)
    edg.save(path)
    assert EDG.load(path, device="cpu").sample(6, seed=0, **options).equals(samples)


def test_seed_decides_the_draws():
    edg, state = case("double well 2"), torch.get_rng_state()
    first, again, other = (edg.sample(50, seed=seed, keep=True, progress=False) for seed in (12, 12, 13))
    assert first.equals(again) and not first.equals(other)
    assert edg.chain(40, seed=12, progress=False).equals(edg.chain(40, seed=12, progress=False))
    assert torch.equal(torch.get_rng_state(), state)
    # A model of its own seed: search, networks and batches.
    models = [quick(edg.system, seed).model.state_dict() for seed in (0, 0, 1)]
    assert all(torch.equal(models[0][key], models[1][key]) for key in models[0])
    assert not torch.equal(models[0]["decoder.frames.means"], models[2]["decoder.frames.means"])


# Files.

FILES = {
    "mixture": lambda: (Planar("mog2_i"), {}),
    "blocks": lambda: (ManyWell(n_dims=4), {}),
    "hamiltonian": lambda: (DoubleWell(n_dims=2, tilt=0.3), {"decoder": "hamiltonian", "n_leapfrog": 1}),
    "gaussian": lambda: (MuellerBrown(20.0), {"encoder": "gaussian", "n_path_steps": None}),
    "lattice": lambda: (
        Ising(lattices.build("chain", (4,)), 2.0, field=0.2),
        {"decoder": "hamiltonian", "n_leapfrog": 1},
    ),
    "data": lambda: (LogisticRegression(n_features=2, n_train=20, n_test=5), {"n_components": 1}),
    "train_at": lambda: (DoubleWell(n_dims=1), {"train_at": {"temperature": 2.0}}),
}


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_saved_and_loaded_sampler_draws_the_same(name, fitted, tmp_path):
    system, options = FILES[name]()
    edg, path = EDG(system, **TINY | options), tmp_path / "edg.pt"
    if fitted:
        edg.fit(1, 3, batch_size=16, device="cpu", progress=False)
    else:
        edg.sample(5, seed=0, n_anneal=0, progress=False)  # leaves no trace
    edg.save(path)
    found = EDG.load(path, device="cpu")
    assert found.options == edg.options and found.history.equals(edg.history)
    assert found.system.parameters == edg.system.parameters and type(found.system) is type(edg.system)
    for key, value in edg.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[key], value), key
    options = {"n_anneal": 0, "progress": False}
    before, after = (one.sample(20, seed=6, keep=True, **options) for one in (edg, found))
    assert before.equals(after)
    assert {k: v for k, v in before.attrs.items() if k not in SAME} == {
        k: v for k, v in after.attrs.items() if k not in SAME
    }
    assert edg.chain(8, seed=7, **options).equals(found.chain(8, seed=7, **options))


def own_systems():
    """A function, and data: what no file can rebuild; each with another of the same parameters."""
    rng = np.random.default_rng(14)
    y = np.arange(20) % 2
    data = [(rng.normal(size=(20, 2)), y, rng.normal(size=(5, 2)), y[:5]) for _ in range(2)]
    return {
        "potential": [
            Potential(function, n_dims=1)
            for function in (lambda x: 0.5 * (x**2).sum(1), lambda x: 0.4 * (x**2).sum(1))
        ],
        "logistic": [LogisticRegression(data=one) for one in data],
    }


@pytest.mark.parametrize("kind", ["potential", "logistic"])
def test_systems_that_a_file_cannot_rebuild_are_handed_in(tmp_path, kind):
    path, (system, other) = tmp_path / "edg.pt", own_systems()[kind]
    edg = EDG(system, **TINY | {"n_components": 1})
    edg.save(path)
    with pytest.raises(DatasetError, match=r"system must be given to load .*edg.pt, a .*, got none"):
        EDG.load(path)
    with pytest.raises(DatasetError, match=r"system must be the one that .*edg.pt was saved with, got"):
        EDG.load(path, system=other)
    with pytest.raises(TypeError, match=r"system must be a system of edgphys.systems, got str"):
        EDG.load(path, system="potential")
    again = EDG.load(path, system=system)
    assert again.sample(20, 0, progress=False).equals(edg.sample(20, 0, progress=False))


def test_a_system_that_follows_from_its_parameters_may_be_handed_in(tmp_path):
    path, system = tmp_path / "edg.pt", DoubleWell()
    EDG(system, **TINY | {"n_components": 1}).save(path)
    assert EDG.load(path, system=system).system is system
    with pytest.raises(DatasetError, match="system must be the one"):
        EDG.load(path, system=DoubleWell(temperature=2.0))
    with pytest.raises(TypeError, match="path must be a str or a Path, got int"):
        EDG.load(3)


def test_upper_bound_refuses_what_is_no_reference():
    edg = EDG(DoubleWell(), **TINY | {"n_components": 1})
    with pytest.raises(TypeError, match=r"reference must be an xarray.Dataset of samples, got NoneType"):
        edg.upper_bound(None, 0)
    chain = edg.chain(8, seed=0, keep=True, progress=False)
    chain["configurations"][0, 0] = np.nan
    with pytest.raises(ValueError, match="reference must have finite configurations, got 1 numbers that"):
        edg.upper_bound(chain, 0)
    with pytest.raises(UnknownNameError, match="divergence must be one of exact, hutchinson, got 'foo'"):
        edg.sample(10, 0, divergence="foo")


# Checkpoints.


class _Killed(Exception):
    pass


@pytest.mark.parametrize("decoder", ["mixture", "hamiltonian"])
def test_killed_training_goes_on_to_the_same_numbers(decoder, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 3)
    system, path = DoubleWell(n_dims=1, tilt=0.2), tmp_path / "state.pt"

    def fit(checkpoint=None):
        options = TINY | {"decoder": decoder}
        edg = EDG(system, **options)
        return edg.fit(
            2, 8, batch_size=16, annealing=0.3, device="cpu", progress=False, checkpoint=checkpoint
        )

    whole = fit()
    advance, steps = training._Run.advance, []

    def dying(run, loss):
        if len(steps) == 5:
            raise _Killed
        steps.append(1)
        advance(run, loss)

    monkeypatch.setattr(training._Run, "advance", dying)
    with pytest.raises(_Killed):
        fit(path)
    monkeypatch.setattr(training._Run, "advance", advance)
    resumed = fit(path)
    assert resumed.history.equals(whole.history) and resumed.history.sizes["step"] == 8
    for key, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key
    first, second = (edg.sample(20, seed=0, progress=False) for edg in (whole, resumed))
    assert first.equals(second)
    for name in ("n_energy_calls", "n_gradient_calls"):
        assert first.attrs[name] == second.attrs[name]


def test_checkpoint_of_another_function_is_refused(tmp_path):
    """Two potentials of one name differ by their energies only."""
    path = tmp_path / "state.pt"
    for stiffness, raises in ((1.0, False), (2.0, True)):
        system = Potential(lambda x, k=stiffness: 0.5 * k * (x**2).sum(1), n_dims=1)
        edg = EDG(system, **TINY | {"n_components": 1})
        arguments = {"batch_size": 16, "device": "cpu", "progress": False, "checkpoint": path}
        if raises:
            with pytest.raises(TrainingError, match="belongs to a run with other settings"):
                edg.fit(0, 2, **arguments)
        else:
            edg.fit(0, 2, **arguments)


# Counts.


class Counter:
    """A harmonic energy that counts the configurations it is asked for, with or without a gradient."""

    def __init__(self):
        self.with_gradient = self.without = 0

    def __call__(self, x):
        if x.requires_grad and torch.is_grad_enabled():
            self.with_gradient += len(x)
        else:
            self.without += len(x)
        return 0.5 * (x**2).sum(1)

    def take(self):
        values = self.with_gradient, self.without
        self.with_gradient = self.without = 0
        return values


def counted(**options):
    counter = Counter()
    return counter, EDG(Potential(counter, n_dims=2), **TINY | {"n_components": 1} | options)


@pytest.mark.parametrize("decoder", ["mixture", "hamiltonian"])
def test_gradients_of_search_and_training_are_counted_one_by_one(decoder):
    options = {"decoder": decoder} | ({"n_leapfrog": 2} if decoder == "hamiltonian" else {})
    counter, edg = counted(**options)
    counter.take()
    target = edg.model.target
    gradients, energies = counter.take()
    # The search: 400 steps of 512 walkers and their start, each evaluated once more for the energy; then five
    # rounds of draws. Hamiltonian: 512 forces for the size of its first steps.
    search = 401 * 512
    assert target.n_gradient_calls == gradients == search + (512 if decoder == "hamiltonian" else 0)
    assert target.n_energy_calls == energies - search == 5 * 2000
    edg.fit(0, 3, batch_size=16, path_share=0.4, device="cpu", progress=False)
    fit_gradients, fit_energies = counter.take()
    check = 2  # of the energy before training, not counted
    target = edg.model.target
    assert target.n_gradient_calls == fit_gradients
    assert target.n_energy_calls == fit_energies - check - search
    a_step = {"mixture": 1, "hamiltonian": None}[decoder]
    if a_step:
        assert fit_gradients - gradients == 3 * 16 * a_step
    else:
        # 3 forces in the decoder; on pairs, in the encoder, the force at x and 3 in its decoder; the energy.
        assert fit_gradients - gradients == 3 * 16 * (3 + 2 * (1 + 3) + 1)


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("decoder", ["mixture", "hamiltonian"])
def test_datasets_tell_what_their_draws_have_cost(decoder, fitted):
    options = {"decoder": decoder} | ({"n_leapfrog": 2} if decoder == "hamiltonian" else {})
    counter, edg = counted(**options)
    if fitted:
        edg.fit(0, 2, batch_size=16, device="cpu", progress=False)
    else:
        edg.model  # noqa: B018
    counter.take()
    before = [edg.model.target.n_energy_calls, edg.model.target.n_gradient_calls]
    # A draw of the decoder: 3 forces. A step of the path: the force at x, and 3 in the decoder; K = 2. One
    # draw of ten is sent back, at the same price.
    a_draw = {"mixture": 0, "hamiltonian": 3 + 2 * (1 + 3)}[decoder]
    for _ in range(2):
        samples = edg.sample(50, seed=0, progress=False)
        gradients, energies = counter.take()
        assert gradients == 55 * a_draw
        assert samples.attrs["n_gradient_calls"] == before[1] + 55 * a_draw
        assert samples.attrs["n_energy_calls"] == sum(before) + 50 + 55 * a_draw
        # Weights and observables both evaluate it: once more than counted.
        assert energies == 2 * 50
    chain = edg.chain(40, seed=0, progress=False)
    assert chain.attrs["n_gradient_calls"] == before[1] + 88 * a_draw
    assert chain.attrs["n_energy_calls"] == sum(before) + 80 + 88 * a_draw
    edg.upper_bound(edg.chain(8, seed=0, keep=True, progress=False), seed=0)
    assert [edg.model.target.n_energy_calls, edg.model.target.n_gradient_calls] == before


# Training at other parameters, annealing.


@pytest.mark.statistical
def test_training_at_a_higher_temperature_leaves_the_weights_exact():
    system = DoubleWell(n_dims=1, tilt=0.4)
    edg = quick(system, train_at={"temperature": 2.0})
    found = estimate(edg.sample(8000, seed=15, n_anneal=0, progress=False))
    log_z = system.exact_results()["log_z"]
    assert_z(float(found["log_z"]), float(found["log_z_err"]), log_z, max_err=0.03)
    # The search saw the wider density.
    cold = EDG(system, **TINY).model.decoder.frames.roots.abs().max()
    assert float(edg.model.decoder.frames.roots.abs().max()) > 1.1 * float(cold)


def test_training_raises_the_bound():
    """One component for two overlapping wells: the networks must bend it."""
    system = DoubleWell(n_dims=1, barrier=1.5)
    options = TINY | {"n_components": 1, "decoder_size": (16, 1), "encoder_size": (16, 1), "n_path_steps": 4}
    edg = EDG(system, **options)
    before = estimate(edg.sample(4000, seed=16, progress=False))
    edg.fit(0, 150, batch_size=64, learning_rate=1e-2, annealing=0.2, device="cpu", progress=False)
    after = estimate(edg.sample(4000, seed=16, progress=False))
    log_z = system.exact_results()["log_z"]
    assert float(after["elbo"]) < log_z + 4.0 * float(after["elbo_err"])
    gap_before, gap_after = (log_z - float(found["elbo"]) for found in (before, after))
    assert gap_after < 0.6 * gap_before
    assert_z(float(after["log_z"]), float(after["log_z_err"]), log_z, max_err=0.03)


def test_weights_of_one_draw_do_not_depend_on_the_others():
    edg = case("many well")
    with torch.no_grad():
        draw = edg.model.draw(6, torch.Generator().manual_seed(17))
        density = edg.model.target.lift(draw.x, torch.Generator())[0]
        whole = edg.model.log_prob_given(draw.x, draw.z, draw.label)
        parts = [
            edg.model.log_prob_given(*(v[k : k + 1] for v in (draw.x, draw.z, draw.label))) for k in range(6)
        ]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-6, atol=1e-5)
    assert log_weights(edg.model, draw, density, 2, torch.Generator().manual_seed(0)).dtype == torch.float64
