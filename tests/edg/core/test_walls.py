# SPDX-License-Identifier: MIT
"""Hard walls: a force back in training, weight zero in draws; a disc and a half-line are known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import torch
import xarray as xr
from helpers.stats import assert_off, assert_z

import edgphys as ep
from edgphys.edg.core.walls import walled_energy
from edgphys.edg.mixture.gaussian_mixture import walk
from edgphys.edg.targets.continuous import ContinuousTarget
from edgphys.errors import TrainingError


def disc(x):
    """A slope of 2 within the unit circle; log Z = log(pi I_1(2)) at T = 1."""
    return torch.where(x.square().sum(1) < 1.0, 2.0 * x[:, 0], torch.inf)


DISC = math.log(math.pi * scipy.special.iv(1, 2.0))


def test_without_walls_it_is_the_energy():
    x = torch.rand(20, 2, generator=torch.Generator().manual_seed(0), requires_grad=True) / 2
    value = walled_energy(disc, x)
    assert torch.equal(value, disc(x))
    np.testing.assert_allclose(torch.autograd.grad(value.sum(), x)[0], np.tile([2.0, 0.0], (20, 1)))


def test_a_wall_pushes_to_the_nearest_configuration_outside():
    x = torch.tensor([[0.0, 0.0], [0.0, 0.9], [0.0, 1.2]], requires_grad=True)
    value = walled_energy(disc, x)
    gradient = torch.autograd.grad(value.sum(), x)[0]
    # s = 0.9 is the distance of the two within the disc.
    np.testing.assert_allclose(value.detach(), [0.0, 0.0, 1.0 + 0.3**2 / (2 * 0.9**2)], rtol=1e-5)
    np.testing.assert_allclose(gradient, [[2.0, 0.0], [2.0, 0.0], [0.0, 0.3 / 0.9**2]], rtol=1e-5)


def test_infinite_gradients_are_masked_and_no_number_is_not():
    x = torch.tensor([[0.0], [0.25]], requires_grad=True)
    gradient = torch.autograd.grad(walled_energy(lambda x: x.abs().sqrt().sum(1), x).sum(), x)[0]
    assert gradient[1, 0] == pytest.approx(1.0) and not torch.isinf(gradient).any()
    assert torch.isinf(walled_energy(lambda x: x[:, 0] + torch.inf, x)).all()
    assert torch.isnan(walled_energy(lambda x: x[:, 0] * torch.nan, x)).all()


@pytest.mark.slow
@pytest.mark.statistical
def test_draws_within_a_wall_have_no_weight():
    edg = ep.EDG(ep.Potential(disc, 2), n_components=4)
    samples = edg.sample(4000, seed=0, n_views=1, progress=False)
    walls = ~np.isfinite(samples["energy"].values)
    assert walls.mean() > 0.03
    assert (np.isneginf(samples["log_weight_joint"].values) == walls).all()
    table = ep.estimate(samples)
    assert_z(float(table.log_z), float(table.log_z_err), DISC, max_err=0.05)
    # <E> = -d log Z / d beta at slope 2 beta.
    energy = -2.0 * scipy.special.iv(2, 2.0) / scipy.special.iv(1, 2.0)
    assert_z(float(table.energy), float(table.energy_err), energy, max_err=0.05)
    # Control: the whole plane within the draws, as if the wall were soft.
    assert_off(float(table.log_z), float(table.log_z_err), math.log(math.pi), least=4.0, max_err=0.05)


@pytest.mark.slow
@pytest.mark.statistical
def test_training_beside_walls():
    edg = ep.EDG(ep.Potential(disc, 2), n_components=4).fit(seed=0, n_steps=200, progress=False)
    assert np.isfinite(edg.history["bound"]).all()
    table = ep.estimate(edg.sample(4000, seed=0, n_views=1, progress=False))
    assert_z(float(table.log_z), float(table.log_z_err), DISC, max_err=0.05)
    assert float(table.ess) > 0.5


def test_nothing_but_walls_is_refused():
    system = ep.Potential(disc, 2)
    system._function = lambda x: x[:, 0] + torch.inf
    with pytest.raises(TrainingError, match="configurations of finite energy"):
        walk(ContinuousTarget(system), np.zeros((4, 2)), 2, np.random.default_rng(0))


def test_an_infinite_energy_of_weight_zero_leaves_all_estimates_alone():
    rng = np.random.default_rng(0)
    log_w, energy = rng.normal(size=(2, 500), scale=0.3)
    log_w[:20] = -np.inf
    attrs = {"temperature": 1.0, "beta": 1.0, "n_variables": 1, "observables": "[]"}
    tables = []
    for within in (0.0, np.inf):
        columns = {"energy": np.where(np.isneginf(log_w), within, energy), "log_weight_joint": log_w}
        tables.append(ep.estimate(xr.Dataset({k: ("draw", v) for k, v in columns.items()}, attrs=attrs)))
    for name in ("log_z", "log_z_err", "energy", "energy_err", "specific_heat"):
        assert float(tables[0][name]) == pytest.approx(float(tables[1][name]), rel=1e-12), name
    energy[30] = np.inf  # control: with weight it is refused
    columns = {"energy": ("draw", energy), "log_weight_joint": ("draw", log_w)}
    with pytest.raises(ValueError, match="energy must be finite on every draw"):
        ep.estimate(xr.Dataset(columns, attrs=attrs))
