# SPDX-License-Identifier: MIT
"""Networks without symmetry: zero at the start, seeded, of the right variance; features of the noise."""

from __future__ import annotations

import pytest
import torch
from helpers.edg import perturb

from edgphys.edg.core.networks import Perceptron, TimeEmbedding, linear


def test_perceptron_is_zero_at_the_start_and_seeded():
    made = [Perceptron(3, 5, 8, 2, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    x = torch.randn(10, 3, generator=torch.Generator().manual_seed(5))
    assert (made[0](x) == 0.0).all().item() and made[0](x).shape == (10, 5)
    states = [one.state_dict() for one in made]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(states[0]["first.weight"], states[2]["first.weight"])
    assert (perturb(made[0], 0.1, 0)(x) != 0.0).all()
    layer = linear(400, 300, torch.Generator().manual_seed(6), 0.5)
    assert (
        float(layer.weight.detach().std()) == pytest.approx(0.5 / 20, rel=0.02) and (layer.bias == 0.0).all()
    )


def test_time_embedding_is_finite_at_both_ends_and_tells_times_apart():
    embedding = TimeEmbedding(16, torch.Generator().manual_seed(0))
    sigma = torch.linspace(0.0, 1.0, 101)
    features_of_time = embedding(sigma).detach()
    assert features_of_time.shape == (101, 16) and torch.isfinite(features_of_time).all()
    assert float((features_of_time[1:] - features_of_time[:-1]).norm(dim=1).min()) > 1e-4
