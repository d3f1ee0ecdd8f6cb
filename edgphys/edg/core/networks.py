# SPDX-License-Identifier: MIT
"""Networks without symmetry and features of the noise, seeded by a generator: the same on every device."""

from __future__ import annotations

from typing import cast, final

import torch
from torch import Tensor, nn

from edgphys.edg.core.module import Module

__all__ = ["Perceptron", "TimeEmbedding", "gaussian_parameter", "linear"]


def gaussian_parameter(shape: tuple[int, ...], scale: float, generator: torch.Generator) -> nn.Parameter:
    """A parameter of independent normal entries, drawn on the CPU so that every device starts the same."""
    return nn.Parameter(scale * torch.randn(shape, generator=generator))


def linear(n_inputs: int, n_outputs: int, generator: torch.Generator, scale: float = 1.0) -> nn.Linear:
    """A linear layer with weights from `generator`, of variance ``scale^2 / n_inputs``, and no bias yet."""
    made = cast(nn.Linear, nn.utils.skip_init(nn.Linear, n_inputs, n_outputs))
    with torch.no_grad():
        made.weight.copy_(scale * torch.randn(n_outputs, n_inputs, generator=generator) / n_inputs**0.5)
        made.bias.zero_()
    return made


@final
class Perceptron(Module):
    """Layers with residual connections and SiLU, for a few variables; the last layer starts at zero.

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


@final
class TimeEmbedding(Module):
    """Smooth features of the diffusion noise sigma in [0, 1] for feature-wise modulation.

    Parameters
    ----------
    n_features : int
    generator : torch.Generator
    """

    _N_RAW = 8

    def __init__(self, n_features: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = gaussian_parameter((n_features, self._N_RAW), self._N_RAW**-0.5, generator)
        self.second = gaussian_parameter((n_features, n_features), n_features**-0.5, generator)
        self.first_bias = nn.Parameter(torch.zeros(n_features))
        self.second_bias = nn.Parameter(torch.zeros(n_features))

    def forward(self, sigma: Tensor) -> Tensor:
        """(n_batch,) -> (n_batch, n_features)."""
        angle = torch.asin(sigma.clamp(0.0, 1.0))
        raw = [sigma, torch.cos(angle), angle, torch.log(sigma + 1e-2)]
        raw += [torch.sin(2 * angle), torch.cos(2 * angle), torch.sin(4 * angle), torch.exp(-10.0 * sigma)]
        hidden = nn.functional.silu(torch.stack(raw, 1) @ self.first.T + self.first_bias)
        return nn.functional.silu(hidden @ self.second.T + self.second_bias)
