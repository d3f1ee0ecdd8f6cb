# SPDX-License-Identifier: MIT
"""Torch functions as numba functions: value and derivative are those of autograd, or a line says why not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgphys.systems.particles.traced_law import UntraceableError, plain_python, source_of, traced

_CONSTANT = torch.tensor(0.3)


def with_default(d2, strength=3.0):
    return strength * d2


def series(d2):
    return sum((d2**p / p for p in range(1, 4)), 0 * d2)


FUNCTIONS = {
    "lennard_jones": lambda x: x**-6 - 2 * x**-3,
    "double_well": lambda x: -4 * (x.sqrt() - 4) ** 2 + 0.9 * (x.sqrt() - 4) ** 4,
    "morse": lambda x: (1 - torch.exp(3 * (1 - x.sqrt()))) ** 2,
    "yukawa": lambda x: torch.exp(-torch.sqrt(x)) / torch.sqrt(x),
    "wall": lambda x: torch.where(x < 1, torch.inf, torch.sin(x)),
    "both_sides": lambda x: torch.where((x < 2) & (x > 1), x * x, -x.cos()) + x * (x <= 1),
    "clamps": lambda x: torch.clamp(x, 0.5, 2.0) ** 1.5 + x.clamp(min=0.3) - x.clamp_max(4.0),
    "extremes": lambda x: torch.maximum(x, 1 / x) + torch.minimum(x, 2 - x) + torch.relu(x - 1.1),
    "powers": lambda x: 2**x + torch.pow(x, 0.5) + x.pow(2) + x.square() + x.rsqrt() + x.reciprocal(),
    "logs": lambda x: x.log() + x.log1p() + x.log2() + x.log10() + torch.expm1(-x) + torch.exp2(-x),
    "waves": lambda x: x.sin() + x.cos() + (0.1 * x).tan() + x.atan() + x.sinh() + x.cosh() + x.tanh(),
    "errors": lambda x: torch.erf(x) + torch.erfc(x / 3) + torch.sigmoid(x) + abs(x - 1) + (-x),
    "arithmetic": lambda x: torch.div(x, 2) + torch.add(1, x) - torch.mul(x, x) + (1 - x) / (1 + x),
    "constant_tensor": lambda x: _CONSTANT.double() * x + torch.zeros_like(x),
    "default": with_default,
    "series": series,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_derivative_are_those_of_autograd(name):
    function = FUNCTIONS[name]
    law = plain_python(function)
    x = torch.tensor([0.2, 0.7, 1.3, 3.7, 9.1], dtype=torch.float64, requires_grad=True)
    y = function(x)
    (slope,) = torch.autograd.grad(y[torch.isfinite(y)].sum(), x)
    found = np.array([law(float(at)) for at in x.detach()])
    np.testing.assert_allclose(found[:, 0], y.detach(), rtol=1e-13)
    np.testing.assert_allclose(found[:, 1], slope, rtol=1e-11)
    assert not np.allclose(law(1.31)[0], y.detach()[2], rtol=1e-9)  # the control: another point


def test_compiled_it_is_the_same_and_has_no_exceptions():
    compiled = traced(FUNCTIONS["lennard_jones"])
    assert compiled(1.7) == pytest.approx(plain_python(FUNCTIONS["lennard_jones"])(1.7), rel=1e-14)
    assert not compiled(0.0)[0] < np.inf  # Python would divide by zero


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda x: x if x.sum() > 0 else -x, "TraceError"),
        (lambda x: x * float(x.sum()), "TypeError"),
        (lambda x: x.sum() * x, "torch operation sum"),
        (lambda x: torch.nn.functional.softplus(x), "torch operation softplus"),
        (lambda x: torch.add(x, x, alpha=2), "add with alpha"),
        (lambda x: torch.tensor([1.0, 2.0]) * x, "an operand Tensor"),
        (lambda x: x**x, "base and exponent both vary"),
        (lambda x: x + 1j, "an operand complex"),
    ],
)
def test_what_has_no_translation(function, words):
    with pytest.raises(UntraceableError, match=words):
        source_of(function)
