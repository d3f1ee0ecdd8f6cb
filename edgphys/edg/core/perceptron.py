# SPDX-License-Identifier: MIT
"""A plain network for a few variables without symmetry, seeded by a generator and zero at the start."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

__all__ = ["Perceptron", "linear"]


def linear(n_inputs: int, n_outputs: int, generator: torch.Generator, scale: float = 1.0) -> nn.Linear:
    """A linear layer with weights from `generator`, of variance ``scale^2 / n_inputs``, and no bias yet."""
    made = nn.utils.skip_init(nn.Linear, n_inputs, n_outputs)
    with torch.no_grad():
        made.weight.copy_(scale * torch.randn(n_outputs, n_inputs, generator=generator) / n_inputs**0.5)
        made.bias.zero_()
    return made


@final
class Perceptron(nn.Module):
    """Layers with residual connections and SiLU; the last layer starts at zero.

    Parameters
    ----------
    n_inputs, n_outputs : int
    width, depth : int
        Hidden units, and blocks of ``h + W2 silu(W1 h)``.
    generator : torch.Generator
        For the initial weights.
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, width: int, depth: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.first = linear(n_inputs, width, generator)
        self.inner = nn.ModuleList([linear(width, width, generator) for _ in range(depth)])
        self.outer = nn.ModuleList([linear(width, width, generator, 0.5) for _ in range(depth)])
        self.last = linear(width, n_outputs, generator, 0.0)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., n_inputs) -> (..., n_outputs)."""
        h = nn.functional.silu(self.first(inputs))
        for inner, outer in zip(self.inner, self.outer, strict=True):
            h = h + outer(nn.functional.silu(inner(h)))
        return self.last(nn.functional.silu(h))
