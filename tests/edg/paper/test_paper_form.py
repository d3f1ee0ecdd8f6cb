# SPDX-License-Identifier: MIT
"""The bound of the paper's Theorem 1 against closed forms, and the default form as the same functional.

On a linear Gaussian model (helpers/stub_models.py) every term is known, for the exact encoder and for a wrong
one. The two forms share no estimator: score and divergence at times of one schedule, against drive and
velocity at uniform sigma. Negative controls: without the divergence, without the constant, and with the sign
of the velocity changed.
"""

from __future__ import annotations

import functools
import math

import pytest
import torch
from helpers.stats import assert_off, assert_z
from helpers.stub_models import LinearModel

import lattices
from edgphys.edg.core.bounds import continuous_bound
from edgphys.edg.core.divergence import rademacher
from edgphys.edg.core.path import log_weights
from edgphys.edg.core.schedules import make_schedule
from edgphys.edg.field.model import EDGModel
from edgphys.edg.paper import bound as paper
from edgphys.edg.paper.bound import horizon_gap, paper_bound, path_integrand, score
from edgphys.edg.paper.encoder import PaperEncoder
from edgphys.edg.paper.time_proposal import TimeProposal
from edgphys.edg.targets.registry import make_target
from edgphys.systems import Phi4

NAMES = ("sub-vp", "vp-linear", "angle")
ENCODERS = {"exact": {}, "wrong": {"gain": 0.6, "tilt": 0.3}}


@torch.no_grad()
def _mean(bound, model, n_calls=60, n_batch=1024, seed=0, part="rest", **options):
    """Mean and error over independent batches of one part of a loss."""
    generator = torch.Generator().manual_seed(seed)
    values = [getattr(bound(model, n_batch, generator, **options), part) for _ in range(n_calls)]
    values = torch.stack(values).double()
    return float(values.mean()), float(values.std()) / math.sqrt(n_calls)


def _last_sigma(schedule):
    return math.sin(schedule.last_angle)


@pytest.mark.statistical
@pytest.mark.parametrize("encoder", ENCODERS)
def test_default_form_equals_closed_form(encoder):
    model = LinearModel(**ENCODERS[encoder])
    for part, exact in (("energy", model.exact_energy), ("rest", model.exact_rest())):
        assert_z(*_mean(continuous_bound, model, part=part), exact, n_tests=4, max_err=0.05)


@pytest.mark.statistical
@pytest.mark.parametrize("proposal", ["uniform", "learned"])
@pytest.mark.parametrize("divergence", ["hutchinson", "exact"])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", NAMES)
def test_paper_form_equals_closed_form(name, encoder, divergence, proposal):
    model, schedule = LinearModel(**ENCODERS[encoder]), make_schedule(name)
    learned = TimeProposal(schedule.horizon) if proposal == "learned" else None
    found = _mean(paper_bound, model, schedule=schedule, divergence=divergence, proposal=learned)
    assert_z(*found, model.exact_rest(_last_sigma(schedule)), n_tests=24, max_err=0.06)


def test_exact_encoder_bound_equals_gaussian_relative_entropy():
    """Exact up to what is left at the horizon: KL(p_D(x) || pi) - log Z = <U> - entropy of p_D(x)."""
    model = LinearModel()
    entropy = 1.5 * math.log(2.0 * math.pi * math.e) + 0.5 * float(torch.logdet(model.covariance))
    expected = model.exact_energy - entropy
    assert model.exact_bound() == pytest.approx(expected, abs=1e-12)
    assert -expected < model.exact_log_z
    for name in ("sub-vp", "vp-linear"):
        schedule = make_schedule(name)
        lost = model.exact_bound(_last_sigma(schedule)) - expected
        assert 0.0 < lost < horizon_gap(schedule, 4) < 1e-4


@pytest.mark.statistical
@pytest.mark.parametrize("name", NAMES)
def test_paper_integrand_equals_closed_form_at_each_time(name):
    """Term by term: g^2/2 c^-2 cos^2 [ (gain^2 - 2 gain) tau + tilt^2 d ] at five fixed times."""
    model, schedule = LinearModel(**ENCODERS["wrong"]), make_schedule(name)
    generator, n = torch.Generator().manual_seed(3), 20_000
    sign = torch.ones(n)
    for share in (0.02, 0.2, 0.5, 0.8, 0.95):
        t = torch.full((n,), share * schedule.horizon, dtype=torch.float64)
        z, eps = torch.randn(2, n, 4, generator=generator)
        x = model.decoder.add_noise(model.decoder.mean(z, sign), torch.randn(n, 3, generator=generator))
        noisy = (schedule.alpha(t)[:, None] * z + schedule.sigma(t)[:, None] * eps).float()
        values = path_integrand(model, schedule, noisy, x, t, sign, rademacher(1, noisy, generator)).double()
        angle = float(schedule.angle(t[0]))
        scale = 0.5 * float(schedule.diffusion_2(t[0]) / (1.0 + schedule.variance_excess(t[0])))
        rate = scale * math.cos(angle) ** 2
        exact = rate * model.exact_rate(math.sin(angle))
        # Terms of the integrand are of order scale x cos(angle) x d; each must be seen to five per cent.
        limit = 0.05 * scale * math.cos(angle) * 4
        assert_z(float(values.mean()), float(values.std()) / math.sqrt(n), exact, n_tests=15, max_err=limit)


