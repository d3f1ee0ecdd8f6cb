# SPDX-License-Identifier: MIT
r"""Densities of angles by a few harmonics, log p(x) = sum_m a_m cos m x + b_m sin m x - log Z.

`CircleTable` evaluates them on equidistant nodes that turn with the first harmonic, and linear between them,
so that normaliser, density and inverse distribution function are closed forms. `draw_harmonics` draws from
the densities themselves, by rejection from their tables: between nodes a step s apart

    exp(h) <= exp(chord of h) exp(c s^2 / 8) <= (chord of exp h) exp(c s^2 / 8),     |h''| <= c,

with h = log p + log Z and c = sum_m m^2 |(a_m, b_m)|.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["CircleTable", "circle", "draw_harmonics", "harmonics_of", "wrapped"]


def circle(n: int) -> Tensor:
    """n equidistant angles from -pi."""
    return torch.arange(n, dtype=torch.float64) * (2.0 * math.pi / n) - math.pi


def wrapped(x: Tensor) -> Tensor:
    """The same angle in [-pi, pi)."""
    turned = x - 2.0 * math.pi * torch.floor((x + math.pi) / (2.0 * math.pi))
    # Rounding may give pi itself, or an angle just below -pi.
    return torch.where((turned >= math.pi) | (turned < -math.pi), turned.new_tensor(-math.pi), turned)


def harmonics_of(x: Tensor, n: int) -> Tensor:
    """Cosines, then sines, of the first n multiples of x, shape (..., 2 n)."""
    multiples = x[..., None] * torch.arange(1, n + 1, device=x.device)
    return torch.cat([torch.cos(multiples), torch.sin(multiples)], dim=-1)


class CircleTable:
    """Densities of a batch by their logarithms at nodes that turn with the first harmonic.

    Parameters
    ----------
    harmonics : tensor, shape (2 n, n_nodes)
        `harmonics_of` the nodes, transposed.
    cosines, sines : tensors, shape (..., n)
        a and b.
    """

    def __init__(self, harmonics: Tensor, cosines: Tensor, sines: Tensor) -> None:
        self.centre = torch.atan2(sines[..., 0], cosines[..., 0]).detach()
        cos, sin = harmonics_of(self.centre, cosines.shape[-1]).chunk(2, dim=-1)
        turned = torch.cat([cosines * cos + sines * sin, sines * cos - cosines * sin], dim=-1)
        height = turned @ harmonics.to(turned)
        self.n_nodes = height.shape[-1]
        self.step = 2.0 * math.pi / self.n_nodes
        self.top = height.detach().amax(dim=-1)
        self.density = torch.exp(height - self.top[..., None])
        # The trapezoid rule on the circle.
        self.log_total = torch.log(self.density.sum(-1)) + self.top + math.log(self.step)

    def log_density(self, x: Tensor) -> Tensor:
        """At x, shape (...)."""
        place = (wrapped(x - self.centre) + math.pi) / self.step
        piece = place.floor().clamp(0, self.n_nodes - 1)
        part = (place - piece).clamp(0.0, 1.0)
        start = self._at(piece.long())
        end = self._at((piece.long() + 1) % self.n_nodes)
        return torch.log(start + part * (end - start)) + self.top - self.log_total

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> Tensor:
        """A piece by its mass, then a point in it."""
        like = {"generator": generator, "dtype": self.density.dtype, "device": self.density.device}
        cumulative = (self.density + self.density.roll(-1, dims=-1)).cumsum(-1)
        level = torch.rand((*self.top.shape, 1), **like) * cumulative[..., -1:]
        piece = torch.searchsorted(cumulative, level, right=True).clamp(max=self.n_nodes - 1)[..., 0]
        uniform = 1.0 - torch.rand(self.top.shape, **like)  # in (0, 1]
        start, end = self._at(piece), self._at((piece + 1) % self.n_nodes)
        # The root of  start t + (end - start) t^2 / 2 = uniform (start + end) / 2  without cancellation.
        part = uniform * (start + end) / (start + torch.sqrt(start**2 + uniform * (end**2 - start**2)))
        return wrapped(self.centre - math.pi + (piece + part) * self.step)

    def _at(self, node: Tensor) -> Tensor:
        """Unnormalised density at nodes; never 0, so that its logarithm is finite."""
        return self.density.gather(-1, node[..., None])[..., 0].clamp(min=1e-37)


@torch.no_grad()
def draw_harmonics(harmonics: Tensor, cosines: Tensor, sines: Tensor, generator: torch.Generator) -> Tensor:
    """Angles of the densities without the interpolation between nodes, float64, shape (...).

    Parameters as those of `CircleTable`.
    """
    a, b = (one.double().reshape(-1, one.shape[-1]) for one in (cosines, sines))
    n, step = a.shape[-1], 2.0 * math.pi / harmonics.shape[-1]
    squares = torch.arange(1, n + 1, device=a.device).double() ** 2
    bound = 0.125 * step**2 * (torch.hypot(a, b) @ squares)
    angle, open_ = a.new_empty(len(a)), torch.arange(len(a), device=a.device)
    while len(open_):
        cosine, sine = a[open_], b[open_]
        table = CircleTable(harmonics, cosine, sine)
        x = table.draw(generator)
        height = (torch.cat([cosine, sine], -1) * harmonics_of(x, n)).sum(-1)
        chord = table.log_density(x) + table.log_total
        level = torch.rand(len(x), generator=generator, dtype=torch.float64, device=x.device)
        # Written as "not rejected", so that NaN ends the loop.
        accept = ~(torch.log(level) > height - chord - bound[open_])
        angle[open_[accept]] = x[accept]
        open_ = open_[~accept]
    return angle.reshape(cosines.shape[:-1])
