# SPDX-License-Identifier: MIT
"""The divergence of a field: exact against the whole Jacobian, and differentiable in what the field holds."""

from __future__ import annotations

import torch

from edgphys.edg.core.divergence import field_and_divergence, rademacher


def test_divergence_exact_equals_trace_of_jacobian_for_every_chunk():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    z = torch.randn(6, 5, generator=generator, dtype=torch.float64)

    def field(y):
        return torch.tanh(y @ matrix) * y

    jacobians = torch.func.vmap(torch.func.jacrev(lambda y: field(y[None])[0]))(z)
    expected = jacobians.diagonal(dim1=1, dim2=2).sum(1)
    for chunk_size in (None, 1, 2, 16):
        value, divergence = field_and_divergence(field, z, None, chunk_size)
        torch.testing.assert_close(divergence, expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(value, field(z))


def test_divergence_is_differentiable_in_parameters():
    weight = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    z = torch.ones(1, 2, dtype=torch.float64)
    probes = rademacher(2, z, torch.Generator().manual_seed(0))
    for kind in (None, probes):
        divergence = field_and_divergence(lambda y: weight * y**2, z, kind)[1].sum()
        assert torch.autograd.grad(divergence, weight)[0].tolist() == [2.0, 2.0]
