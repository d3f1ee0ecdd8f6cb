# SPDX-License-Identifier: MIT
r"""The network behind a law of angles: harmonics that turn and reflect with the window.

The window is a list of unit vectors, written as complex numbers w_k, 0 where a site is missing. A learned
weighted sum of them, v, gives a frame n = v / (|v|^2 + c^2)^(1/2), and the network sees the window in it,

    u_k = conj(n) w_k ,        C_m = (A_m + i B_m) n^m ,     C_1 += sum_k L_k w_k ,

so that C_m turns as e^{i m theta}; where there is no direction, |n| -> 0, nothing depends on the frame. A
reflection changes the sign of Im u and must change that of B alone: with f two hidden layers of sigmoids,

    A = (f(u) + f(conj u)) W + b ,        B = (f(u) - f(conj u)) V .

W, V, L, b start at zero. Where bonds have harmonics beyond the first, so has L: C_m += sum_k L_mk w_k^m. A
field is one more vector, along the axis from which angles are counted; with one across it, too, nothing of
the symmetry is left.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.refinement.network import BIAS_GAIN, AbstractNetwork

__all__ = ["AngleNetwork"]

# c of the module docstring; the weights of v start at a sum of 1.
_SHORT = 0.1


@final
class AngleNetwork(AbstractNetwork):
    """Harmonics of a law of angles; see the module docstring.

    Parameters
    ----------
    n_inputs, n_edges, width, generator, n_stacked, n_bumps
        As in `OddEvenNetwork`.
    n_harmonics : int
    n_axes : int
        Fixed vectors: none, one along the field, or two.
    n_linear : int
        Harmonics with an L.
    """

    def __init__(
        self,
        n_inputs: int,
        n_edges: int,
        n_harmonics: int,
        width: int,
        generator: torch.Generator,
        *,
        n_axes: int = 0,
        n_linear: int = 1,
        n_stacked: int | None = None,
        n_bumps: int = 0,
    ) -> None:
        super().__init__()
        self.n_bumps, self.n_before, self.n_linear = n_bumps, n_axes, n_linear
        self.by_input = ("first", "first_odd", "linear", "frame", *(("higher",) if n_linear > 1 else ()))
        stack, n_inputs = () if n_stacked is None else (n_stacked,), n_inputs + self.n_before

        def normal(n_in: int, n_out: int, size: float) -> nn.Parameter:
            values = torch.randn(*stack, n_in, n_out, generator=generator)
            return nn.Parameter(values * size / max(n_in, 1) ** 0.5)

        def zeros(n_in: int, n_out: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*stack, n_in, n_out))

        self.first, self.first_odd = normal(n_inputs, width, 2.0), normal(n_inputs, width, 4.0)
        self.length, self.first_bias, self.edge = zeros(1, width), zeros(1, width), zeros(n_edges, width)
        self.second, self.second_bias = normal(width, width, 4.0), zeros(1, width)
        self.third, self.third_odd = zeros(width, n_harmonics), zeros(width, n_harmonics)
        self.linear = zeros(n_inputs, max(n_bumps, 1))
        self.bias = zeros(max(n_bumps, 1), n_harmonics)
        if n_linear > 1:
            self.higher = zeros(n_inputs, (n_linear - 1) * max(n_bumps, 1))
        # Sites are listed from near to far.
        near = 1.0 / (1.0 + torch.arange(n_inputs))
        self.frame = nn.Parameter((near / near.sum())[:, None].repeat(*stack, 1, 1))
        self.modulation = zeros(n_bumps, 2 * width) if n_bumps else None

    def _evaluate(
        self, weights: dict[str, Tensor], window: Tensor, edges: Tensor | None, bump: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Coefficients of cosines and of sines, each of shape (..., n_harmonics)."""
        frame = weights["frame"]
        axis = frame.dim() - 2  # of the components, behind that of a stack
        x, y = self._complete(window, axis).unbind(axis)
        direction = torch.stack([x @ frame, y @ frame])
        direction = direction * torch.rsqrt(direction.square().sum(0) + _SHORT**2)
        along, across = direction
        length = along.square() + across.square()
        even = (along * x + across * y) @ weights["first"] + length * weights["length"]
        odd = (along * y - across * x) @ weights["first_odd"]
        signal = torch.stack([even + odd, even - odd]) + weights["first_bias"]
        if edges is not None:
            signal = signal * (1.0 + edges @ weights["edge"])
        second, bias = 1.0, weights["bias"]
        linear = self._linear(weights, x, y, bump)
        if bump is not None:
            first, second = (1.0 + bump @ weights["modulation"]).chunk(2, dim=-1)
            signal, bias = signal * first, bump @ bias
        inner = second * ((torch.sigmoid(signal) - 0.5) @ weights["second"])
        plus, minus = torch.sigmoid(inner + weights["second_bias"])
        even = (plus + minus - 1.0) @ weights["third"] + BIAS_GAIN * bias
        odd = (plus - minus) @ weights["third_odd"]
        return _turned(even, odd, along, across, linear)

    def _complete(self, window: Tensor, axis: int) -> Tensor:
        """With the direction of the field before all others."""
        if not self.n_before:
            return window
        unit = window.new_zeros(*window.shape[:-1], self.n_before)
        for k in range(self.n_before):
            unit[..., k].select(axis, k).fill_(1.0)
        return torch.cat([unit, window], dim=-1)

    def _linear(self, weights: dict[str, Tensor], x: Tensor, y: Tensor, bump: Tensor | None) -> Tensor:
        """sum_k L_mk w_k^m, real and imaginary parts, shape (2, ..., n_linear)."""
        matrices = [weights["linear"]]
        if self.n_linear > 1:
            matrices += weights["higher"].chunk(self.n_linear - 1, dim=-1)
        sums = [
            torch.stack(power) @ matrix
            for power, matrix in zip(_powers(x, y, self.n_linear), matrices, strict=True)
        ]
        if bump is not None:
            sums = [(one * bump).sum(-1, keepdim=True) for one in sums]
        return sums[0] if len(sums) == 1 else torch.cat(sums, dim=-1)


def _powers(x: Tensor, y: Tensor, n: int) -> list[tuple[Tensor, Tensor]]:
    """(x + i y)^m, m = 1 .. n: real and imaginary parts."""
    powers = [(x, y)]
    for _ in range(n - 1):
        real, imaginary = powers[-1]
        powers.append((real * x - imaginary * y, real * y + imaginary * x))
    return powers


def _turned(
    even: Tensor, odd: Tensor, along: Tensor, across: Tensor, linear: Tensor
) -> tuple[Tensor, Tensor]:
    """(A_m + i B_m) n^m, and the linear part in the first: real and imaginary parts."""
    powers = _powers(along, across, even.shape[-1])
    real, imaginary = (torch.cat(parts, dim=-1) for parts in zip(*powers, strict=True))
    x, y = nn.functional.pad(linear, (0, even.shape[-1] - linear.shape[-1]))
    return even * real - odd * imaginary + x, odd * real + even * imaginary + y
