# SPDX-License-Identifier: MIT
"""`EDG` for continuous systems from the outside: exact results, datasets, counts of evaluations, annealing.

Small networks, a few training steps or none: exactness may not depend on them. Oracles are quadratures and
closed forms of the systems. Control: another temperature.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import xarray as xr
from helpers.samplers import (
    CONTINUOUS,
    TINY_MIXTURE,
    case,
    exact,
    quick_mixture,
    short_search,
)
from helpers.stats import assert_off, assert_z

import lattices
from edgphys import dataset
from edgphys.edg import EDG
from edgphys.edg.core.path import log_weights
from edgphys.estimators import estimate
from edgphys.systems import (
    DoubleWell,
    DoubleWellParticles,
    LennardJones,
    Phi4,
    Potential,
)

__all__ = ["short_search"]  # a fixture for all tests here


# Exact results.


@pytest.mark.statistical
@pytest.mark.parametrize("name", CONTINUOUS)
def test_draws_give_the_exact_results(name):
    edg = case(name)
    found = estimate(edg.sample(8000, seed=1, progress=False))
    limits = {"log_z": 0.03, "energy": 0.03 * edg.system.temperature * edg.system.n_variables}
    for key, limit in limits.items():
        pair = float(found[key]), float(found[f"{key}_err"])
        assert_z(*pair, exact(name)[key], n_tests=2 * len(CONTINUOUS), max_err=limit)
    assert float(found["elbo"]) < exact(name)["log_z"] + 4.0 * float(found["elbo_err"])
    # Of a temperature a tenth higher.
    wrong = edg.system.replace(temperature=1.1 * edg.system.temperature).exact_results()
    assert_off(float(found["log_z"]), float(found["log_z_err"]), wrong["log_z"], least=15.0, max_err=0.03)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["double well 1", "hamiltonian", "many well"])
def test_flow_weights_give_the_same_log_z(name):
    found = estimate(case(name).sample(1500, seed=8, weights="ode", n_ode_steps=8, progress=False))
    assert_z(float(found["log_z"]), float(found["log_z_err"]), exact(name)["log_z"], n_tests=3, max_err=0.1)


@pytest.mark.slow
def test_flow_weights_reach_every_gradient():
    """Closed forms, autograd, lattices: finite, and near the path weights of the same draws."""
    potential = Potential(lambda x: (x**2 - 1.0).square().sum(1), n_dims=2, centres=[(1, 1), (-1, -1)])
    lattice = Phi4(lattices.build("chain", (4,)), kappa=0.2, lam=0.1)
    for system, divergences in ((potential, ("exact", "hutchinson")), (lattice, ("exact",))):
        edg = EDG(system, decoder="hamiltonian", **TINY_MIXTURE | {"n_leapfrog": 1})
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
    models = [quick_mixture(edg.system, seed).model.state_dict() for seed in (0, 0, 1)]
    assert all(torch.equal(models[0][key], models[1][key]) for key in models[0])
    assert not torch.equal(models[0]["decoder.frames.means"], models[2]["decoder.frames.means"])


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
    return counter, EDG(Potential(counter, n_dims=2), **TINY_MIXTURE | {"n_components": 1} | options)


@pytest.mark.parametrize("decoder", ["mixture", "hamiltonian"])
def test_gradients_of_search_and_training_are_counted_one_by_one(decoder):
    options = {"decoder": decoder} | ({"n_leapfrog": 2} if decoder == "hamiltonian" else {})
    counter, edg = counted(**options)
    counter.take()
    target = edg.model.target
    gradients, energies = counter.take()
    # The search: 400 steps of 512 walkers and their start, each evaluated once more for the energy; then five
    # rounds of draws, and for the wide components three times 4000. Hamiltonian: 512 forces for the size of
    # its first steps.
    search, wide = 401 * 512, 3 * 4000
    assert target.n_gradient_calls == gradients == search + (512 if decoder == "hamiltonian" else 0)
    assert target.n_energy_calls == energies - search == 5 * 2000 + wide
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
    # draw of ten is sent back, four times moved by short chains, at the same price; chains have their own.
    a_draw = {"mixture": 0, "hamiltonian": 3 + 2 * (1 + 3)}[decoder]
    for _ in range(2):
        samples = edg.sample(50, seed=0, n_views=1, progress=False)
        gradients, energies = counter.take()
        sent = samples.attrs["n_sent_back"]
        assert sent == 20 and gradients == 70 * a_draw + samples.attrs["n_check_calls"] - sent
        assert samples.attrs["n_gradient_calls"] == before[1] + 70 * a_draw
        assert samples.attrs["n_energy_calls"] == sum(before) + 50 + 70 * a_draw
        # Weights and observables both evaluate it: once more than counted.
        assert energies == 2 * 50 + sent
    counter.take()
    views = edg.sample(50, seed=0, n_views=3, progress=False)
    assert counter.take()[1] == (2 + 2) * 50 + sent
    assert views.attrs["n_energy_calls"] == views.attrs["n_gradient_calls"] + before[0] + 3 * 50
    chain = edg.chain(40, seed=0, n_views=1, progress=False)
    assert chain.attrs["n_gradient_calls"] == before[1] + 88 * a_draw
    assert chain.attrs["n_energy_calls"] == sum(before) + 80 + 88 * a_draw
    edg.upper_bound(edg.chain(8, seed=0, keep=True, progress=False), seed=0)
    assert [edg.model.target.n_energy_calls, edg.model.target.n_gradient_calls] == before


# Training at other parameters, annealing.


@pytest.mark.statistical
def test_training_at_a_higher_temperature_leaves_the_weights_exact():
    system = DoubleWell(n_dims=1, tilt=0.4)
    edg = quick_mixture(system, train_at={"temperature": 2.0})
    found = estimate(edg.sample(8000, seed=15, n_anneal=0, progress=False))
    log_z = system.exact_results()["log_z"]
    assert_z(float(found["log_z"]), float(found["log_z_err"]), log_z, max_err=0.03)
    # The search saw the wider density.
    hot, cold = (
        float((each.model.decoder.bent.is_bent[..., None] * each.model.decoder.frames.roots).abs().max())
        for each in (edg, EDG(system, **TINY_MIXTURE))
    )
    assert hot > 1.1 * cold


@pytest.mark.slow
def test_training_raises_the_bound():
    """One component for two overlapping wells: the networks must bend it."""
    system = DoubleWell(n_dims=1, barrier=1.5)
    options = TINY_MIXTURE | {
        "n_components": 1,
        "decoder_size": (16, 1),
        "encoder_size": (16, 1),
        "n_path_steps": 4,
    }
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
