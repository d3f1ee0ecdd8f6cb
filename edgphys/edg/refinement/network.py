# SPDX-License-Identifier: MIT
"""The small network behind a law: odd and even functions of what a site sees, and a linear part.

    f(c) = W3 silu(W2 silu(W1 c + V e + b1) + b2) + b3,    odd = f(c) - f(-c) + A c,    even = f(c) + f(-c)

c is the window, e marks its missing sites and keeps its sign. W3 and A start at zero. With a condition,
Gaussian bumps of it scale and shift the two hidden layers and combine as many linear parts A; scales and
shifts start at zero. One network may serve all sites (weights (n_in, n_out)), or a stack of them, one
per site.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.core.module import Module

__all__ = ["OddEvenNetwork", "bumps"]

# Width of a bump over the distance of neighbouring ones.
_BUMP_WIDTH = 1.2


def bumps(condition: Tensor, n_bumps: int) -> Tensor:
    """Gaussian bumps on [-1, 1] at a condition, shape (n_batch,) -> (n_batch, n_bumps)."""
    centres = torch.linspace(-1.0, 1.0, n_bumps, device=condition.device, dtype=condition.dtype)
    return torch.exp(-0.5 * ((condition[:, None] - centres) * (n_bumps - 1) / (2.0 * _BUMP_WIDTH)) ** 2)


@final
class OddEvenNetwork(Module):
    """Coefficients of a law, `n_odd` of them odd and `n_even` even under a change of sign of the window.

    Parameters
    ----------
    n_inputs, n_edges : int
        Sites in the window, and columns that mark missing ones.
    n_odd, n_even : int
    width : int
        Hidden units of each layer.
    generator : torch.Generator
        For the initial weights.
    n_stacked : int, optional
        Independent networks; inputs are then (n_stacked, n_batch, n_inputs).
    n_bumps : int
        Of the condition; 0 for none.
    """

    def __init__(
        self,
        n_inputs: int,
        n_edges: int,
        n_odd: int,
        n_even: int,
        width: int,
        generator: torch.Generator,
        *,
        n_stacked: int | None = None,
        n_bumps: int = 0,
    ) -> None:
        super().__init__()
        self.n_odd, self.n_bumps = n_odd, n_bumps
        stack = () if n_stacked is None else (n_stacked,)

        def normal(n_in: int, n_out: int) -> nn.Parameter:
            values = torch.randn(*stack, n_in, n_out, generator=generator)
            return nn.Parameter(values / max(n_in, 1) ** 0.5)

        def zeros(n_in: int, n_out: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*stack, n_in, n_out))

        self.first, self.edge = normal(n_inputs, width), zeros(n_edges, width)
        self.second, self.third = normal(width, width), zeros(width, n_odd + n_even)
        # Biases of order one: without them silu(h) - silu(-h) is linear.
        self.bias = nn.Parameter(torch.randn(*stack, 1, width, generator=generator))
        self.second_bias, self.third_bias = zeros(1, width), zeros(1, n_odd + n_even)
        self.linear = zeros(n_inputs, n_odd * max(n_bumps, 1))
        self.modulation = zeros(n_bumps, 4 * width) if n_bumps else None

    def forward(
        self, window: Tensor, edges: Tensor | None = None, bump: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Odd and even coefficients.

        Parameters
        ----------
        window : tensor, shape (..., n_inputs)
        edges : tensor, shape (n_sites_of_colour, n_edges), optional
        bump : tensor, optional
            Shape (n_batch, 1, n_bumps), or (n_batch, n_bumps) for a stack.

        Returns
        -------
        odd : tensor, shape (..., n_odd)
        even : tensor, shape (..., n_even)
        """
        return self._evaluate(dict(self.named_parameters()), window, edges, bump)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all weights, by name."""
        return {name: tuple(weight.shape) for name, weight in self.named_parameters()}

    def one(self, k: int, window: Tensor, bump: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The k-th network of a stack, at the first inputs of its window, shape (n_batch, n_given)."""
        weights = {name: weight[k] for name, weight in self.named_parameters()}
        for name in ("first", "linear"):
            weights[name] = weights[name][: window.shape[-1]]
        return self._evaluate(weights, window, None, bump)

    def _evaluate(
        self, weights: dict[str, Tensor], window: Tensor, edges: Tensor | None, bump: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        shift = weights["bias"] if edges is None else weights["bias"] + edges @ weights["edge"]
        signal = window @ weights["first"]
        scale1, shift1, scale2, shift2 = _modulations(weights, bump)
        silu = nn.functional.silu
        sides = []
        for sign in (1.0, -1.0):
            h = silu((sign * signal + shift) * scale1 + shift1)
            h = silu((h @ weights["second"] + weights["second_bias"]) * scale2 + shift2)
            sides.append(h @ weights["third"] + weights["third_bias"])
        plus, minus = sides
        linear = window @ weights["linear"]
        if bump is not None:
            linear = (linear.unflatten(-1, (self.n_odd, self.n_bumps)) * bump[..., None, :]).sum(-1)
        return (plus - minus)[..., : self.n_odd] + linear, (plus + minus)[..., self.n_odd :]


def _modulations(weights: dict[str, Tensor], bump: Tensor | None) -> tuple:
    """Scale and shift of the two hidden layers."""
    if bump is None:
        return 1.0, 0.0, 1.0, 0.0
    scale1, shift1, scale2, shift2 = (bump @ weights["modulation"]).chunk(4, dim=-1)
    return 1.0 + scale1, shift1, 1.0 + scale2, shift2