@pytest.mark.parametrize("name", NAMES)
def test_paper_integrand_vanishes_without_signal_sample_by_sample(name):
    model, schedule = LinearModel(gain=0.0), make_schedule(name)
    generator = torch.Generator().manual_seed(4)
    z = torch.randn(50, 4, generator=generator, dtype=torch.float64)
    x, sign = (
        torch.randn(50, 3, generator=generator, dtype=torch.float64),
        torch.ones(50, dtype=torch.float64),
    )
    t = torch.linspace(0.01, 0.99, 50, dtype=torch.float64) * schedule.horizon
    for probes in (None, rademacher(2, z, generator)):
        values = path_integrand(model, schedule, z, x, t, sign, probes)
        torch.testing.assert_close(values, torch.zeros_like(values), rtol=0.0, atol=1e-11)


def _without_divergence(field, z, probes):
    return field(z), torch.zeros_like(z[:, 0])


@pytest.mark.statistical
def test_paper_form_fails_without_divergence_or_constant(monkeypatch):
    model, schedule = LinearModel(), make_schedule("sub-vp")
    exact = model.exact_rest(_last_sigma(schedule))
    mean, err = _mean(paper_bound, model, schedule=schedule)
    constant = 4.0 * math.log(1.0 / math.cos(schedule.last_angle))
    assert_off(mean - constant, err, exact, least=5.0, max_err=0.1)
    monkeypatch.setattr(paper, "field_and_divergence", _without_divergence)
    assert_off(*_mean(paper_bound, model, schedule=schedule), exact, least=5.0, max_err=0.5)


@pytest.mark.statistical
def test_default_form_fails_with_other_sign_of_velocity():
    model = LinearModel(gain=-1.0)  # |H|^2 of the exact encoder, H.u of the other sign
    assert_off(*_mean(continuous_bound, model), LinearModel().exact_rest(), least=5.0, max_err=0.2)


@pytest.mark.statistical
def test_paper_form_probes_reduce_variance_only():
    model, schedule = LinearModel(), make_schedule("vp-linear")
    single = _mean(paper_bound, model, schedule=schedule)
    several = _mean(paper_bound, model, schedule=schedule, n_probes=4, seed=1)
    gap_err = math.hypot(single[1], several[1])
    assert_z(single[0] - several[0], gap_err, 0.0, max_err=0.1)


@functools.cache
def _lattice_model(name, head=0.04):
    """All sites of a 4 x 4 lattice, decoder and encoder nonlinear.

    As much noise as amplitude in every mode: with less, s' untrained, the bound is off by hundreds of nats.
    """
    system = Phi4(lattices.build("square", (4, 4)), kappa=0.2, lam=0.02)
    target = make_target(system, "field")
    model = EDGModel(target, n_path_steps=4, decoder_size=(4, 1), encoder_size=(4, 1), seed=0)
    generator = torch.Generator().manual_seed(1)
    model.encoder = PaperEncoder(
        target, model.decoder, make_schedule(name), n_channels=4, n_blocks=1, generator=generator
    )
    for parameter in (model.decoder.network.head, model.encoder.network.head):
        torch.nn.init.normal_(parameter, std=head, generator=generator)
    with torch.no_grad():
        for part in (model.decoder, model.encoder):
            part.log_noise.copy_(part.log_amplitude[1])
    return model.double()


def _batch(n=6, seed=5):
    generator = torch.Generator().manual_seed(seed)
    z, x = torch.randn(2, n, 16, generator=generator, dtype=torch.float64)
    return z, x, torch.arange(n, dtype=torch.float64) % 3 - 1.0, generator


