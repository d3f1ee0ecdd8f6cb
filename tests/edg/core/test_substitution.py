# SPDX-License-Identifier: MIT
"""Modules with other tensors: the values and gradients are theirs, the original and what is shared stay."""

from __future__ import annotations

import pytest
import torch

from edgphys.edg.core.networks import Perceptron
from edgphys.edg.core.substitution import with_tensors


def network():
    return Perceptron(2, 3, 4, 1, torch.Generator().manual_seed(0))


def test_values_and_gradients_are_those_of_the_tensors():
    original, x = network(), torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    before = {name: value.clone() for name, value in original.state_dict().items()}
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(2), requires_grad=True)
    inner = torch.zeros(4, 4, requires_grad=True)
    other = with_tensors(original, {"last.weight": weight, "outer.0.weight": inner})
    written = network()
    with torch.no_grad():
        written.last.weight.copy_(weight)
        written.outer[0].weight.copy_(inner)
    torch.testing.assert_close(other(x), written(x))
    other(x).sum().backward()
    written(x).sum().backward()
    torch.testing.assert_close(weight.grad, written.last.weight.grad)
    torch.testing.assert_close(inner.grad, written.outer[0].weight.grad)
    assert original.last.weight.grad is None
    for name, value in original.state_dict().items():
        assert torch.equal(value, before[name])


def test_all_else_is_shared():
    original = network()
    other = with_tensors(original, {"last.bias": torch.ones(3)})
    assert other.first is original.first and other.last.weight is original.last.weight
    assert other.last is not original.last and torch.equal(other.last.bias, torch.ones(3))


def test_buffers_are_replaced_and_unknown_names_refused():
    module = torch.nn.BatchNorm1d(2)
    other = with_tensors(module, {"running_mean": torch.ones(2)})
    assert torch.equal(other.running_mean, torch.ones(2)) and not module.running_mean.any()
    for name in ("colour", "running_mean.colour"):
        with pytest.raises((KeyError, AttributeError)):
            with_tensors(module, {name: torch.ones(1)})
