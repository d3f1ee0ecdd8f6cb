# SPDX-License-Identifier: MIT
"""The small network behind a law: odd and even functions of what a site sees.

    h = t(W1 c (1 + V e)),      odd = W3 t(W2 h) + A c,      even = W5 silu(W4 h^2 + b4) + g b5

with t(u) = 1 / (1 + exp(-u)) - 1/2. c is the window, e marks its missing sites and keeps its sign. Without
biases the odd part is odd by itself, and one pass gives both. W3, A, W5, b5 start at zero. With a condition,
Gaussian bumps of it scale the hidden layers and combine as many linear parts A and biases b5; scales start at
one. The factor g lets b5 learn faster: in ordered phases it ends far from zero, a step is as long as any. One
network may serve all sites (weights (n_in, n_out)), or a stack of them, one per site.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.core.module import Module

__all__ = ["BIAS_GAIN", "AbstractNetwork", "OddEvenNetwork", "bumps"]

# Width of a bump over the distance of neighbouring ones.
_BUMP_WIDTH = 1.2
# g of the module docstring.
BIAS_GAIN = 4.0


def bumps(condition: Tensor, n_bumps: int) -> Tensor:
    """Gaussian bumps on [-1, 1] at a condition, shape (n_batch,) -> (n_batch, n_bumps)."""
    centres = torch.linspace(-1.0, 1.0, n_bumps, device=condition.device, dtype=condition.dtype)
    return torch.exp(-0.5 * ((condition[:, None] - centres) * (n_bumps - 1) / (2.0 * _BUMP_WIDTH)) ** 2)


class AbstractNetwork(Module, ABC):
    """Declaration of what gives the coefficients of a law, for all sites of a class or a stack of sites.

    Attributes
    ----------
    by_input : tuple of str
        Names of the weights that have a row for each input.
    n_before : int
        Inputs that the network knows without the window, before those of the window.
    """

    by_input: tuple[str, ...] = ("first", "linear")
    n_before: int = 0

    def forward(
        self, window: Tensor, edges: Tensor | None = None, bump: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Coefficients, each of shape (..., n_k).

        Parameters
        ----------
        window : tensor, shape (..., n_inputs)
            In several components (n_components, ..., n_inputs); of a stack (n_stacked, ..., n_inputs).
        edges : tensor, shape (n_sites_of_colour, n_edges), optional
        bump : tensor, optional
            Shape (n_batch, 1, n_bumps), or (n_batch, n_bumps) for a stack.
        """
        return self._evaluate(dict(self.named_parameters()), window, edges, bump)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all weights, by name."""
        return {name: tuple(weight.shape) for name, weight in self.named_parameters()}

    def one(self, k: int, window: Tensor, bump: Tensor | None = None) -> tuple[Tensor, ...]:
        """The k-th network of a stack, at the first inputs of its window, shape (.., n_batch, n_given)."""
        weights = {name: weight[k] for name, weight in self.named_parameters()}
        n_inputs = self.n_before + window.shape[-1]
        for name in self.by_input:
            weights[name] = weights[name][..., :n_inputs, :]
        return self._evaluate(weights, window, None, bump)

    @abstractmethod
    def _evaluate(
        self, weights: dict[str, Tensor], window: Tensor, edges: Tensor | None, bump: Tensor | None
    ) -> tuple[Tensor, ...]:
        """`forward` with given weights."""


@final
class OddEvenNetwork(AbstractNetwork):
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
        self.n_odd, self.n_even, self.n_bumps = n_odd, n_even, n_bumps
        stack = () if n_stacked is None else (n_stacked,)

        def normal(n_in: int, n_out: int, size: float) -> nn.Parameter:
            values = torch.randn(*stack, n_in, n_out, generator=generator)
            return nn.Parameter(values * size / max(n_in, 1) ** 0.5)

        def zeros(n_in: int, n_out: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*stack, n_in, n_out))

        # t has the slope 1/4 and the size 1/2: with these factors it is the tanh of a unit network.
        self.first, self.edge = normal(n_inputs, width, 2.0), zeros(n_edges, width)
        self.second, self.third = normal(width, width, 4.0), zeros(width, n_odd)
        self.linear = zeros(n_inputs, n_odd * max(n_bumps, 1))
        self.modulation = zeros(n_bumps, 2 * width) if n_bumps else None
        if n_even:
            self.fourth, self.fifth = normal(width, width, 8.0), zeros(width, n_even)
            self.fourth_bias, self.even_bias = zeros(1, width), zeros(max(n_bumps, 1), n_even)
            self.even_modulation = zeros(n_bumps, 2 * width) if n_bumps else None

    def _evaluate(
        self, weights: dict[str, Tensor], window: Tensor, edges: Tensor | None, bump: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Odd coefficients, shape (..., n_odd), and even ones, shape (..., n_even)."""
        signal, linear = window @ weights["first"], window @ weights["linear"]
        if edges is not None:
            signal = signal * (1.0 + edges @ weights["edge"])
        if bump is None:
            h = torch.sigmoid(signal)
            inner = _mixed(h, weights["second"])
        else:
            first, second = (bump @ weights["modulation"]).chunk(2, dim=-1)
            h = torch.sigmoid(signal * (1.0 + first))
            inner = _mixed(h, weights["second"]) * (1.0 + second)
            linear = (linear.unflatten(-1, (self.n_odd, self.n_bumps)) * bump[..., None, :]).sum(-1)
        odd = _mixed(torch.sigmoid(inner), weights["third"]) + linear
        if not self.n_even:
            return odd, odd[..., :0]
        inner = (h - 0.5).square() @ weights["fourth"] + weights["fourth_bias"]
        if bump is not None:
            scale, shift = (bump @ weights["even_modulation"]).chunk(2, dim=-1)
            inner = inner * (1.0 + scale) + shift
        bias = weights["even_bias"] if bump is None else bump @ weights["even_bias"]
        return odd, nn.functional.silu(inner) @ weights["fifth"] + BIAS_GAIN * bias


def _mixed(h: Tensor, weight: Tensor) -> Tensor:
    """(h - 1/2) @ weight, the constant with the product: h is a sigmoid, a third of the time of a tanh."""
    constant = -0.5 * weight.sum(-2, keepdim=True)
    if weight.dim() == 3:
        return torch.baddbmm(constant, h, weight)
    return torch.addmm(constant, h.flatten(0, -2), weight).unflatten(0, h.shape[:-1])