@pytest.mark.parametrize("name", ["sub-vp", "vp-linear"])
def test_paper_encoder_is_exact_without_noise(name):
    model = _lattice_model(name)
    z, x, sign, _ = _batch()
    latents, zero = z.clone().requires_grad_(), torch.zeros(6, dtype=torch.float64)
    gradient = torch.autograd.grad(model.log_prob_given(x, latents, sign).sum(), latents)[0]
    found = model.encoder.score(model.decoder, z, x, zero, sign)
    torch.testing.assert_close(found, gradient, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(model.drive(z, x, zero, sign), gradient + z, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["sub-vp", "vp-linear"])
def test_paper_encoder_has_no_signal_at_and_beyond_horizon(name):
    model = _lattice_model(name)
    z, x, sign, _ = _batch()
    schedule = model.encoder.schedule
    last = torch.full((6,), schedule.horizon, dtype=torch.float64)
    variance = 1.0 + float(schedule.variance_excess(last[0]))
    found = model.encoder.score(model.decoder, z, x, last, sign)
    torch.testing.assert_close(found, -z / variance, rtol=1e-12, atol=0.0)
    for angle in (0.5 * (schedule.last_angle + 0.5 * math.pi), 0.5 * math.pi):
        sigma = torch.full((6,), math.sin(angle), dtype=torch.float64)
        assert not bool(model.drive(z, x, sigma, sign).any())


@pytest.mark.parametrize("name", ["sub-vp", "vp-linear"])
def test_paper_encoder_score_and_drive_are_the_same_encoder(name):
    model = _lattice_model(name)
    z, x, sign, _ = _batch()
    schedule = model.encoder.schedule
    t = torch.tensor([0.01, 0.1, 0.3, 0.5, 0.7, 0.9], dtype=torch.float64)
    angle, scale = schedule.angle(t), torch.sqrt(1.0 + schedule.variance_excess(t))[:, None]
    drive = model.drive(z, x, torch.sin(angle), sign)
    expected = torch.cos(angle)[:, None] * drive - z
    # sin(angle) near 1 leaves 1e-16 / cos^2 of the angle: 1e-12 of the time at t = 0.9.
    torch.testing.assert_close(
        scale * score(model, schedule, scale * z, x, t, sign), expected, rtol=1e-8, atol=1e-9
    )
    other = make_schedule({"sub-vp": "vp-linear", "vp-linear": "sub-vp"}[name])
    s = other.time(angle)
    other_scale = torch.sqrt(1.0 + other.variance_excess(s))[:, None]
    torch.testing.assert_close(
        other_scale * score(model, other, other_scale * z, x, s, sign), expected, rtol=1e-8, atol=1e-9
    )


def test_paper_encoder_has_the_symmetries_of_the_lattice():
    model = _lattice_model("sub-vp")
    z, x, sign, _ = _batch()
    sigma = torch.linspace(0.1, 0.99, 6, dtype=torch.float64)
    reference = model.drive(z, x, sigma, sign)
    lattice = model.target.system.lattice
    for permutation in (*lattice.translation_generators, *lattice.point_group):
        index = torch.as_tensor(permutation.astype("int64"))
        moved = model.drive(z[:, index], x[:, index], sigma, sign)
        torch.testing.assert_close(moved, reference[:, index], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(model.drive(-z, -x, sigma, -sign), -reference, rtol=1e-9, atol=1e-9)


def test_paper_bound_reaches_every_trained_parameter():
    model = _lattice_model("sub-vp").float()
    model.zero_grad()
    generator = torch.Generator().manual_seed(0)
    loss = paper_bound(model, 8, generator, schedule=model.encoder.schedule, proposal=model.encoder.proposal)
    loss.total.backward()
    missing = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert missing == {"path_log_variance"}  # which belongs to the path bound
    model.zero_grad()
    model.double()


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["sub-vp", pytest.param("vp-linear", marks=pytest.mark.slow)])
def test_paper_form_equals_default_form_on_lattice_model(name):
    """One nonlinear encoder, untrained: the paper's bound on its own schedule and the default bound agree."""
    model = _lattice_model(name).float()
    schedule, options = model.encoder.schedule, {"n_calls": 90, "n_batch": 768}
    proposal = TimeProposal(schedule.horizon)
    default = _mean(continuous_bound, model, seed=1, **options)
    found = _mean(paper_bound, model, schedule=schedule, proposal=proposal, seed=2, **options)
    assert_z(default[0] - found[0], math.hypot(default[1], found[1]), 0.0, n_tests=2, max_err=0.2)
    model.double()


def test_path_weights_accept_paper_encoder():
    model = _lattice_model("sub-vp").float()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        draw = model.draw(4, generator)
        log_density, _ = model.target.lift(draw.x, generator)
        weights = log_weights(model, draw, log_density, 4, generator)
    assert bool(torch.isfinite(weights).all())
    model.double()


def test_paper_bound_adapts_proposal_only_in_training():
    model, schedule = LinearModel(), make_schedule("sub-vp")
    generator, proposal = torch.Generator().manual_seed(0), TimeProposal(schedule.horizon)
    paper_bound(model, 16, generator, schedule=schedule, proposal=proposal.eval())
    assert not bool(proposal.weight.any())
    paper_bound(model, 16, generator, schedule=schedule, proposal=proposal.train())
    assert float(proposal.weight.sum()) == 16.0


def test_paper_bound_error_messages():
    model, schedule, generator = LinearModel(), make_schedule("sub-vp"), torch.Generator()
    with pytest.raises(ValueError, match=r"divergence must be one of .*, got 'trace'"):
        paper_bound(model, 4, generator, schedule=schedule, divergence="trace")
    with pytest.raises(ValueError, match="n_probes must be an integer >= 1, got 0"):
        paper_bound(model, 4, generator, schedule=schedule, n_probes=0)
    with pytest.raises(ValueError, match=r"proposal must have the horizon 1.0 of the schedule, got 2.0"):
        paper_bound(model, 4, generator, schedule=schedule, proposal=TimeProposal(2.0))
