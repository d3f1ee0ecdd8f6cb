# SPDX-License-Identifier: MIT
"""Wide components bound the weights of a mixture, keep their share, and stay as they are in training."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import torch
from helpers.continuous_edg import build, two_wells
from helpers.stats import assert_z

from edgphys.edg.core.path import log_weights
from edgphys.edg.mixture.decoder import MixtureDecoder
from edgphys.edg.mixture.gaussian_mixture import GaussianMixture
from edgphys.edg.mixture.wide_components import LEAST_SHARE, joined, wide_components
from edgphys.edg.targets.continuous import ContinuousTarget
from edgphys.systems import DoubleWell, Potential

SYSTEM = DoubleWell(n_dims=2, barrier=2.0, tilt=0.3)


def slope(x):
    """Density exp(-|x|) within exp(-x^2 / 200): tails that no Gaussian of its own width has."""
    return torch.sqrt(1.0 + x.square().sum(1)) + x.square().sum(1) / 200.0


def ratio(mixture, x, energy):
    """Weights of draws of the mixture, in units of their mean, at points of a grid."""
    log_w = -energy - scipy.special.logsumexp(mixture.log_terms(x[:, None]), axis=1)
    total = scipy.special.logsumexp(-energy) + np.log(x[1] - x[0])
    return np.exp(log_w - total)


def test_weights_are_bounded_where_the_mixture_alone_has_no_draws():
    target, x = ContinuousTarget(Potential(slope, 1)), np.linspace(-25.0, 25.0, 2001)
    energy = slope(torch.from_numpy(x[:, None])).numpy()
    narrow = GaussianMixture(np.ones(1), np.zeros((1, 1)), np.full((1, 1, 1), 1.3))
    both = joined(narrow, wide_components(narrow, target, 1, np.random.default_rng(0)))
    assert both.weights.sum() == pytest.approx(1.0)
    assert both.weights[1:].sum() == pytest.approx(LEAST_SHARE)
    near = np.abs(x) < 12.0  # beyond lies less than 1e-5 of Z
    assert ratio(both, x, energy)[near].max() < 12.0
    assert ratio(narrow, x, energy)[near].max() > 1e6  # control


def floored(scale=0.5, n_leapfrog=0):
    """A perturbed model of two wells whose third component, wide, has lost its trained share."""
    mixture = two_wells(0.9, [0.45, 1.1])
    wide = GaussianMixture(np.ones(1), np.zeros((1, 2)), 2.0 * np.eye(2)[None])
    model = build(SYSTEM, joined(mixture, wide), n_wide=1, scale=scale, n_leapfrog=n_leapfrog)
    with torch.no_grad():
        model.label_logits[2] = -60.0
    return model


@pytest.mark.parametrize("n_leapfrog", [0, 2])
def test_the_share_has_a_floor_and_the_component_stays(n_leapfrog):
    model = floored(n_leapfrog=n_leapfrog)
    shares = torch.exp(model._log_probs()).detach()
    assert shares.sum() == pytest.approx(1.0, abs=1e-6)
    assert shares[2] == pytest.approx(LEAST_SHARE, rel=1e-5)
    z = torch.randn(8, model.n_latent, generator=torch.Generator().manual_seed(0))
    label = torch.full((8,), 2)
    mean, log_sd = model.decoder.centre(z, label)
    started = build(SYSTEM, two_wells(0.9, [1.0, 1.0]), n_wide=1, n_leapfrog=n_leapfrog)
    amplitude, _ = started.decoder.linear_theory()
    expected = (amplitude[1] * z.view(8, -1, 2)).sum(1)
    assert amplitude[1].square().sum(0).tolist() == pytest.approx([0.7, 0.7])
    torch.testing.assert_close(mean, expected)
    torch.testing.assert_close(log_sd, torch.full((8, 2), 0.5 * np.log(0.3)))
    moved, _ = model.decoder.centre(z, torch.zeros_like(label))  # control: the others were perturbed
    assert not torch.allclose(moved, expected, atol=0.1)
    drawn = model.draw(4000, torch.Generator().manual_seed(1)).label
    assert 60 < int((drawn == 2).sum()) < 180


@pytest.mark.statistical
@pytest.mark.parametrize(("n_leapfrog", "scale"), [(0, 0.2), (2, 0.1)])
def test_weights_of_a_floored_model_are_unbiased(n_leapfrog, scale):
    model, generator = floored(scale, n_leapfrog), torch.Generator().manual_seed(2)
    draw = model.draw(20_000, generator)
    log_density, _ = model.target.lift(draw.x, generator)
    w = np.exp(log_weights(model, draw, log_density, 4, generator).numpy())
    exact = np.exp(SYSTEM.exact_results()["log_z"])
    assert_z(w.mean(), w.std() / len(w) ** 0.5, exact, max_err=0.03 * exact)


def test_files_of_before_have_no_floor():
    model = floored()
    state = {name: value for name, value in model.state_dict().items() if name != "least_shares"}
    model.load_state_dict(state)
    assert float(model.least_shares.abs().sum()) == 0.0
    assert isinstance(model.decoder, MixtureDecoder)
