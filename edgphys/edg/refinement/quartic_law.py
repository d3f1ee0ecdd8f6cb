# SPDX-License-Identifier: MIT
r"""The law of one real field given what is known: log p = a x + b x^2 + c x^3 + d x^4 - log Z(a, b, c, d).

a and c are odd, b and d even in the rest of the field; b and d start from the site's own potential V, and d
keeps its sign. The family contains the exact conditional density of phi^4 (c = 0, b and d those of -V) and,
unlike a Gaussian mixture, is right where the field is nearly a spin.

The density is evaluated on equidistant nodes and linear between them, with exponential tails beyond, so that
normaliser, density and inverse distribution function are closed forms, of full support, and weights exact.
The sum over the nodes converges exponentially to the integral; the density differs from that of the family by
the square of the step. A tail of slope s has the mass exp(end) / |s|.

Given all neighbours the normaliser is I of `SiteIntegral`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self, final

import torch
from torch import Tensor, nn

from edgphys.edg.refinement.law import AbstractLaw, spread
from edgphys.edg.targets.site_integral import SiteIntegral

__all__ = ["QuarticLaw", "field_size"]

_NODES = 96
# Values for averages over densities: the trapezoid rule converges exponentially.
_GRID = 32
# Entries of the table of log I between two values of the grid: an error of 1e-3 at most.
_FINER = 4
# Nats above the minimum of the lowest uniform potential at which the nodes end and the tails begin.
_HEIGHT = 16.0
# Least steepness of the tails, in units of 1 / scale.
_LEAST_SLOPE = 1.0
# Where softplus is 1.
_SOFTPLUS_ONE = math.log(math.e - 1.0)


@final
class QuarticLaw(AbstractLaw):
    """Field values of one system; see the module docstring.

    Parameters
    ----------
    quadratic, quartic : float
        Coefficients of V.
    hop : float
        Of S = -2 hop sum_<ij> x_i x_j + sum V(x_i).
    degree : int
        Most neighbours of a site.
    n_nodes : int
    size : (float, float), optional
        Of a variable, and of the nodes in units of it, see `field_size`; default: by it.

    Attributes
    ----------
    size : (float, float)
    """

    by_coupling: ClassVar[tuple[str, ...]] = ("pair", "quadratic", "quartic")
    is_bounded: ClassVar[bool] = False
    quadratic: float | Tensor
    quartic: float | Tensor
    sites: Any
    nodes: Tensor
    grid: Tensor
    powers: Tensor
    fine: Tensor

    def __init__(
        self,
        quadratic: float,
        quartic: float,
        hop: float,
        degree: int,
        n_nodes: int = _NODES,
        size: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.n_odd, self.n_even, self.pair = 2, 2, 2.0 * float(hop)
        self.quadratic, self.quartic = float(quadratic), float(quartic)
        self.size = field_size(quadratic, quartic, hop, degree) if size is None else size
        self.scale, end = self.size
        # Fields of neighbours at the end of the nodes: almost all draws are served by the table.
        largest = 2.0 * abs(hop) * degree * end * self.scale + 1e-3
        self.sites = nn.ModuleList([SiteIntegral(quadratic, quartic, largest=largest)])
        self.row: Tensor | None = None
        nodes = torch.linspace(-end, end, n_nodes, dtype=torch.float64)
        self.register_buffer("nodes", nodes, persistent=False)
        self.step = float(nodes[1] - nodes[0])
        grid = torch.linspace(-end, end, _GRID, dtype=torch.float64)
        self.register_buffer("grid", self.scale * grid, persistent=False)
        self.register_buffer("powers", self.moments(self.grid).T.float(), persistent=False)
        self.spacing = float(self.grid[1] - self.grid[0]) / _FINER
        n_fine = math.ceil((degree + 1) * end * self.scale / self.spacing)
        sums = self.spacing * torch.arange(-n_fine, n_fine + 1, dtype=torch.float64)
        self.register_buffer("fine", self.log_normaliser(sums).float(), persistent=False)

    def stacked(self, laws: Sequence[Self]) -> Self:
        stack = super().stacked(laws)
        stack.fine = torch.stack([law.fine for law in laws])
        stack.sites = nn.ModuleList([site for law in laws for site in law.sites])
        return stack

    def rows(self, index: Tensor) -> Self:
        chosen = super().rows(index)
        chosen.row = index
        return chosen

    def log_prob(self, x: Tensor, odd: Tensor, even: Tensor) -> Tensor:
        """Log-density of the tabulated law, tails included."""
        table = _Table(self, self._coefficients(odd.to(x.dtype), even.to(x.dtype)))
        return table.log_density(x / self.scale) - math.log(self.scale)

    def draw(self, odd: Tensor, even: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """By inversion."""
        table = _Table(self, self._coefficients(odd, even))
        x = table.draw(generator)
        return x * self.scale, table.log_density(x) - math.log(self.scale)

    def moments(self, x: Tensor) -> Tensor:
        """The first four powers of x / scale."""
        unit = x / self.scale
        square = unit * unit
        return torch.stack([unit, square, square * unit, square * square], dim=-1)

    def mean_log_prob(self, moments: Tensor, odd: Tensor, even: Tensor) -> Tensor:
        """<a x + b x^2 + c x^3 + d x^4> - log Z, without the interpolation between nodes."""
        coefficients = self._coefficients(odd, even)
        height = (coefficients * moments.to(coefficients)).sum(-1)
        total = torch.logsumexp(coefficients @ self.powers.to(coefficients), dim=-1)
        return height - total - math.log(_FINER * self.spacing)

    def local(self, x: Tensor) -> Tensor:
        """-V."""
        return -x * x * (spread(self.quadratic, x) + spread(self.quartic, x) * x * x)

    def log_normaliser(self, neighbour_sum: Tensor) -> Tensor:
        """log I."""
        given = spread(self.pair, neighbour_sum) * neighbour_sum
        if self.row is None:
            return self.sites[0].log_integral(given)
        total = torch.empty_like(given)
        for k in self.row.unique().tolist():
            here = self.row == k
            total[here] = self.sites[k].log_integral(given[here]).to(total)
        return total

    def log_normaliser_on_grid(self, neighbour_sum: Tensor, times: Tensor) -> Tensor:
        """By linear interpolation, with one weight for all values, float32."""
        first = (neighbour_sum + times.to(neighbour_sum) * float(self.grid[0])) / self.spacing
        index = first.floor()
        part = (first - index)[..., None].float()
        steps = _FINER * times.long()[:, None] * torch.arange(len(self.grid), device=times.device)
        n_fine = self.fine.shape[-1]
        middle = n_fine // 2
        index = (index.long()[..., None] + steps + middle).clamp(0, n_fine - 2)
        if self.row is not None:
            index = index + n_fine * self.row[:, None, None]
        fine = self.fine.flatten()
        low = fine[index]
        return low + part * (fine[index + 1] - low)

    def draw_exact(self, neighbour_sum: Tensor, generator: torch.Generator) -> Tensor:
        """By rejection."""
        return self.sites[0].draw(self.pair * neighbour_sum, generator)

    def _coefficients(self, odd: Tensor, even: Tensor) -> Tensor:
        """a, b, c, d for the variable in units of `scale`, shape (..., 4)."""
        b, d = even.unbind(-1)
        b = b - spread(self.quadratic, b) * self.scale**2
        d = -spread(self.quartic, d) * self.scale**4 * nn.functional.softplus(d + _SOFTPLUS_ONE)
        return torch.stack([odd[..., 0], b, odd[..., 1], d], dim=-1)


class _Table:
    """Densities of a batch of laws, unnormalised, by their logarithms at the nodes; variables in units."""

    def __init__(self, law: QuarticLaw, coefficients: Tensor) -> None:
        nodes = law.nodes.to(coefficients.dtype)
        self.coefficients, self.step = coefficients, law.step
        self.first, self.last, self.n_pieces = float(nodes[0]), float(nodes[-1]), len(nodes) - 1
        height = coefficients @ torch.stack([nodes, nodes**2, nodes**3, nodes**4])
        self.top = height.detach().amax(dim=-1)
        self.density = torch.exp(height - self.top[..., None])
        ends = nodes[[0, -1]]
        slopes = coefficients @ torch.stack([torch.ones_like(ends), 2 * ends, 3 * ends**2, 4 * ends**3])
        self.left = slopes[..., 0].clamp(min=_LEAST_SLOPE)
        self.right = slopes[..., 1].clamp(max=-_LEAST_SLOPE)
        self.tails = torch.stack([self.density[..., 0] / self.left, -self.density[..., -1] / self.right], -1)
        inside = self.step * (self.density.sum(-1) - 0.5 * (self.density[..., 0] + self.density[..., -1]))
        self.log_total = self.top + torch.log(inside + self.tails.sum(-1))

    def _height(self, x: Tensor) -> Tensor:
        """Logarithm of the density of the family, unnormalised."""
        a, b, c, d = self.coefficients.unbind(-1)
        return x * (a + x * (b + x * (c + x * d)))

    def log_density(self, x: Tensor) -> Tensor:
        """At x, shape (...)."""
        piece = ((x.detach() - self.first) / self.step).floor().clamp(0, self.n_pieces - 1)
        low = self.first + piece * self.step
        part = ((x - low) / self.step).clamp(0.0, 1.0)
        start, end = self._height(low), self._height(low + self.step)
        top = torch.maximum(start, end).detach()
        inside = top + torch.log((1.0 - part) * torch.exp(start - top) + part * torch.exp(end - top))
        left = start + self.left * (x - self.first)
        right = end + self.right * (x - self.last)
        height = torch.where(x < self.first, left, torch.where(x > self.last, right, inside))
        return height - self.log_total

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> Tensor:
        """A piece by its mass, then a point in it."""
        like = {"generator": generator, "dtype": self.density.dtype, "device": self.density.device}
        pieces = 0.5 * self.step * (self.density[..., 1:] + self.density[..., :-1])
        cumulative = torch.cat([pieces, self.tails], dim=-1).cumsum(-1)
        level = torch.rand((*self.top.shape, 1), **like) * cumulative[..., -1:]
        n_pieces = self.n_pieces
        chosen = torch.searchsorted(cumulative, level, right=True).clamp(max=n_pieces + 1)
        uniform = 1.0 - torch.rand(self.top.shape, **like)  # in (0, 1]
        piece = chosen.clamp(max=n_pieces - 1)
        start, end = (self.density.gather(-1, piece + k)[..., 0] for k in (0, 1))
        # The root of  start t + (end - start) t^2 / 2 = uniform (start + end) / 2  without cancellation.
        part = uniform * (start + end) / (start + torch.sqrt(start**2 + uniform * (end**2 - start**2)))
        x = self.first + (piece[..., 0] + part) * self.step
        x = torch.where(chosen[..., 0] == n_pieces, self.first + torch.log(uniform) / self.left, x)
        return torch.where(chosen[..., 0] == n_pieces + 1, self.last + torch.log(uniform) / self.right, x)


def field_size(quadratic: float, quartic: float, hop: float, degree: int) -> tuple[float, float]:
    """Size of a variable, and in its units the end of the nodes, from the potential of a uniform field.

    That potential, ``(quadratic - |hop| degree) x^2 + quartic x^4``, is a site's share of the action of a
    uniform field, the least for its size. Where it has no minimum (free fields on open lattices) the site's
    own stands in.
    """
    lowest = quadratic - abs(hop) * degree
    if quartic == 0.0 and lowest <= 0.0:
        lowest = quadratic
    square = _square_at(_HEIGHT, lowest, quartic)
    x = torch.linspace(-1.0, 1.0, 2001, dtype=torch.float64) * math.sqrt(square)
    weight = torch.softmax(-(lowest * x**2 + quartic * x**4), dim=0)
    scale = math.sqrt(float(weight @ x**2))
    return scale, math.sqrt(square) / scale


def _square_at(height: float, lowest: float, quartic: float) -> float:
    """x^2 at which the potential is `height` above its minimum, on the outer side."""
    if quartic == 0.0:
        return height / lowest
    depth = min(lowest, 0.0) ** 2 / (4.0 * quartic)
    # quartic y^2 + lowest y = height - depth, solved without cancellation.
    rest = height - depth
    root = math.sqrt(lowest**2 + 4.0 * quartic * rest)
    return 2.0 * rest / (lowest + root) if lowest > 0.0 else (root - lowest) / (2.0 * quartic)
