# SPDX-License-Identifier: MIT
"""Diffusion schedules: limits, the equations that tie alpha, sigma, f and g, and the map between schedules.

Exact in float64: derivatives by autograd, tolerance 1e-12 unless a comment says otherwise. The learned
density of times is checked as a density, and for what it must not change: the expectation of an integral.
"""

from __future__ import annotations

import math

import pytest
import torch
from helpers.stats import assert_z

from edgphys.edg.core.schedules import (
    SCHEDULES,
    AngleSchedule,
    SubVPSchedule,
    VPLinearSchedule,
    make_schedule,
)
from edgphys.edg.paper.time_proposal import TimeProposal
from edgphys.errors import UnknownNameError

NAMES = tuple(SCHEDULES)


def _times(schedule, n=101):
    """Open interval: at the ends square roots and tangents have no derivative."""
    return torch.linspace(1e-3, 0.999, n, dtype=torch.float64) * schedule.horizon


def _derivative(function, t):
    t = t.clone().requires_grad_()
    return torch.autograd.grad(function(t).sum(), t)[0]


@pytest.mark.parametrize("name", NAMES)
def test_schedule_starts_with_signal_and_without_noise(name):
    schedule, zero = make_schedule(name), torch.zeros(1, dtype=torch.float64)
    assert float(schedule.alpha(zero)) == 1.0
    assert float(schedule.sigma(zero)) == 0.0
    assert float(schedule.angle(zero)) == 0.0
    assert float(schedule.time(zero)) == 0.0


@pytest.mark.parametrize("name", NAMES)
def test_schedule_rate_is_logarithmic_derivative_of_alpha(name):
    schedule = make_schedule(name)
    t = _times(schedule)
    torch.testing.assert_close(
        schedule.rate(t), _derivative(lambda s: torch.log(schedule.alpha(s)), t), rtol=1e-11, atol=1e-12
    )


