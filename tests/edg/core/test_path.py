# SPDX-License-Identifier: MIT
r"""Path weights are unbiased for every K and every network: E[w] = Z, checked on systems with an exact Z.

Untrained networks and networks with random weights; K = 1, 4, 16; several seeds. Couplings are such that the
weights have a moderate variance (the ESS is asserted), so that a jackknife z-score means something. Backward
weights of exact samples fulfil E[1/w] = 1/Z and bound ln Z from above. Negative controls drop one factor.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.edg import (
    boltzmann,
    boltzmann_spins,
    draw_weights,
    jackknife_log_mean,
    make_model,
    mean_err,
    perturb,
)
from helpers.stats import assert_off, assert_z
from helpers.targets import TARGETS, ess, exact_log_z, ising

from edgphys.edg.core import path
from edgphys.edg.core.path import reverse_log_weights
from edgphys.edg.field.model import EDGModel
from edgphys.edg.targets.ising import IsingDecimationTarget

STEPS = [1, 4, 16]
# Of the random weights. At 0.05 some networks make the decoder narrower than the target: the weights are
# still unbiased (10^5 draws), but so heavy-tailed that a z-score of 10^4 means little.
SCALES = [0.0, 0.03]
N_TESTS = len(TARGETS) * len(STEPS) * len(SCALES)


@pytest.mark.statistical
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n_steps", [1, 4, pytest.param(16, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", TARGETS)
def test_mean_weight_is_z(name, n_steps, scale, device):
    target = TARGETS[name]()
    log_z = exact_log_z(target)
    for seed in range(2):
        model = make_model(target, scale=scale, seed=seed, device=device)
        log_w, _ = draw_weights(model, 4000, n_steps, seed=100 + seed)
        assert log_w.dtype == torch.float64
        assert ess(log_w) > 0.15, ess(log_w)
        assert_z(*jackknife_log_mean(log_w), log_z, n_tests=2 * N_TESTS, max_err=0.04)
        elbo, err = mean_err(log_w)
        assert elbo - 4.0 * err < log_z


@pytest.mark.slow
@pytest.mark.statistical
def test_many_seeds_together(device):
    """20 random networks, one z-score each: their mean is zero, not only each of them small."""
    target = TARGETS["square"]()
    log_z, scores = exact_log_z(target), []
    for seed in range(20):
        model = make_model(target, scale=0.03, seed=seed, device=device)
        estimate, err = jackknife_log_mean(draw_weights(model, 4000, 4, seed=seed)[0])
        scores.append((estimate - log_z) / err)
    assert_z(float(np.mean(scores)), 20**-0.5, 0.0, max_err=0.3)


@pytest.mark.slow
@pytest.mark.statistical
def test_calibration_of_the_scores():
    """200 seeds of one untrained model: z-scores of mean zero and variance one."""
    target = TARGETS["square"]()
    log_z, model = exact_log_z(target), make_model(target)
    scores = []
    for seed in range(200):
        estimate, err = jackknife_log_mean(draw_weights(model, 2000, 4, seed=seed, n_batch=2000)[0])
        scores.append((estimate - log_z) / err)
    assert_z(float(np.mean(scores)), 200**-0.5, 0.0, n_tests=2, max_err=0.1)
    assert_z(float(np.var(scores)), (2 / 200) ** 0.5, 1.0, n_tests=2, max_err=0.11)


@pytest.mark.statistical
def test_weighted_observables(device):
    """The configurations carry the weights: <energy> and <|m|> by enumeration."""
    target = TARGETS["antiferromagnet"]()
    model = make_model(target, scale=0.03, device=device)
    log_w, spins = draw_weights(model, 16000, 4, seed=3)
    states, probabilities, log_z = boltzmann(target.system)
    for function in (
        target.system.energy,
        lambda s: s.reshape(-1, 9).mean(1),
        lambda s: s.reshape(-1, 9)[:, 0],
    ):
        exact = float(probabilities @ function(states))
        assert_z(*mean_err(torch.exp(log_w - log_z) * (function(spins) - exact)), 0.0, n_tests=3, max_err=0.1)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["square", "phi4 broken"])
def test_more_steps_tighten_the_bound(name, device):
    """At the linear theory of the start: coarse paths lose information about z_0."""
    model = make_model(TARGETS[name](), device=device)
    (one, err1), (many, err2) = (mean_err(draw_weights(model, 8000, k, seed=4)[0]) for k in (1, 16))
    assert many > one - 4.0 * math.hypot(err1, err2)


BACKWARD = ["square", "square in a field", "antiferromagnet", "triangular"]


def exact_backward(model, n, n_steps, seed):
    """Backward log weights of exact spin configurations."""
    generator = torch.Generator().manual_seed(seed)
    spins = boltzmann_spins(model.target.system, n, generator).float().to(model.device)
    generator = torch.Generator(model.device).manual_seed(seed)
    x, log_density = model.target.lower(spins, generator)
    return reverse_log_weights(model, x, log_density, n_steps, generator).cpu()


@pytest.mark.statistical
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n_steps", STEPS)
@pytest.mark.parametrize("name", BACKWARD)
def test_backward_weights_of_exact_samples(name, n_steps, scale, device):
    target = TARGETS[name]()
    model = make_model(target, scale=scale, device=device)
    log_w = exact_backward(model, 6000, n_steps, seed=5)
    log_z = exact_log_z(target)
    upper, err = mean_err(log_w)
    assert upper + 4.0 * err > log_z
    inverse, err = jackknife_log_mean(-log_w)
    assert_z(-inverse, err, log_z, n_tests=len(BACKWARD) * len(STEPS) * len(SCALES), max_err=0.05)


@pytest.mark.statistical
def test_forward_and_backward_sandwich_log_z(device):
    target = TARGETS["square"]()
    model = make_model(target, scale=0.03, device=device)
    lower, err1 = mean_err(draw_weights(model, 8000, 4, seed=6)[0])
    upper, err2 = mean_err(exact_backward(model, 8000, 4, seed=6))
    log_z = exact_log_z(target)
    assert lower + 4.0 * err1 < log_z < upper - 4.0 * err2
    assert upper - lower < 1.0


def assert_biased(model, log_z, n_steps=4):
    assert_off(
        *jackknife_log_mean(draw_weights(model, 8000, n_steps, seed=7)[0]), log_z, least=5.0, max_err=0.1
    )


@pytest.mark.statistical
def test_without_the_factor_of_the_sign_is_found(device, monkeypatch):
    target = TARGETS["phi4 broken"]()
    model = make_model(target, device=device)
    monkeypatch.setattr(EDGModel, "log_prob_label", lambda self, x, sign: torch.zeros_like(sign))
    assert_biased(model, exact_log_z(target))


@pytest.mark.statistical
@pytest.mark.parametrize("n_steps", [2, 4])
def test_density_of_another_variance_than_the_bridge_is_found(n_steps, device, monkeypatch):
    """Forward draws at one variance, their density at another: 10 percent on every step."""
    target = TARGETS["square"]()
    true_ratio = path._log_ratio

    def wrong(basis, step, z, z_next, mean, variance):
        chi2 = ((z_next - step.ratio * z).double().square() / (1.0 - step.ratio**2)).sum(1)
        return true_ratio(basis, step, z, z_next, mean, variance) + 0.05 * chi2

    monkeypatch.setattr(path, "_log_ratio", wrong)
    assert_biased(make_model(target, device=device), exact_log_z(target), n_steps)


@pytest.mark.statistical
def test_an_unnormalised_encoder_kernel_is_found(device, monkeypatch):
    target = TARGETS["square"]()
    true_ratio = path._log_ratio

    def wrong(basis, step, z, z_next, mean, variance):
        return true_ratio(basis, step, z, z_next, mean, variance) + 0.01 * torch.log(variance.double()).sum()

    monkeypatch.setattr(path, "_log_ratio", wrong)
    assert_biased(make_model(target, device=device), exact_log_z(target))


@pytest.mark.statistical
def test_weights_at_another_temperature_are_found(device):
    target = TARGETS["square"]()
    assert_biased(
        make_model(target, device=device), exact_log_z(ising(IsingDecimationTarget, "square", (4, 4), 3.4))
    )


@pytest.mark.statistical
def test_trained_variances_leave_the_weights_unbiased(device):
    """Any normalised kernel will do: random variances of the path move the bound, not Z."""
    target = TARGETS["square"]()
    model = make_model(target, n_path_steps=4, device=device)
    before, err1 = mean_err(draw_weights(model, 8000, 4, seed=8)[0])
    with torch.no_grad():
        model.path_log_variance += 0.3 * torch.randn_like(model.path_log_variance)
    log_w, _ = draw_weights(model, 8000, 4, seed=8)
    after, err2 = mean_err(log_w)
    assert abs(after - before) > 3.0 * math.hypot(err1, err2)
    assert_z(*jackknife_log_mean(log_w), exact_log_z(target), max_err=0.05)
    # They belong to K = 4: other K take the linear theory.
    fixed = make_model(target, n_path_steps=4, device=device)
    assert torch.equal(draw_weights(model, 4000, 8, seed=9)[0], draw_weights(fixed, 4000, 8, seed=9)[0])


@torch.no_grad()
def test_both_signs_of_a_draw_weigh_the_same(device):
    """Z2: (z, x, g) and its negative have equal weights, with random weights of the networks."""
    target = TARGETS["phi4 broken"]()
    model = perturb(make_model(target, device=device), 0.1, seed=1)
    generator = torch.Generator(device).manual_seed(10)
    draw = model.draw(50, generator)
    for k, step in enumerate(path._steps(3)):
        z_next = step.ratio * draw.z + torch.randn(draw.z.shape, generator=generator, device=device)
        mean, _ = path._reverse_kernel(model, 3, k, z_next, draw.x, draw.label)
        flipped, _ = path._reverse_kernel(model, 3, k, -z_next, -draw.x, -draw.label)
        torch.testing.assert_close(flipped, -mean, rtol=1e-4, atol=1e-5)
    log_prob = model.log_prob_given(-draw.x, -draw.z, -draw.label)
    torch.testing.assert_close(log_prob, draw.log_prob, rtol=1e-5, atol=1e-4)


def test_last_step_forgets():
    """r = 0 exactly: z_K is N(0, 1) whatever z_0, and so the backward path may start from noise."""
    for n_steps in STEPS:
        assert path._steps(n_steps)[-1].ratio == 0.0
