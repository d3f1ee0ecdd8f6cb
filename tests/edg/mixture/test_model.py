# SPDX-License-Identifier: MIT
"""The model of a few variables: what it is at the start, in closed form, and weights that are always exact.

At the start decoder and encoder are exact for the Gaussian mixture q they stand on, so that every path gives
log w = log pi(x) - log q(x), sample by sample. With random weights, which nothing has trained, E[w] = Z must
still hold, for every number of steps, blocks and labels. Controls: a wrong temperature, weights of labels
left out, an encoder that is not normalised.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.continuous_edg import SYSTEMS, build, log_mixture, spread_mixture, two_wells
from helpers.edg import draw_weights, jackknife_log_mean, mean_err
from helpers.stats import assert_off, assert_z

from edgphys.edg.core import path
from edgphys.edg.core.bounds import continuous_bound, path_bound
from edgphys.edg.core.model import Draw, log_normal
from edgphys.edg.core.path import log_weights, reverse_log_weights
from edgphys.edg.mixture.model import ContinuousModel
from edgphys.edg.weights.ode import Flow, ode_log_weights
from edgphys.systems import Harmonic, ManyWell, Planar

STEPS = (1, 2, 8)


def harmonic(**options):
    return build(Harmonic(n_dims=3, ratio=3.0), spread_mixture(3, 1, 3), **options)


@torch.no_grad()
def drawn(model, n, seed=0):
    generator = torch.Generator(model.device).manual_seed(seed)
    draw = model.draw(n, generator)
    return draw, model.target.lift(draw.x, generator)[0], generator


# At the start: closed forms.


@pytest.mark.parametrize("n_steps", STEPS)
@pytest.mark.parametrize("name", ["harmonic 1", "harmonic 3", "double well", "many well 8"])
def test_start_weighs_every_draw_against_the_mixture(name, n_steps, device):
    (system, _), n_blocks, mixture = SYSTEMS[name]()
    model = build(system, mixture, n_blocks=n_blocks, device=device)
    draw, log_density, generator = drawn(model, 200)
    x = draw.x.double().cpu()
    found = log_weights(model, draw, log_density, n_steps, generator).cpu()
    blocks = log_mixture(mixture, x.reshape(len(x) * n_blocks, -1)).reshape(len(x), n_blocks)
    expected = -system.reduced_energy(x) - blocks.sum(1)
    torch.testing.assert_close(found, expected, rtol=0.0, atol=2e-4)
    assert float(expected.std()) > 0.05
    # The reverse weights of the same points are the same numbers.
    back = reverse_log_weights(model, draw.x, log_density, n_steps, generator).cpu()
    torch.testing.assert_close(back, expected, rtol=0.0, atol=2e-4)


def test_start_weighs_every_draw_against_the_mixture_by_the_flow_too():
    model = harmonic()
    draw, log_density, generator = drawn(model, 20)
    found = ode_log_weights(model, draw, log_density, generator, Flow(n_steps=32))
    x = draw.x.double()
    expected = -model.target.system.reduced_energy(x) - log_mixture(spread_mixture(3, 1, 3), x)
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-3)


@pytest.mark.parametrize("sigma", [0.05, 0.6, 1.0])
def test_start_knows_the_posterior_of_the_latents(sigma):
    """y = A z0 + s xi and z_t = alpha z0 + sigma eps: mean and variance of z0, number by number."""
    model = harmonic()
    draw, _, _ = drawn(model, 50)
    noisy = math.sqrt(1 - sigma**2) * draw.z + sigma * torch.randn(
        draw.z.shape, generator=torch.Generator().manual_seed(1)
    )
    alpha, wide = torch.full((50,), math.sqrt(1 - sigma**2)), torch.full((50,), sigma)
    with torch.no_grad():
        mean, variance = model.denoise(noisy, draw.x, alpha, wide, draw.label, None)
        y = model.decoder.frames.inward(draw.x, draw.label[:, 0])
    a, s = math.sqrt(0.7), math.sqrt(0.3)
    precision = 1.0 + (1 - sigma**2) / sigma**2 + a**2 / s**2
    expected = (math.sqrt(1 - sigma**2) * noisy / sigma**2 + a * y / s**2) / precision
    torch.testing.assert_close(mean, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(variance, torch.full_like(variance, 1 / precision), rtol=1e-4, atol=1e-7)


def test_start_gives_labels_their_responsibilities():
    mixture = spread_mixture(2, 2, 4)
    model = build(Harmonic(n_dims=2), mixture)
    x = torch.randn(30, 2, generator=torch.Generator().manual_seed(2))
    terms = torch.tensor(mixture.log_terms(x.double().numpy()))
    expected = torch.log_softmax(terms, 1).float()
    for c in range(4):
        label = torch.full((30, 1), c)
        found = model.log_prob_label(x, label).detach()
        torch.testing.assert_close(found, expected[:, c], rtol=1e-4, atol=1e-4)
    prior = [float(model.log_prior_label(torch.tensor([[c]])).detach()) for c in range(4)]
    np.testing.assert_allclose(np.exp(prior), mixture.weights, rtol=1e-5)


# Identities, whatever the weights of the networks.


@pytest.mark.parametrize("scale", [0.0, 0.2])
@pytest.mark.parametrize("name", ["harmonic 3", "many well 8"])
@pytest.mark.parametrize("n_leapfrog", [0, 2])
def test_density_of_a_draw_is_that_at_its_place(name, n_leapfrog, scale, device):
    (system, _), n_blocks, mixture = SYSTEMS[name]()
    if n_leapfrog and n_blocks > 1:
        mixture, n_blocks = spread_mixture(8, 3), 1
    options = {"n_blocks": n_blocks, "n_leapfrog": n_leapfrog, "scale": scale, "device": device}
    model = build(system, mixture, **options)
    draw, _, _ = drawn(model, 100)
    assert draw.label.shape == (100, n_blocks) and draw.z.shape == (100, model.n_latent)
    assert draw.log_prob.dtype == torch.float64
    with torch.no_grad():
        found = model.log_prob_given(draw.x, draw.z, draw.label)
    torch.testing.assert_close(found, draw.log_prob, rtol=1e-5, atol=2e-3)


@pytest.mark.parametrize("scale", [0.0, 0.3])
def test_labels_are_drawn_as_their_probabilities_say(scale):
    model = build(ManyWell(n_dims=4), two_wells(1.73, [0.8, 1.05]), n_blocks=2, scale=scale)
    x = torch.tensor([[0.3, 0.1, -0.2, 0.4]]).repeat(20_000, 1)
    label = model.draw_label(x, torch.Generator().manual_seed(3))
    assert label.shape == (20_000, 2)
    total = 0.0
    for first in range(2):
        for second in range(2):
            pair = torch.tensor([[first, second]])
            p = float(torch.exp(model.log_prob_label(x[:1], pair)).detach())
            share = float((label == pair).all(1).double().mean())
            assert_z(share, math.sqrt(p * (1 - p) / 20_000), p, n_tests=8, max_err=0.005)
            total += p
    assert total == pytest.approx(1.0, abs=1e-6)


def test_frames_go_out_and_back():
    mixture = spread_mixture(3, 4, 3)
    frames = build(Harmonic(n_dims=3), mixture).decoder.frames
    generator = torch.Generator().manual_seed(4)
    label = torch.arange(30) % 3
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        y = torch.randn(30, 3, generator=generator, dtype=dtype)
        x = frames.outward(y, label)
        assert x.dtype == dtype
        by_hand = mixture.means[label] + np.einsum("nij,nj->ni", mixture.factors[label], y.double().numpy())
        np.testing.assert_allclose(x.double().numpy(), by_hand, atol=tolerance)
        torch.testing.assert_close(frames.inward(x, label), y, rtol=0.0, atol=tolerance)
        every = frames.all_inward(x)
        torch.testing.assert_close(every[torch.arange(30), label], y, rtol=0.0, atol=tolerance)
    _, log_dets = np.linalg.slogdet(mixture.factors)
    np.testing.assert_allclose(frames.log_dets.numpy(), log_dets, rtol=1e-12)


def test_gaussian_encoder_does_not_see_the_noisy_latents():
    model = harmonic(diffusion=False, n_path_steps=1, scale=0.3)
    draw, _, _ = drawn(model, 20)
    one, other = torch.randn(2, 20, model.n_latent, generator=torch.Generator().manual_seed(7))
    sigma = torch.full((20,), 0.7)
    assert torch.equal(
        model.drive(one, draw.x, sigma, draw.label), model.drive(other, draw.x, sigma, draw.label)
    )
    seeing = harmonic(scale=0.3)
    assert not torch.equal(
        seeing.drive(one, draw.x, sigma, draw.label), seeing.drive(other, draw.x, sigma, draw.label)
    )


@pytest.mark.parametrize("n_leapfrog", [0, 2])
def test_gaussian_encoder_gives_the_weights_of_an_autoencoder(n_leapfrog):
    """log pi(x) p_E(c | x) N(z; m(x, c), v(x, c)) / p(c) p(z) p_D(x | z, c), draw by draw."""
    model = harmonic(diffusion=False, n_path_steps=1, scale=0.2, n_leapfrog=n_leapfrog)
    draw, log_density, generator = drawn(model, 50)
    found = log_weights(model, draw, log_density, 1, generator)
    ones = torch.ones(50)
    with torch.no_grad():
        mean, variance = model._drive(torch.zeros_like(draw.z), draw.x, ones, draw.label)
        variance = variance * torch.exp(model.path_log_variance[0])
        # In orthonormal axes, along which it is diagonal.
        error = model.project(draw.z - mean)
        posterior = torch.distributions.Normal(0.0, variance.sqrt()).log_prob(error).double().sum(1)
        flat = draw.label[:, 0]
        centre, log_sd = model.decoder.centre(draw.z, flat)
        roots = model.decoder.frames.roots[flat]
        law = torch.distributions.MultivariateNormal(
            model.decoder.frames.outward(centre, flat).double(),
            roots @ torch.diag_embed(torch.exp(2.0 * log_sd.double())) @ roots.mT,
        )
        prior = torch.log_softmax(model.label_logits, 0)[flat]
        expected = log_density + model.log_prob_label(draw.x, draw.label) + posterior
        expected -= law.log_prob(draw.x.double()) + log_normal(draw.z) + prior
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-3)


# E[w] = Z.


def mean_weight(model, n_steps):
    """log <w> and its error, to compare with log Z."""
    return jackknife_log_mean(draw_weights(model, 8000, n_steps, 8)[0])


@pytest.mark.statistical
@pytest.mark.parametrize("scale", [0.0, 0.15])
@pytest.mark.parametrize("n_steps", STEPS)
@pytest.mark.parametrize("name", SYSTEMS)
def test_weights_average_to_z(name, n_steps, scale, device):
    (system, log_z), n_blocks, mixture = SYSTEMS[name]()
    model = build(system, mixture, n_blocks=n_blocks, scale=scale, device=device)
    assert_z(*mean_weight(model, n_steps), log_z, n_tests=40, max_err=0.1)


@pytest.mark.statistical
@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize("name", ["harmonic 3", "many well 4"])
def test_weights_of_the_gaussian_encoder_average_to_z(name, n_steps):
    (system, log_z), n_blocks, mixture = SYSTEMS[name]()
    model = build(system, mixture, n_blocks=n_blocks, scale=0.1, diffusion=False, n_path_steps=1)
    assert_z(*mean_weight(model, n_steps), log_z, n_tests=40, max_err=0.1)


@pytest.mark.statistical
def test_reweighted_energy_is_exact():
    system = Harmonic(n_dims=3, ratio=3.0)
    log_w, x = draw_weights(harmonic(scale=0.1), 8000, 4, seed=9)
    weights = torch.softmax(log_w, 0)
    energy = system.reduced_energy(x) * system.temperature
    mean = float(weights @ energy)
    err = math.sqrt(float((weights**2) @ (energy - mean) ** 2))
    exact = system.exact_results()["energy"]
    assert_z(mean, err, exact, max_err=0.05)
    assert_off(*mean_err(energy), exact, least=5.0, max_err=0.05)


@pytest.mark.statistical
@pytest.mark.parametrize("wrong", ["temperature", "labels", "kernel", "frames"])
def test_wrong_weights_are_found(wrong, monkeypatch):
    """Of another temperature; labels left out; an encoder not normalised; volumes of the frames forgotten."""
    (system, log_z), n_blocks, mixture = SYSTEMS["double well"]()
    model = build(system, mixture, n_blocks=n_blocks, scale=0.1)
    assert_z(*mean_weight(model, 4), log_z, n_tests=40, max_err=0.05)
    if wrong == "temperature":
        log_z = system.replace(temperature=1.1).exact_results()["log_z"]
    elif wrong == "labels":
        monkeypatch.setattr(ContinuousModel, "log_prob_label", lambda self, x, label: torch.zeros(len(x)))
    elif wrong == "kernel":
        true = ContinuousModel.denoise

        def wider(*arguments):
            mean, variance = true(*arguments)
            return mean, 1.5 * variance

        monkeypatch.setattr(ContinuousModel, "denoise", wider)
        # A larger variance is another normalised kernel: no harm.
        assert_z(*mean_weight(model, 4), log_z, n_tests=40, max_err=0.05)
        ratio = path._log_ratio
        monkeypatch.setattr(path, "_log_ratio", lambda *arguments: ratio(*arguments) + 0.05)
    else:
        model.decoder.frames.log_dets += 0.1
    assert_off(*mean_weight(model, 4), log_z, least=4.75, max_err=0.05)


@pytest.mark.statistical
def test_bounds_from_both_sides_hold_log_z():
    system, log_z = SYSTEMS["harmonic 3"]()[0]
    model = harmonic(scale=0.05)
    lower, lower_err = mean_err(draw_weights(model, 4000, 4, seed=10)[0])
    x = (
        torch.randn(4000, 3, generator=torch.Generator().manual_seed(11))
        / torch.tensor(system._springs).sqrt()
    )
    x, log_density = model.target.lower(x.float(), torch.Generator())
    upper = reverse_log_weights(model, x, log_density, 4, torch.Generator().manual_seed(12))
    assert lower + 4 * lower_err < log_z < mean_err(upper)[0] - 4 * mean_err(upper)[1]
    # Their inverses average to 1 / Z.
    inverse, err = jackknife_log_mean(-upper)
    assert_z(-inverse, err, log_z, max_err=0.1)


# The bounds.


def bound_mean(bound, model, n_batches=60, n_batch=128, seed=13):
    generator = torch.Generator(model.device).manual_seed(seed)
    with torch.no_grad():
        return mean_err([float(bound(model, n_batch, generator).total) for _ in range(n_batches)])


BOUND_CASES = {
    "labels": ("harmonic 3", {"n_path_steps": 4}),
    "blocks": ("many well 4", {"n_path_steps": 4}),
    "one step": ("double well", {"n_path_steps": 1}),
    "gaussian": ("double well", {"n_path_steps": 1, "diffusion": False}),
    "hamiltonian": ("harmonic 3", {"n_path_steps": 2, "n_leapfrog": 2}),
}


@pytest.mark.statistical
@pytest.mark.parametrize("case", BOUND_CASES)
def test_path_bound_is_minus_the_mean_log_weight(case, device):
    name, options = BOUND_CASES[case]
    (system, _), n_blocks, mixture = SYSTEMS[name]()
    model = build(system, mixture, n_blocks=n_blocks, scale=0.12, device=device, **options)
    value, err = bound_mean(path_bound, model)
    log_w, _ = draw_weights(model, 8000, model.n_path_steps, seed=14)
    mean, mean_error = mean_err(log_w)
    assert_z(value + mean, math.hypot(err, mean_error), 0.0, n_tests=5, max_err=0.15)


@pytest.mark.statistical
@pytest.mark.parametrize("bound", [continuous_bound, path_bound])
@pytest.mark.parametrize("name", ["harmonic 3", "many well 4"])
def test_both_bounds_of_the_start_are_those_of_the_mixture(name, bound):
    """The encoder is exact: both are E_q[U + log q]."""
    (system, _), n_blocks, mixture = SYSTEMS[name]()
    model = build(system, mixture, n_blocks=n_blocks)
    value, err = bound_mean(bound, model, 100)
    x = mixture.draw(40_000 * n_blocks, np.random.default_rng(15)).reshape(40_000, -1)
    log_q = log_mixture(mixture, x.reshape(len(x) * n_blocks, -1)).reshape(len(x), n_blocks).sum(1)
    exact, exact_err = mean_err(system.reduced_energy(torch.tensor(x)) + log_q)
    assert_z(value - exact, math.hypot(err, exact_err), 0.0, n_tests=4, max_err=0.1)
    wrong = float(system.replace(temperature=2.0).reduced_energy(torch.tensor(x)).mean() + log_q.mean())
    assert_off(value - wrong, math.hypot(err, exact_err), 0.0, least=50.0, max_err=0.1)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["harmonic 3", "many well 4"])
def test_training_batches_average_as_draws_do(name):
    """Labels are drawn more evenly than their shares; without weights to undo it, averages are wrong."""
    (system, _), n_blocks, mixture = SYSTEMS[name]()
    model = build(system, mixture, n_blocks=n_blocks, scale=0.1)
    if n_blocks == 1:
        with torch.no_grad():
            model.label_logits += torch.tensor([3.0, 0.0, -3.0])
    generator = torch.Generator().manual_seed(16)
    with torch.no_grad():
        batches = [model.decode(64, generator) for _ in range(150)]
        draws = model.draw(10_000, generator)
        exact = mean_err(draws.x[:, 0])
    weighted = mean_err([float((batch.share * batch.x[:, 0]).mean()) for batch in batches])
    assert_z(weighted[0] - exact[0], math.hypot(weighted[1], exact[1]), 0.0, n_tests=4, max_err=0.05)
    shares = [float(batch.share.mean()) for batch in batches]
    assert np.mean(shares) == pytest.approx(1.0, abs=0.01)
    if n_blocks == 1:
        plain = mean_err([float(batch.x[:, 0].mean()) for batch in batches])
        assert_off(plain[0] - exact[0], math.hypot(plain[1], exact[1]), 0.0, least=5.0, max_err=0.05)
        # Every label gets its least share of each batch.
        least = 0.2 / 3 * 64
        for batch in batches:
            assert np.bincount(batch.label[:, 0], minlength=3).min() >= math.floor(least)


def test_draws_are_records_of_the_model():
    model = harmonic()
    draw, _, _ = drawn(model, 5)
    assert isinstance(draw, Draw) and model.device == torch.device("cpu")
    again, _, _ = drawn(model, 5)
    other, _, _ = drawn(model, 5, seed=1)
    assert torch.equal(draw.x, again.x) and not torch.equal(draw.x, other.x)


@pytest.mark.parametrize("n_leapfrog", [0, 2])
def test_training_reaches_every_parameter(n_leapfrog):
    model = build(Planar("mog2"), two_wells(1.0, [1.5, 1.0]), scale=0.05, n_leapfrog=n_leapfrog)
    generator = torch.Generator().manual_seed(17)
    (continuous_bound(model, 32, generator).total + path_bound(model, 32, generator).total).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and float(parameter.grad.abs().max()) > 0.0, name