@pytest.mark.parametrize("name", NAMES)
def test_schedule_diffusion_obeys_variance_equation(name):
    schedule = make_schedule(name)
    t = _times(schedule)
    variance = schedule.sigma(t) ** 2
    growth = _derivative(lambda s: schedule.sigma(s) ** 2, t) - 2.0 * variance * schedule.rate(t)
    torch.testing.assert_close(schedule.diffusion_2(t), growth, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_schedule_variance_excess_is_that_of_marginal(name):
    schedule = make_schedule(name)
    t = _times(schedule)
    excess = schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2 - 1.0
    torch.testing.assert_close(schedule.variance_excess(t), excess, rtol=0.0, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_schedule_time_inverts_angle(name):
    schedule = make_schedule(name)
    t = torch.cat([torch.tensor([0.0, 1e-9, 1e-6], dtype=torch.float64), _times(schedule)])
    # Near the end 1e-16 in the angle is 1e-14 in the small cosine, and a time of the same order.
    torch.testing.assert_close(schedule.time(schedule.angle(t)), t, rtol=1e-11, atol=1e-16)


@pytest.mark.parametrize("name", NAMES)
def test_schedule_angle_has_same_signal_to_noise_and_moves_with_diffusion(name):
    schedule = make_schedule(name)
    t = _times(schedule)
    angle, variance = schedule.angle(t), 1.0 + schedule.variance_excess(t)
    torch.testing.assert_close(torch.tan(angle), schedule.sigma(t) / schedule.alpha(t), rtol=1e-11, atol=0.0)
    speed = 2.0 * variance * torch.tan(angle) * _derivative(schedule.angle, t)
    torch.testing.assert_close(schedule.diffusion_2(t), speed, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "last_cosine_2"), [("sub-vp", math.exp(-10.05)), ("vp-linear", math.exp(-10.05))]
)
def test_schedule_ends_with_the_signal_of_its_beta_integral(name, last_cosine_2):
    schedule = make_schedule(name)
    # sub-VP: alpha^2 / c^2 = e^-B / (1 - e^-B + e^-2B), equal to e^-B up to a relative 5e-5.
    assert math.cos(schedule.last_angle) ** 2 == pytest.approx(last_cosine_2, rel=1e-4)
    beyond = torch.tensor([0.5 * (schedule.last_angle + 0.5 * math.pi), 0.5 * math.pi], dtype=torch.float64)
    assert schedule.time(beyond).tolist() == [schedule.horizon, schedule.horizon]


def test_schedule_angle_reaches_pure_noise():
    assert AngleSchedule().last_angle == 0.5 * math.pi


def test_schedule_error_messages():
    with pytest.raises(UnknownNameError, match=r"schedule must be one of .*'sub-vp'.*got 've'"):
        make_schedule("ve")
    for schedule in (SubVPSchedule, VPLinearSchedule):
        with pytest.raises(ValueError, match=r"0 < beta_min < beta_max, got 3\.0 and 2\.0"):
            schedule(3.0, 2.0)


def _peaked(t):
    return torch.exp(-40.0 * t)


def _adapted(n_updates=60):
    generator = torch.Generator().manual_seed(1)
    proposal = TimeProposal(1.0, n_bins=20)
    for _ in range(n_updates):
        t, _ = proposal.sample(128, generator)
        proposal.update(t, _peaked(t))
    return proposal


def test_proposal_density_is_normalised_before_and_after_updates():
    grid = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    for proposal in (TimeProposal(1.0, n_bins=20), _adapted()):
        assert float(proposal.density(grid).mean()) == pytest.approx(1.0, rel=1e-12)


def test_proposal_follows_root_of_second_moment():
    proposal = _adapted()
    edges = torch.linspace(0.0, 1.0, 21, dtype=torch.float64)
    second = (torch.exp(-80.0 * edges[:-1]) - torch.exp(-80.0 * edges[1:])) / 80.0
    ideal = torch.sqrt(second)
    expected = 0.9 * 20.0 * ideal / ideal.sum() + 0.1
    middle = 0.5 * (edges[1:] + edges[:-1])
    # The running moment remembers some 20 batches of 128 stratified times: a few per cent.
    torch.testing.assert_close(proposal.density(middle), expected, rtol=0.1, atol=0.0)


@pytest.mark.statistical
def test_proposal_leaves_expectation_unchanged_and_reduces_variance():
    generator = torch.Generator().manual_seed(2)
    proposal = _adapted()
    ratios = []
    for _ in range(100):
        t, density = proposal.sample(64, generator)
        torch.testing.assert_close(density, proposal.density(t))
        # Noise makes each value of the integrand random, as eps does in the bound.
        noise = 1.0 + 0.5 * torch.randn(64, generator=generator, dtype=torch.float64)
        ratios.append((_peaked(t) * noise / density).mean())
    ratios = torch.stack(ratios)
    assert_z(float(ratios.mean()), float(ratios.std()) / 10.0, (1.0 - math.exp(-40.0)) / 40.0, max_err=2.5e-4)
    uniform = torch.rand(100_000, generator=generator, dtype=torch.float64)
    t, density = proposal.sample(100_000, generator)
    assert float((_peaked(t) / density).var()) < 0.2 * float(_peaked(uniform).var())


def test_proposal_state_is_saved():
    proposal, other = _adapted(), TimeProposal(1.0, n_bins=20)
    other.load_state_dict(proposal.state_dict())
    t = torch.linspace(0.0, 1.0, 7, dtype=torch.float64)
    assert torch.equal(proposal.density(t), other.density(t))


def test_proposal_ignores_values_that_are_not_finite():
    proposal = TimeProposal(1.0, n_bins=2)
    proposal.update(torch.tensor([0.1, 0.9, 0.9]), torch.tensor([1.0, float("nan"), float("inf")]))
    assert bool(torch.isfinite(proposal.density(torch.tensor([0.1, 0.9]))).all())


def test_proposal_error_messages():
    with pytest.raises(ValueError, match=r"n_bins and horizon must be positive, got 0 and 1\.0"):
        TimeProposal(1.0, n_bins=0)
    with pytest.raises(ValueError, match=r"decay must be in \[0, 1\), got 1.0"):
        TimeProposal(1.0, decay=1.0)
    with pytest.raises(ValueError, match=r"uniform_share must be in \(0, 1\], got 0.0"):
        TimeProposal(1.0, uniform_share=0.0)
