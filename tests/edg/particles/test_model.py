# SPDX-License-Identifier: MIT
"""The particle model: exact weights untrained, symmetry to rounding, bounds below the exact log Z."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from helpers.edg import draw_weights, jackknife_log_mean, mean_err, perturb
from helpers.stats import assert_off, assert_z

from edgphys.edg.core.bounds import continuous_bound, path_bound
from edgphys.edg.core.model import log_normal
from edgphys.edg.core.path import log_weights
from edgphys.edg.core.training import TrainingSettings, train
from edgphys.edg.particles import model as particle_model
from edgphys.edg.particles.model import ParticleModel, carried_bound
from edgphys.edg.sampler import EDG
from edgphys.edg.targets.continuous import ContinuousTarget
from edgphys.estimators.estimate import estimate
from edgphys.systems.particles.double_well_particles import DoubleWellParticles
from edgphys.systems.particles.lennard_jones import LennardJones

# Two particles in the plane, a shallow well: a short way from a Gaussian cloud.
PAIR = DoubleWellParticles(n_particles=2, temperature=4.0, offset=2.0)
LOG_Z = PAIR.exact_results()["log_z"]
SIZES = {"n_path_steps": 4, "decoder_size": (3, 2), "encoder_size": (4, 1)}


def generator(seed):
    return torch.Generator().manual_seed(seed)


def make_model(system, *, scale=0.02, seed=0, noise=0.1):
    model = ParticleModel(ContinuousTarget(system), seed=seed, noise=noise, **SIZES)
    return perturb(model, scale, seed + 1).double()


def rotated(model, y, order, q):
    """y with its particles reordered and space turned."""
    points = model.decoder.points(y)
    return model.decoder.flat(points[:, order] @ q)


def orthogonal(n_axes, seed, reflect):
    q = torch.linalg.qr(torch.randn(n_axes, n_axes, generator=generator(seed), dtype=torch.float64))[0]
    return torch.cat([-q[:, :1], q[:, 1:]], 1) if (torch.linalg.det(q) < 0) != reflect else q


@pytest.mark.statistical
@pytest.mark.parametrize(("n_steps", "scale"), [(1, 0.0), (4, 0.02)])
def test_weights_of_an_untrained_model_average_to_z(n_steps, scale):
    model = make_model(PAIR, scale=scale)
    log_w, _ = draw_weights(model, 10_000, n_steps, seed=3, n_batch=5000)
    estimate, err = jackknife_log_mean(log_w)
    assert_z(estimate, err, LOG_Z, n_tests=2, max_err=0.03)
    assert log_w.mean() < LOG_Z
    # Negative control: the Jacobian of the carried noise left out.
    assert_off(estimate + model.n_latent * 0.1, err, LOG_Z, least=5.0, max_err=0.03)


@pytest.mark.parametrize(
    ("system", "orders"),
    [
        (DoubleWellParticles(), list(itertools.permutations(range(4)))),
        (LennardJones(n_particles=5), list(itertools.permutations(range(5)))),
    ],
    ids=["dw4", "lj5"],
)
def test_symmetric_under_every_permutation_and_orthogonal_maps(system, orders):
    model = make_model(system)
    n_axes, label = system.n_axes, torch.zeros(2, dtype=torch.int64)
    with torch.no_grad():
        draw = model.draw(2, generator(1))
        sigma = torch.linspace(0.2, 0.9, 2, dtype=torch.float64)
        alpha, z_t = torch.sqrt(1 - sigma**2), draw.z.roll(1, 0)
        step = torch.arange(2)

        def outputs(z, x):
            mean, variance = model.denoise(z, x, alpha, sigma, label, step)
            return model.decoder.centre(z), model.drive(z, x, sigma, label), mean, variance

        expected, log_prob = outputs(z_t, draw.x), model.log_prob_given(draw.x, draw.z, label)
        tight = {"rtol": 1e-9, "atol": 1e-9}
        for k, order in enumerate(orders):
            q = orthogonal(n_axes, k, reflect=bool(k % 2))
            z, x = rotated(model, z_t, order, q), rotated(model, draw.x, order, q)
            found = outputs(z, x)
            for name in range(3):
                torch.testing.assert_close(found[name], rotated(model, expected[name], order, q), **tight)
            torch.testing.assert_close(found[3], expected[3], **tight)
            same = model.log_prob_given(x, rotated(model, draw.z, order, q), label)
            torch.testing.assert_close(same, log_prob, **tight)
        # Negative control: only z is reordered.
        order, q = orders[1], torch.eye(n_axes, dtype=torch.float64)
        wrong = outputs(rotated(model, z_t, order, q), draw.x)[1]
        assert (wrong - rotated(model, expected[1], order, q)).abs().max() > 1e-3


def test_log_weights_are_invariant(monkeypatch):
    system = DoubleWellParticles()
    model = make_model(system)
    with torch.no_grad():
        draw = model.draw(5, generator(2))
    plain, values = torch.randn, []
    for k, order in enumerate([range(4), *list(itertools.permutations(range(4)))[1::5]]):
        q = orthogonal(2, k, reflect=bool(k % 2))
        z, x = rotated(model, draw.z, order, q), rotated(model, draw.x, order, q)
        with torch.no_grad():
            log_prob = model.log_prob_given(x, z, draw.label)
        moved = type(draw)(z, draw.label, x, log_prob)
        noise = plain((4, 5, model.n_latent), generator=generator(9), dtype=torch.float64)
        queue = iter([rotated(model, row, order, q) for row in noise])
        monkeypatch.setattr("edgphys.edg.core.path.torch.randn", lambda *_, queue=queue, **__: next(queue))
        values.append(log_weights(model, moved, -system.reduced_energy(x), 4, generator(0)))
        monkeypatch.undo()
    for value in values[1:]:
        torch.testing.assert_close(value, values[0], rtol=1e-9, atol=1e-7)
    assert (values[0] - values[0].roll(1)).abs().min() > 1e-3


def test_draw_has_the_density_it_says():
    model = make_model(DoubleWellParticles(n_particles=3))
    with torch.no_grad():
        draw = model.draw(20, generator(4))
        torch.testing.assert_close(draw.log_prob, model.log_prob_given(draw.x, draw.z, draw.label))
        assert (model.log_prob_given(draw.x, draw.z.roll(1, 0), draw.label) < draw.log_prob).all()


def test_drive_is_exact_for_a_linear_decoder():
    """The exact encoder H = A^T (s^2 + sigma^2 A A^T)^{-1} (x - alpha A z), here with A = a and noise a s."""
    model = make_model(DoubleWellParticles(n_particles=3), scale=0.0)
    a, s = torch.exp(model.decoder.log_amplitude), model.decoder.noise
    with torch.no_grad():
        draw = model.draw(7, generator(5))
        sigma = torch.linspace(0.0, 1.0, 7, dtype=torch.float64)
        z, wide = draw.z.flip(0), sigma[:, None]
        expected = a * (draw.x - torch.sqrt(1 - wide**2) * a * z) / ((a * s) ** 2 + (wide * a) ** 2)
        found = model.drive(z, draw.x, sigma, draw.label)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
        # There the weights of any path are those of the Gaussian itself.
        log_w = log_weights(model, draw, torch.zeros(7, dtype=torch.float64), 5, generator(6))
        variance = a**2 * (1 + s**2)
        gaussian = log_normal(draw.x / torch.sqrt(variance)) - 0.5 * model.n_latent * torch.log(variance)
        torch.testing.assert_close(log_w, -gaussian, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.statistical
def test_bounds_agree():
    """Minus the path bound is the mean log weight; with carried noise of width s the closed form is near."""
    model = make_model(PAIR, scale=0.0, noise=0.1)
    with torch.no_grad():
        log_w, _ = draw_weights(model, 4000, 4, seed=8)
        mean, mean_error = mean_err(log_w)
        for bound in (carried_bound, path_bound, continuous_bound):
            values = [-float(bound(model, 256, generator(k)).total) for k in range(40)]
            estimate, err = mean_err(values)
            if bound is carried_bound:  # tamed: an upper limit only
                assert estimate > mean - 4 * mean_error
            else:
                assert_z(estimate, float(np.hypot(err, mean_error)), mean, n_tests=2, max_err=0.5)
                assert_off(estimate + 2.5, float(np.hypot(err, mean_error)), mean, least=5.0, max_err=0.5)


@pytest.mark.slow
def test_training_approaches_the_exact_log_z():
    """Two particles: the decoder is flexible enough for nearly even weights."""
    target = ContinuousTarget(PAIR)
    model = ParticleModel(target, n_path_steps=4, decoder_size=(2, 3), encoder_size=(4, 1), seed=0)
    before, _ = draw_weights(model, 2000, 4, seed=1, n_batch=1000)
    settings = {"n_steps": 100, "batch_size": 128, "learning_rate": 1e-2, "path_share": 0.0, "seed": 0}
    settings |= {"max_gradient": 5.0, "averaging": 0.9, "patience": 10_000}
    names = TrainingSettings.__dataclass_fields__
    settings |= {"annealing": 0.0} if "annealing" in names else {}
    train(model, TrainingSettings(**settings), carried_bound, path_bound)
    after, _ = draw_weights(model, 2000, 4, seed=1, n_batch=1000)
    share = [float(1 / (2000 * torch.softmax(log_w, 0).square().sum())) for log_w in (before, after)]
    assert share[1] > max(0.8, share[0])
    assert_z(*jackknife_log_mean(after), LOG_Z, max_err=0.03)


@pytest.mark.slow
def test_layers_do_not_fold_where_few_latents_go():
    # The encoder would put mass on the other side of a fold, which no draw meets, and log_z would be low.
    edg = EDG(LennardJones(2, n_axes=2, pair_count=2), decoder="particles").fit(0, 100, progress=False)
    line = torch.linspace(0.0, 3.8, 381)[:, None] * torch.tensor(
        [[1.0, 0.0]]
    )  # one latent of 1400 lies beyond
    with torch.no_grad():
        assert (edg.model.decoder.centre(line)[:, 0].diff() > 0.0).all()
    found, exact = estimate(edg.sample(4000, 1, n_anneal=0, progress=False)), edg.system.exact_results()
    assert_z(float(found.log_z), float(found.log_z_err), exact["log_z"], max_err=0.02)


def test_a_fold_in_the_tails_has_its_price(monkeypatch):
    model = make_model(PAIR, scale=0.0)
    basis = model.decoder.flows[0].basis
    # A steep law at |z| = 3.5: hardly one of these draws comes there.
    distance = 3.5 * math.sqrt(2.0) * math.exp(model.decoder.log_amplitude.item())
    place = int((basis.centres - distance).abs().argmin())
    with torch.no_grad():
        model.decoder.flows[0].pair[place, 0] = -20.0
        z = torch.randn(64, 2, generator=generator(1), dtype=torch.float64)
        rests = []
        for width in (4.0, 0.0):
            monkeypatch.setattr(particle_model, "_GUARD_WIDTH", width)
            rests.append(float(model.decode(64, generator(1)).rest))
        assert model.decoder.excess(z[z.norm(dim=1) < 1.5]).max() == 0.0
    assert rests[0] > rests[1] + 10.0


def test_state_dict_brings_a_model_back():
    system = DoubleWellParticles(n_particles=3)
    model, other = make_model(system), make_model(system, seed=5)
    draws = [one.draw(4, generator(0)).x.detach() for one in (model, other)]
    assert not torch.allclose(*draws)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.draw(4, generator(0)).x, draws[0])


def test_preimage_is_kept_only_while_weights_and_x_stay():
    model = make_model(DoubleWellParticles(n_particles=3))
    x = model.draw(4, generator(0)).x.detach()
    first = model._preimage(x)
    assert model._preimage(x) is first
    perturb(model.decoder, 0.01, 3)
    assert not torch.equal(model._preimage(x), first)
    x.mul_(1.01)
    assert not torch.equal(model._preimage(x), first)


def test_singular_energy_is_trained_soft_and_weighed_true():
    system = LennardJones(n_particles=3)
    target = ContinuousTarget(system, {"core": 0.8})
    model = ParticleModel(target, seed=0, **SIZES)
    draw = model.draw(50, generator(0))
    assert torch.isfinite(carried_bound(model, 50, generator(1)).total)
    log_density, _ = target.lift(draw.x, generator(2))
    torch.testing.assert_close(log_density, -system.reduced_energy(draw.x.double()))


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="noise must be positive, got 0"):
        ParticleModel(ContinuousTarget(PAIR), seed=0, noise=0.0, **SIZES)
