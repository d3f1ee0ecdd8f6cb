# SPDX-License-Identifier: MIT
"""Draws sent back through the encoder: the part of Z that they miss, where it is known exactly."""

import math

import numpy as np
import pytest
import torch
import xarray as xr
from helpers.stats import assert_off, assert_z
from scipy.stats import norm
from torch import nn

import edgphys as ep
from edgphys.edg.core.model import AbstractEDGModel, Draw, log_normal
from edgphys.edg.core.path import log_weights
from edgphys.edg.targets.continuous import ContinuousTarget
from edgphys.edg.weights.round_trip import RoundTrips
from edgphys.edg.weights.short_chains import short_chains
from edgphys.estimators.weights.weighted_estimates import reliability

FAR = 30.0


class Blind(AbstractEDGModel):
    """x ~ N(0, 1) whatever the latent; an encoder that puts the share `hole` of z at FAR.

    Exact for one path step: p_E(z | x) = (1 - hole) N(0, 1) + hole N(FAR, 1). No draw of z comes near FAR, so
    that the draws see 1 - hole of Z = 1.
    """

    def __init__(self, hole):
        super().__init__()
        self.n_latent = self.n_path_steps = 1
        self.threshold = norm.isf(hole)
        self.target = nn.Identity()

    device = torch.device("cpu")

    def draw(self, n_samples, generator):
        z, x = torch.randn(2, n_samples, 1, generator=generator, dtype=torch.float64)
        label = torch.zeros(n_samples)
        return Draw(z, label, x, self.log_prob_given(x, z, label))

    def log_prob_given(self, x, z, label):
        return log_normal(z) + log_normal(x)

    def denoise(self, z, x, alpha, sigma, label, step):
        return torch.where(z > self.threshold, FAR, 0.0).to(z), torch.ones_like(z)

    def draw_label(self, x, generator):
        return torch.zeros(len(x))

    def log_prob_label(self, x, label):
        return torch.zeros(len(x))

    def log_prior_label(self, label):
        return torch.zeros(len(label))

    def decode(self, n_batch, generator):
        raise AssertionError("not trained")

    def drive(self, z, x, sigma, label):
        raise AssertionError("not trained")


