# SPDX-License-Identifier: MIT
"""A density without a finite integral is suspected from its energy far away, and only such a one."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

import edgphys as ep
from edgphys.systems import AbstractContinuousSystem, available
from edgphys.systems.continuous.far_away import why_infinite
from edgphys.systems.continuous.planar_presets import PRESETS


def reason(system):
    drawn = system.random_configurations(16, np.random.default_rng(0))
    starts = np.concatenate([system.centres, drawn])
    return why_infinite(system.energy, starts, system.temperature, system.width)


def shipped():
    kinds = [record.system_class for record in available() if record.lattices == "none"]
    systems = [kind() for kind in kinds if kind is not ep.LennardJones]
    systems += [ep.LennardJones(5, pair_count="once"), ep.MuellerBrown(1e6), ep.DoubleWell(temperature=0.01)]
    return [*systems, *map(ep.Planar, PRESETS)]


def test_no_system_that_ships_is_suspected():
    assert {repr(system): reason(system) for system in shipped() if reason(system)} == {}


def student(dof, n):
    return lambda x: 0.5 * (dof + n) * torch.log1p((x**2).sum(1) / dof)


def wall(height):
    return lambda x: torch.where(x.abs() > 2.0, height, 0.0).sum(1) + 0.0 * (x**2).sum(1)


def funnel(x):
    return x[:, 0] ** 2 / 18 + 0.5 * (x[:, 1:] ** 2).sum(1) * torch.exp(-x[:, 0]) + 4.5 * x[:, 0]


def springs(x):
    return (torch.diff(x, dim=1) - 1.0).square().sum(1)


def pair(x):
    return 100.0 * ((x[:, :3] - x[:, 3:]).norm(dim=1) - 1.0) ** 2


def mixture(x):
    return -torch.logsumexp(torch.stack([-((x - a) ** 2).sum(1) for a in (-3.0, 3.0)]), 0)


FINITE = {
    "wells": (lambda x: ((x**2 - 1.0) ** 2).sum(1), 4),
    "ring": (lambda x: 50.0 * (x.norm(dim=1) - 2.0) ** 2, 2),
    "banana": (lambda x: x[:, 0] ** 2 / 200 + 0.5 * (x[:, 1] + 0.03 * x[:, 0] ** 2 - 3.0) ** 2, 2),
    "funnel": (funnel, 10),
    "student": (student(0.3, 3), 3),
    "product of Cauchy": (lambda x: torch.log1p(x**2).sum(1), 5),
    "mixture": (mixture, 2),
    "log of a sum of exp": (lambda x: -torch.log(torch.exp(-(x**2)).sum(1)), 1),
    "hard wall": (wall(math.inf), 3, {"width": 0.1}),
    "high wall": (wall(1e4), 3),
    "exponential": (lambda x: softplus(x).sum(1) + softplus(-x).sum(1), 3),
    "weak": (lambda x: 1e-12 * (x**2).sum(1), 2),
    "root": (lambda x: (1.0 + x.abs()).sqrt().sum(1), 2),
    "no number far away": (lambda x: (x.exp() / (1.0 + x.exp()) + x**2).sum(1), 2),
    "held springs": (lambda x: springs(x) + x[:, 0] ** 2, 10),
    "held pair": (lambda x: pair(x) + 0.01 * (x**2).sum(1), 6),
    "narrow arms": (lambda x: x[:, 0] ** 4 * x[:, 1] ** 2 + x[:, 1] ** 4 * x[:, 0] ** 2, 2),
}
INFINITE = {
    "flat": (lambda x: 0.0 * x.sum(1), 2),
    "angles": (lambda x: (1.0 - torch.cos(x)).sum(1), 2),
    "angles with barriers": (lambda x: 50.0 * (1.0 - torch.cos(x)).sum(1), 1),
    "an angle beside stiff springs": (lambda x: 500.0 * (x[:, 1:] ** 2).sum(1) + torch.cos(3 * x[:, 0]), 20),
    "one coordinate is free": (lambda x: (x[:, 1:] ** 2).sum(1), 30),
    "unbounded": (lambda x: -(x**2).sum(1), 3),
    "unbounded beyond a barrier": (lambda x: (x**2 - 0.01 * x**4).sum(1), 3),
    "odd": (lambda x: (x**3).sum(1), 2),
    "saddle": (lambda x: x[:, 0] ** 2 - x[:, 1] ** 2, 2),
    "Morse": (lambda x: (10.0 * (1.0 - torch.exp(-x)) ** 2).sum(1), 1),
    "a well in free space": (lambda x: -100.0 * torch.exp(-(x**2).sum(1)), 3),
    "springs not held": (springs, 10),
    "pair not held": (pair, 6),
    "tail too heavy": (lambda x: 0.9 * torch.log1p(x.norm(dim=1)), 2),
}


@pytest.mark.parametrize("name", FINITE)
def test_a_finite_integral_is_not_suspected(name):
    function, n_dims, *options = FINITE[name]
    ep.Potential(function, n_dims, **dict(*options))


@pytest.mark.parametrize("name", INFINITE)
def test_an_infinite_integral_is_refused(name):
    with pytest.raises(ValueError, match=r"^function must have a finite integral of exp\(-E/T\): .* got "):
        ep.Potential(*INFINITE[name])


def test_the_temperature_decides_over_a_tail():
    """E = log(1 + x^2): exp(-E/T) has a finite integral below T = 2."""
    energy = lambda x: torch.log1p(x**2).sum(1)  # noqa: E731
    potential = ep.Potential(energy, 1, temperature=1.9)
    with pytest.raises(ValueError, match="finite integral"):
        potential.replace(temperature=2.1)


class Angles(AbstractContinuousSystem):
    name, formula, event_shape = "angles", "-cos x - cos y", (2,)

    def __init__(self, temperature=1.0):
        self.temperature, self.parameters = temperature, {"temperature": temperature}

    def _energy(self, flat):
        return -torch.cos(flat).sum(1)


def test_a_class_of_ones_own_is_refused_before_it_is_computed():
    rule = "system must have a finite integral"
    with pytest.raises(ValueError, match=rule):
        ep.EDG(Angles()).fit(seed=0, n_steps=1)
    with pytest.raises(ValueError, match=rule):
        ep.mcmc.run(Angles(), "hmc", seed=0)
