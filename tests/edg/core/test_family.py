# SPDX-License-Identifier: MIT
"""A model of a range: weights are the polynomials of the docstring, at one coupling it is an ordinary model.

The bound that it is trained on is the mean of ordinary ones over the density 1 / sqrt(1 - u^2).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.continuous_edg import build, two_wells
from helpers.edg import mean_err, perturb
from helpers.stats import assert_off, assert_z

from edgphys.edg.core.bounds import Loss, path_bound
from edgphys.edg.core.conditions import Conditions
from edgphys.edg.core.family import ModelFamily, family_bound
from edgphys.edg.mixture.mixture_range import MixtureRange
from edgphys.edg.mixture.model import ContinuousModel
from edgphys.systems import DoubleWell

RANGE = Conditions({"temperature": (0.5, 2.0)})
WELL = DoubleWell(barrier=2.0, tilt=0.3)


def family(conditions=RANGE, scale=0.0):
    """Two components, twice as wide at the hot end as at the cold one, of equal shares there."""
    mixtures = [two_wells(0.95, [width], shares) for width, shares in ((0.5, (0.5, 0.5)), (0.25, (0.2, 0.8)))]
    columns = zip(*((np.log(m.weights), m.means, m.factors) for m in mixtures), strict=True)
    k = len(conditions.ranges)
    parts = (torch.from_numpy(np.stack(one)) for one in columns)
    start = MixtureRange(*(one.expand(*(2,) * (k - 1), *one.shape) for one in parts))
    template = build(WELL, start.mixture(torch.zeros(k)))
    with torch.no_grad():
        template.label_logits.zero_()
    return perturb(ModelFamily(template, conditions, start), scale, 1)


def at(model, u):
    return model.at_couplings(model.conditions.decoded(u))


@pytest.mark.parametrize("u", [-1.0, -0.3, 0.5, 1.0])
def test_weights_are_polynomials_of_the_coupling(u):
    model, plain = family(scale=0.2), family()
    found, start = (dict(at(one, [u]).named_parameters()) for one in (model, plain))
    factors = np.array(
        [1.0, *(0.3**n * np.polynomial.chebyshev.chebval(u, np.eye(5)[n]) for n in range(1, 5))]
    )
    added = torch.from_numpy(factors @ (model.weights - plain.weights).detach().double().numpy())
    place = 0
    for name, shape in model._shapes.items():
        size = math.prod(shape)
        expected = start[name].double() + added[place : place + size].view(shape)
        torch.testing.assert_close(found[name].double(), expected, rtol=1e-5, atol=1e-5)
        place += size
    assert place == model.weights.shape[1]


def test_at_one_coupling_it_is_an_ordinary_model_of_the_system_there():
    model = family(scale=0.1)
    cold = model.at_couplings({"temperature": 0.5})
    assert isinstance(cold, ContinuousModel) and cold.target.system == cold.target.training_system
    assert cold.target.system.parameters == WELL.replace(temperature=0.5).parameters
    x = torch.linspace(-2.0, 2.0, 7)[:, None]
    torch.testing.assert_close(cold.target.energy(x), WELL.replace(temperature=0.5).reduced_energy(x))
    # The start there is the mixture there, not that of the template.
    start = family().at_couplings({"temperature": 0.5})
    torch.testing.assert_close(start.decoder.frames.roots.flatten(), torch.full((2,), 0.25).double())
    torch.testing.assert_close(torch.softmax(start.label_logits, 0), torch.tensor([0.2, 0.8]))
    assert float(model.template.decoder.frames.roots[0]) == pytest.approx(0.375)


def test_gradients_reach_all_weights_at_their_powers():
    model = family(scale=0.1)
    family_bound(path_bound)(model, 32, torch.Generator().manual_seed(2)).total.backward()
    gradient = model.weights.grad
    assert gradient is not None and bool((gradient.abs().sum(1) > 0).all())
    assert all(p.grad is None for p in model.template.parameters())
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["weights"]
    assert model.target.calls.n_gradient_calls == 32


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("n_conditions", [1, 2])
def test_bound_is_the_mean_over_the_range(n_conditions):
    """<u_i^2> = 1/2 and, stratified, <u_i> = 0 within less than of independent draws; uniform u has 1/3."""
    ranges = {"temperature": (0.5, 2.0), "barrier": (1.0, 3.0)}
    conditions = Conditions(dict(list(ranges.items())[:n_conditions]))
    model, seen = family(conditions), []

    def bound(ordinary, n_batch, generator):
        u = conditions.encoded(ordinary.target.system.couplings)
        seen.append((n_batch, *u))
        return Loss(torch.tensor(u[-1] ** 2), torch.tensor(u[-1]))

    generator = torch.Generator().manual_seed(3)
    losses = [family_bound(bound)(model, 64, generator) for _ in range(500)]
    square, square_err = mean_err([float(loss.energy) for loss in losses])
    assert_z(square, square_err, 0.5, n_tests=4, max_err=0.02)
    assert_off(square, square_err, 1.0 / 3.0, least=8.0, max_err=0.02)
    middle = mean_err([float(loss.rest) for loss in losses])
    assert_z(*middle, 0.0, n_tests=4, max_err=0.02)
    sizes, *columns = np.array(seen).T
    assert (sizes == 32).all()
    for column in columns:
        assert (np.sort(column.reshape(-1, 2), 1) * [-1, 1] >= 0).all()  # one of each half