def sent_back(hole, n=12_000, n_back=4000):
    model, generator = Blind(hole), torch.Generator().manual_seed(1)
    trips, log_w = RoundTrips(n_back, np.random.default_rng(2), generator), []
    for _ in range(4):
        draw = model.draw(n // 4, generator)
        log_density = log_normal(draw.x)
        log_w.append(log_weights(model, draw, log_density, 1, generator))
        trips.add(draw.x, log_density, log_w[-1])
    return torch.cat(log_w).numpy(), trips.unseen(model, 1)


@pytest.mark.statistical
@pytest.mark.parametrize("hole", [0.05, 0.2, 0.5])
def test_share_is_what_the_weights_miss(hole):
    log_w, counts = sent_back(hole)
    w = np.exp(log_w)
    # The weights know nothing: log_z is low by log(1 - hole), the effective sample size is near 1 - hole.
    assert_z(w.mean(), w.std() / len(w) ** 0.5, 1.0 - hole, n_tests=6, max_err=0.01)
    share = counts["n_unseen"] / counts["n_sent_back"]
    err = math.sqrt(share * (1.0 - share) / counts["n_sent_back"])
    assert_z(share, err, hole, n_tests=6, max_err=0.02)
    assert_off(share, err, 0.5 * hole, least=5.0, max_err=0.02)


def test_nothing_is_missed_by_an_exact_encoder():
    log_w, counts = sent_back(1e-15)
    np.testing.assert_allclose(log_w, 0.0, atol=1e-12)
    assert (counts["n_sent_back"], counts["n_unseen"], counts["n_unseen_err"]) == (4000, 0, 0.0)
    assert counts["unseen_by_chance"] == pytest.approx(3.0 / 12_000)


@pytest.mark.statistical
def test_draws_are_chosen_by_their_weights():
    trips, rng = RoundTrips(200, np.random.default_rng(3), torch.Generator()), np.random.default_rng(0)
    log_w = torch.from_numpy(np.log(rng.uniform(size=20_000)))
    for rows in torch.arange(20_000).split(1000):
        trips.add(rows[:, None].double(), rows.double(), log_w[rows])
    chosen = torch.exp(log_w[trips._kept[1][:, 0].long()])
    assert len(chosen) == 200
    # E[w^2] / E[w] = 2/3, not 1/2.
    assert_z(float(chosen.mean()), float(chosen.std()) / 200**0.5, 2.0 / 3.0, max_err=0.02)
    assert float(chosen.mean()) > 0.6


def test_estimate_refuses_what_the_encoder_holds_possible_elsewhere():
    log_w = np.random.default_rng(0).normal(size=2000, scale=0.3)
    attrs = {"temperature": 1.0, "beta": 1.0, "n_variables": 1, "observables": "[]"}
    draws = xr.Dataset({"log_weight_joint": ("draw", log_w), "energy": ("draw", log_w)}, attrs=attrs)
    verdicts = {}
    for unseen in (None, 0, 8, 30):
        counts = {} if unseen is None else {"n_sent_back": 200, "n_unseen": unseen}
        verdicts[unseen] = ep.estimate(draws.assign_attrs(counts))
    assert [float(table.reliable) for table in verdicts.values()] == [1.0, 1.0, 1.0, 0.0]
    assert "low by about 0.16" in verdicts[30].attrs["warning"]
    assert float(verdicts[30].unseen_share) == 0.15
    assert np.isnan(float(verdicts[None].unseen_share))


def test_a_share_within_the_error_bar_is_no_reason():
    healthy = {"ess_count": 900.0, "max_weight": 0.01, "pareto_k": 0.3, "n_draws": 1000.0}
    unseen = {"unseen_share": 0.15, "unseen_share_err": 0.02}
    assert reliability(healthy) == []
    assert len(reliability(healthy | unseen)) == 1
    assert reliability(healthy | unseen | {"log_z_err": 0.1}) == []


class Narrow(AbstractEDGModel):
    """Draws N(0, width^2) of two variables, of a target with a rim (`rim`)."""

    n_latent, n_path_steps, device = 0, 1, torch.device("cpu")

    def __init__(self, width):
        super().__init__()
        self.target, self.width = ContinuousTarget(ep.Potential(rim, 2)), width

    def draw(self, n_samples, generator):
        x = self.width * torch.randn(n_samples, 2, generator=generator, dtype=torch.float64)
        z = x[:, :0]
        return Draw(z, z, x, self.log_prob_given(x, z, z))

    def log_prob_given(self, x, z, label):
        return log_normal(x / self.width) - 2.0 * math.log(self.width)

    def denoise(self, z, x, alpha, sigma, label, step):
        return z, torch.ones_like(z)

    draw_label = log_prob_label = log_prior_label = lambda self, x, *rest: torch.zeros(len(x))
    decode = drive = lambda *args: None


def rim(x):
    """Minus the log density of a Gaussian with a rim of one per cent, five times as wide."""
    r2 = x.square().sum(1)
    return -torch.logaddexp(-r2 / 2.0 + math.log(0.99), -r2 / 50.0 + math.log(0.01 / 25.0))


@pytest.mark.statistical
@pytest.mark.parametrize(("width", "reliable"), [(1.0, False), (4.0, True)])
def test_short_chains_leave_for_a_rim_that_no_draw_reaches(width, reliable):
    """Weights of the narrow model look perfect; control: a model that reaches the rim."""
    model, generator = Narrow(width), torch.Generator().manual_seed(1)
    trips = RoundTrips(400, np.random.default_rng(2), generator)
    draw = model.draw(4000, generator)
    log_density, states = model.target.lift(draw.x, generator)
    log_w = log_weights(model, draw, log_density, 1, generator)
    # Those draws that reached the rim by chance are taken out: it has none.
    kept = (log_w < math.log(2.0 * math.pi) + 0.3) | torch.tensor(reliable)
    trips.add(draw.x[kept], log_density[kept], log_w[kept], states[kept])
    chains = short_chains(model.target, False, np.random.default_rng(3))
    counts = trips.unseen(model, 1, chains=chains)
    attrs = counts | {"temperature": 1.0, "beta": 1.0, "n_variables": 2, "observables": "[]"}
    columns = {"log_weight_joint": ("draw", log_w[kept].numpy()), "energy": ("draw", draw.x[kept, 0].numpy())}
    table = ep.estimate(xr.Dataset(columns, attrs=attrs))
    assert bool(table.reliable) == reliable
    assert ("where no draw reached" in table.attrs["warning"]) != reliable
    assert chains.calls.n_gradient_calls > 400 * 20
    without = ep.estimate(xr.Dataset(columns, attrs=attrs | {"n_unseen": 0}))
    assert "where no draw reached" not in without.attrs["warning"]


def test_sample_says_how_many_were_sent_back():
    edg = ep.EDG(ep.DoubleWell(), n_components=4)
    samples = edg.sample(300, seed=0, progress=False)
    assert samples.attrs["n_sent_back"] == 120  # four states of 30 chains
    assert samples.attrs["n_unseen"] <= 12
    again = edg.sample(300, seed=0, progress=False)
    assert again.attrs["n_unseen"] == samples.attrs["n_unseen"]
    assert edg.sample(4, seed=0, progress=False).attrs["n_sent_back"] == 0
