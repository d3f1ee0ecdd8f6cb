# SPDX-License-Identifier: MIT
"""ODE weights against exact Gaussian posteriors, and one solver or divergence against the other.

For a linear decoder with its exact encoder the probability flow carries the posterior of z0 to N(0, 1)
exactly, so the density it gives is known; what is left is the error of the integrator. Negative control: half
the exact drive.
"""

from __future__ import annotations

import functools
import math

import pytest
import torch
from helpers.stats import assert_z
from helpers.stub_models import LinearModel

import lattices
from edgphys.edg.field.model import Draw, EDGModel, log_normal
from edgphys.edg.targets.registry import make_target
from edgphys.edg.weights.ode import Flow, StepChange, ode_log_weights, ode_posterior_log_prob
from edgphys.estimators.weights.weighted_estimates import reliability
from edgphys.systems import Phi4


def _gaussian_batch(model, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    like = {"generator": generator, "dtype": torch.float64}
    z, xi = torch.randn(n, 4, **like), torch.randn(n, 3, **like)
    sign = torch.ones(n, dtype=torch.float64)
    return z, model.decoder.add_noise(model.decoder.mean(z, sign), xi), sign, generator


@functools.cache
def _target():
    return make_target(Phi4(lattices.build("chain", (8,)), kappa=0.3, lam=0.02), "field")


def _lattice_model(head=0.0):
    """A model of eight latents; `head` makes decoder and encoder nonlinear."""
    sizes = {"decoder_size": (4, 1), "encoder_size": (4, 1)}
    model = EDGModel(_target(), n_path_steps=4, seed=0, **sizes).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in (model.decoder.network.head, model.encoder.network.head):
        torch.nn.init.normal_(parameter, std=max(head, 1e-300), generator=generator)
    return model


def _lattice_batch(model, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    like = {"generator": generator, "dtype": torch.float64}
    z, xi = torch.randn(n, model.decoder.n_latent, **like), torch.randn(n, model.decoder.n_dims, **like)
    sign = torch.arange(n, dtype=torch.float64) % 3 - 1.0
    with torch.no_grad():
        x = model.decoder.add_noise(model.decoder.mean(z, sign), xi)
        draw = Draw(z, sign, x, model.log_prob_given(x, z, sign))
        log_density, _ = model.target.lift(x, generator)
    return draw, log_density, generator


@pytest.mark.parametrize(
    ("solver", "tolerance"),
    [
        ({"method": "rk4", "n_steps": 64}, 1e-4),
        ({"method": "dopri5", "rtol": 1e-8, "atol": 1e-8}, 1e-6),
        ({"method": "dopri8", "rtol": 1e-9, "atol": 1e-9}, 1e-6),
    ],
)
def test_ode_log_prob_equals_exact_gaussian_posterior(solver, tolerance):
    model = LinearModel()
    z, x, sign, generator = _gaussian_batch(model, 16)
    exact = model.exact_posterior_log_prob(z, x)
    found = ode_posterior_log_prob(model, z, x, sign, generator, Flow(**solver))
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, exact, rtol=0.0, atol=tolerance)
    wrong = ode_posterior_log_prob(LinearModel(gain=0.5), z, x, sign, generator, Flow(**solver))
    assert float((wrong - exact).abs().max()) > 0.1


def test_ode_rk4_error_falls_with_fourth_power_of_steps():
    model = LinearModel()
    z, x, sign, generator = _gaussian_batch(model, 16)
    exact = model.exact_posterior_log_prob(z, x)
    errors = [
        float((ode_posterior_log_prob(model, z, x, sign, generator, Flow(n_steps=n)) - exact).abs().max())
        for n in (32, 64)
    ]
    assert 10.0 < errors[0] / errors[1] < 25.0


def test_ode_weights_of_hartree_start_equal_gaussian_marginal():
    """At the start decoder and encoder are linear: log w = log_density + log p_E(g | x) - log p_D(x, g)."""
    model = _lattice_model()
    draw, log_density, generator = _lattice_batch(model, 8)
    weights = ode_log_weights(model, draw, log_density, generator, Flow(n_steps=32))
    decoder = model.decoder
    variance = (decoder.amplitude(draw.label) ** 2 + decoder.noise() ** 2).detach()
    shift = draw.label[:, None] * (decoder.order * decoder.profile).detach()
    modes = decoder.basis.project(draw.x - shift) / torch.sqrt(variance)
    log_det = 0.5 * torch.log(variance).sum(1)
    log_marginal = log_normal(modes) - log_det + model.log_prior_label(draw.label).detach()
    expected = log_density + model.log_prob_label(draw.x, draw.label).detach() - log_marginal
    torch.testing.assert_close(weights, expected, rtol=0.0, atol=1e-4)


@pytest.mark.slow
def test_ode_weights_of_nonlinear_model_agree_between_solvers():
    model = _lattice_model(head=0.2)
    draw, log_density, generator = _lattice_batch(model, 8)
    default = ode_log_weights(model, draw, log_density, generator)
    adaptive = ode_log_weights(
        model, draw, log_density, generator, Flow(method="dopri5", rtol=1e-6, atol=1e-6)
    )
    torch.testing.assert_close(default, adaptive, rtol=0.0, atol=5e-3)
    linear = ode_log_weights(_lattice_model(), draw, log_density, generator)
    assert float((default - linear).abs().max()) > 0.1


@pytest.mark.statistical
def test_ode_hutchinson_is_unbiased_in_the_exponent_and_biased_above_it():
    model = LinearModel()
    z, x, sign, generator = _gaussian_batch(model, 1)
    many = (z.repeat(4000, 1), x.repeat(4000, 1), sign.repeat(4000))
    solver = {"method": "rk4", "n_steps": 32}
    exact = float(ode_posterior_log_prob(model, z, x, sign, generator, Flow(**solver)))
    noise = ode_posterior_log_prob(model, *many, generator, Flow(divergence="hutchinson", **solver)) - exact
    assert_z(float(noise.mean()), float(noise.std()) / math.sqrt(4000), 0.0, max_err=0.05)
    assert float(torch.logsumexp(noise, 0)) - math.log(4000) > 0.1
    calmer = ode_posterior_log_prob(
        model, *many, generator, Flow(divergence="hutchinson", n_probes=4, **solver)
    )
    # Variance 1/4 up to the 4 % of its own error.
    assert float(calmer.var()) == pytest.approx(0.25 * float(noise.var()), rel=0.2)


def test_ode_error_messages():
    model = LinearModel()
    z, x, sign, generator = _gaussian_batch(model, 1)
    with pytest.raises(ValueError, match=r"divergence must be one of .*, got 'trace'"):
        ode_posterior_log_prob(model, z, x, sign, generator, Flow(divergence="trace"))
    with pytest.raises(ValueError, match=r"method must be one of .*, got 'rk5'"):
        ode_posterior_log_prob(model, z, x, sign, generator, Flow(method="rk5"))
    with pytest.raises(ValueError, match="n_steps must be an integer >= 1, got 0"):
        ode_posterior_log_prob(model, z, x, sign, generator, Flow(n_steps=0))
    with pytest.raises(ValueError, match="n_probes must be an integer >= 1, got 0"):
        ode_posterior_log_prob(model, z, x, sign, generator, Flow(divergence="hutchinson", n_probes=0))


def test_too_few_steps_are_seen_by_half_of_them():
    """Control: with steps enough the same model passes, and log_z of one step is off by more than its error.

    One step and two agree in log_z by chance, 1.5e-4, while both are off by 0.015.
    """
    model, log_z, reasons = _lattice_model(0.4), {}, {}
    healthy = {"ess_count": 900.0, "max_weight": 0.01, "pareto_k": 0.3, "n_draws": 1000.0, "log_z_err": 0.01}
    draw, log_density, generator = _lattice_batch(model, 16)
    for n_steps in (1, 8):
        flow, steps = Flow(n_steps=n_steps), StepChange(most=16)
        log_w = ode_log_weights(model, draw, log_density, generator, flow)
        steps.add(model, draw, log_density, log_w, generator, flow)
        steps.add(model, draw, log_density, torch.nan * log_w, generator, flow)  # there are enough
        log_z[n_steps], reasons[n_steps] = (
            float(torch.logsumexp(log_w, 0)),
            reliability(healthy | steps.attrs()),
        )
    assert abs(log_z[8] - log_z[1]) > 0.01
    assert reasons[8] == [] and "with half the steps of the flow" in reasons[1][0]
