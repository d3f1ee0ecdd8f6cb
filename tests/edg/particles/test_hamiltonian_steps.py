# SPDX-License-Identifier: MIT
"""Hamiltonian steps behind the particles decoder: undone exactly, volume, symmetry, weights, training."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from helpers.edg import draw_weights, jackknife_log_mean, mean_err, perturb
from helpers.stats import assert_off, assert_z

import edgphys as ep
from edgphys.edg.core.model import log_normal
from edgphys.edg.core.path import reverse_log_weights
from edgphys.edg.particles.hamiltonian_steps import HamiltonianSteps
from edgphys.edg.particles.model import ParticleModel, carried_bound
from edgphys.edg.targets.continuous import ContinuousTarget, PhaseSpaceTarget

PAIR = ep.DoubleWellParticles(n_particles=2, temperature=4.0, offset=2.0)
LOG_Z = PAIR.exact_results()["log_z"]
SIZES = {"n_path_steps": 4, "decoder_size": (3, 2), "encoder_size": (4, 1)}


def generator(seed):
    return torch.Generator().manual_seed(seed)


def make_steps(system, n_steps=3, scale=0.3, seed=0):
    steps = HamiltonianSteps(system.gradient, n_steps, 5.0)
    return perturb(steps, scale, seed).double()


def make_model(system, n_leapfrog, *, scale=0.02, noise=0.1):
    model = ParticleModel(ContinuousTarget(system), seed=0, noise=noise, n_leapfrog=n_leapfrog, **SIZES)
    return perturb(model, scale, 1).double()


def points(system, n, seed):
    return torch.from_numpy(system.random_configurations(n, np.random.default_rng(seed)))


@torch.no_grad()
@pytest.mark.parametrize("system", [ep.DoubleWellParticles(), ep.LennardJones(n_particles=4, core=0.9)])
def test_steps_are_undone(system):
    steps, x = make_steps(system), points(system, 6, 1)
    phase, log_prob = steps(x, generator(2))
    back, log_prob_back = steps.back(phase)
    assert (phase[:, : x.shape[1]] - x).abs().max() > 0.1
    torch.testing.assert_close(back, x, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(log_prob_back, log_prob, rtol=1e-9, atol=1e-9)


def test_volume_is_that_of_the_jacobian():
    system = ep.DoubleWellParticles(n_particles=3)
    steps, x = make_steps(system, n_steps=2), points(system, 1, 3)
    with torch.no_grad():
        phase, log_prob = steps(x, generator(4))
    momenta = torch.randn(2, 1, x.shape[1], generator=generator(4), dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda flat: _undone(steps, flat), phase[0])
    expected = log_normal(momenta.flatten()[None]) + torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(log_prob, expected, rtol=1e-9, atol=1e-9)
    # Negative control: it is not a map that keeps the volume.
    assert abs(torch.linalg.slogdet(jacobian)[1]) > 0.01


def _undone(steps, flat):
    """(x_0, v_1 .. v_K) of one phase-space point, by the definition, one step after the other."""
    y, *ends = flat[None].chunk(steps.n_steps + 1, 1)
    starts = []
    for k in reversed(range(steps.n_steps)):
        step, scale = torch.exp(steps.log_step[k]), torch.exp(2.0 * torch.tanh(steps.log_momentum[k] / 2.0))
        kick = 0.5 * step * torch.exp(2.0 * torch.tanh(steps.log_force[k] / 2.0))
        v = ends[k] / scale + kick * steps.force(y)
        y = y - step * v
        starts.insert(0, v + kick * steps.force(y))
    return torch.cat([y, *starts], 1)[0]


@torch.no_grad()
def test_steps_and_weights_commute_with_permutations_and_orthogonal_maps():
    system = ep.DoubleWellParticles()
    model = make_model(system, 2)
    draw = model.draw(3, generator(1))
    q = torch.linalg.qr(torch.randn(2, 2, generator=generator(5), dtype=torch.float64))[0]

    def turned(y, order):
        rows = y.view(len(y), -1, model.n_latent)
        images = [model.decoder.flat(model.decoder.points(row)[:, order] @ q) for row in rows.unbind(1)]
        return torch.stack(images, 1).flatten(1)

    expected = model.log_prob_given(draw.x, draw.z, draw.label)
    origin = model.steps.back(draw.x)[0]
    for order in map(list, itertools.permutations(range(4))):
        moved = turned(draw.x, order)
        torch.testing.assert_close(model.steps.back(moved)[0], turned(origin, order), rtol=1e-9, atol=1e-9)
        found = model.log_prob_given(moved, turned(draw.z, order), draw.label)
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(model.target.energy(moved), model.target.energy(draw.x))
    # Negative control: positions turned, momenta left.
    half = torch.cat([turned(draw.x[:, :6], [1, 0, 2, 3]), draw.x[:, 6:]], 1)
    assert (model.steps.back(half)[0] - turned(origin, [1, 0, 2, 3])).abs().max() > 1e-3


@pytest.mark.statistical
@pytest.mark.parametrize("scale", [0.0, 0.02])
def test_weights_of_an_untrained_model_average_to_z(scale):
    model = make_model(PAIR, 3, scale=scale)
    log_w, _ = draw_weights(model, 10_000, 4, seed=3, n_batch=5000)
    estimate, err = jackknife_log_mean(log_w)
    assert_z(estimate, err, LOG_Z, n_tests=2, max_err=0.03)
    # Negative control: the density of the momenta left out on one side.
    momenta = 0.5 * 3 * PAIR.n_variables * (1.0 + np.log(2.0 * np.pi))
    assert_off(estimate + momenta, err, LOG_Z, least=5.0, max_err=0.03)


@torch.no_grad()
def test_density_of_a_draw_is_found_again():
    model = make_model(PAIR, 3)
    draw = model.draw(50, generator(2))
    given = model.log_prob_given(draw.x, draw.z, draw.label)
    torch.testing.assert_close(given, draw.log_prob, rtol=1e-8, atol=1e-8)
    log_density, configurations = model.target.lift(draw.x, generator(0))
    torch.testing.assert_close(log_density, -model.target.energy(draw.x))
    # `lower` draws momenta of its own, with their density.
    x, lowered = model.target.lower(configurations, generator(3))
    momenta = log_normal(draw.x[:, PAIR.n_variables :]) - log_normal(x[:, PAIR.n_variables :])
    torch.testing.assert_close(log_density - lowered, momenta)
    assert momenta.abs().min() > 1e-6


@pytest.mark.slow
@pytest.mark.statistical
def test_reference_draws_bound_log_z_from_above():
    model = make_model(PAIR, 2)
    chains = ep.mcmc.run(PAIR, "hmc", n_sweeps=15_000, n_chains=2, thin=5, seed=1, keep=True)
    rows = chains["configurations"].to_numpy().reshape(6000, -1)
    with torch.no_grad():
        x, log_density = model.target.lower(torch.from_numpy(rows), generator(1))
        log_w = reverse_log_weights(model, x, log_density, 4, generator(2))
    # The mean of 1 / w has no finite variance here: a Gaussian cloud falls off more slowly than the density.
    excess, err = mean_err(log_w - LOG_Z)
    assert excess > 5.0 * err
    # Negative control: the density of the momenta at the ends of the steps left out.
    assert excess - 0.5 * 2 * PAIR.n_variables * (1.0 + np.log(2.0 * np.pi)) < -5.0 * err


def test_energies_and_forces_are_counted():
    model = make_model(PAIR, 3)
    assert isinstance(model.target, PhaseSpaceTarget)
    model.target.n_energy_calls = model.target.n_gradient_calls = 0
    with torch.no_grad():
        model.draw(7, generator(0))
    assert (model.target.n_energy_calls, model.target.n_gradient_calls) == (0, 7 * 4)
    carried_bound(model, 5, generator(0))
    assert model.target.n_gradient_calls == 7 * 4 + 5 * 4 + 5


@pytest.mark.slow
def test_training_moves_the_steps_and_raises_the_bound():
    edg = ep.EDG(PAIR, train_at={}, n_leapfrog=2, decoder_size=(3, 2), encoder_size=(4, 1))
    before = float(ep.estimate(edg.sample(2000, seed=1, progress=False))["elbo"])
    start = edg.model.steps.log_step.detach().clone()
    edg.fit(seed=0, n_steps=100, batch_size=64, progress=False)
    after = float(ep.estimate(edg.sample(2000, seed=1, progress=False))["elbo"])
    assert not torch.equal(edg.model.steps.log_step.detach(), start)
    assert before < after < LOG_Z + 0.05


@pytest.mark.slow
def test_saved_model_anneals_to_the_same_draws(tmp_path):
    system = ep.LennardJones(n_particles=3)
    edg = ep.EDG(system, n_leapfrog=2, decoder_size=(3, 2), encoder_size=(4, 1))
    edg.fit(seed=0, n_steps=3, batch_size=16, progress=False)
    edg.save(tmp_path / "edg.pt")
    draws = [
        one.sample(50, seed=2, n_anneal=5, keep=True, progress=False)
        for one in (edg, ep.EDG.load(tmp_path / "edg.pt"))
    ]
    np.testing.assert_array_equal(draws[0]["configurations"], draws[1]["configurations"])
    np.testing.assert_array_equal(draws[0]["log_weight_joint"], draws[1]["log_weight_joint"])
    assert draws[0]["configurations"].shape == (50, 3, 3)


def test_number_of_steps_is_checked():
    with pytest.raises(ValueError, match="n_leapfrog"):
        ep.EDG(ep.DoubleWellParticles(), n_leapfrog=-1)
