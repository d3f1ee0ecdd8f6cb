# SPDX-License-Identifier: MIT
r"""The law of one angle given what is known: a few harmonics, tabulated.

    log p(theta) = sum_m a_m cos m theta + b_m sin m theta - log Z,     m = 1 .. 4,

a density with respect to d theta. The harmonics come from a network that turns and reflects with what it sees
(`edgphys.edg.refinement.angle_network`). Given all neighbours the law is exact, that of von Mises,
``exp(pair <u, s>) / 2 pi I_0(pair |s|)`` with u the unit vector of the angle, s the sum of those of the
neighbours, and pair = beta J.

The learned density is that of `edgphys.edg.refinement.circle_table`, linear between nodes, so that weights
are exact. The sum over the nodes converges exponentially to the integral; the density differs from that of
the family by the square of the step.
"""

from __future__ import annotations

import math
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from edgphys.edg.refinement.angle_network import AngleNetwork
from edgphys.edg.refinement.circle_table import CircleTable, circle, harmonics_of, wrapped
from edgphys.edg.refinement.law import spread
from edgphys.edg.refinement.rotor_law import AbstractRotorLaw
from edgphys.edg.refinement.von_mises import draw_von_mises, log_bessel

__all__ = ["N_HARMONICS", "AngleLaw", "node_counts"]

N_HARMONICS = 4
# Nodes of tables, and values for averages over densities: the fewest, and over the width of the narrowest
# density, (beta J degree)^(-1/2), so that the trapezoid rule has converged.
_FEWEST, _PER_WIDTH = (64, 16), (20.0, 8.0)


def node_counts(curvature: float) -> tuple[int, int]:
    """Of tables and of averages, for densities of that second derivative of the logarithm at most."""
    nodes, grid = (
        max(n, math.ceil(k * math.sqrt(curvature))) for n, k in zip(_FEWEST, _PER_WIDTH, strict=True)
    )
    return nodes, grid


@final
class AngleLaw(AbstractRotorLaw):
    """Angles of one system, in [-pi, pi); see the module docstring.

    Parameters
    ----------
    reduced_coupling, reduced_field : float
        beta J and beta h.
    strength : float
        Largest reduced coupling of one site to all others, for the number of nodes.
    with_field : bool, optional
        Whether networks know the direction of the field; default: if there is one.

    Examples
    --------
    >>> law = AngleLaw(0.5, 0.0, 2.0)
    >>> x, none = torch.tensor([2.0], dtype=torch.float64), torch.zeros(1, 4, dtype=torch.float64)
    >>> round(float(law.log_prob(x, none, none)), 6)  # -log 2 pi
    -1.837877
    """

    n_components: ClassVar[int] = 2  # pyright: ignore[reportIncompatibleVariableOverride]
    grid: Tensor
    nodes: Tensor
    harmonics: Tensor
    powers: Tensor

    def __init__(
        self,
        reduced_coupling: float,
        reduced_field: float,
        strength: float,
        with_field: bool | None = None,
    ) -> None:
        super().__init__(reduced_coupling, reduced_field, with_field)
        self.strength = strength
        n_nodes, n_grid = node_counts(strength)
        self.register_buffer("nodes", circle(n_nodes), persistent=False)
        self.register_buffer("harmonics", self.moments(self.nodes).T, persistent=False)
        self.register_buffer("grid", circle(n_grid), persistent=False)
        self.register_buffer("powers", self.moments(self.grid).T.float(), persistent=False)

    def network(self, n_inputs, n_edges, width, generator, *, n_stacked=None, n_bumps=0):
        """Equivariant under rotations and reflections."""
        more = {"n_stacked": n_stacked, "n_bumps": n_bumps, "n_axes": int(self.with_field)}
        return AngleNetwork(n_inputs, n_edges, N_HARMONICS, width, generator, **more)

    def seen(self, x: Tensor) -> Tensor:
        """Unit vectors, shape (2, ...)."""
        return self.message(x.float())

    def message(self, x: Tensor) -> Tensor:
        """Unit vectors, shape (2, ...)."""
        return torch.stack([torch.cos(x), torch.sin(x)])

    def bond(self, x: Tensor, y: Tensor) -> Tensor:
        """cos(x - y)."""
        return torch.cos(x - y)

    def coupled(self, x: Tensor, neighbour_sum: Tensor) -> Tensor:
        return spread(self.pair, x) * (self.message(x) * neighbour_sum).sum(0)

    def log_prob(self, x: Tensor, *coefficients: Tensor) -> Tensor:
        """Log-density of the tabulated law; of cosines and of sines, shape (..., n_harmonics)."""
        return self._table(*(one.to(x.dtype) for one in coefficients)).log_density(x)

    def draw(self, *coefficients) -> tuple[Tensor, Tensor]:
        """By inversion."""
        *harmonics, generator = coefficients
        table = self._table(*harmonics)
        x = table.draw(generator)
        return x, table.log_density(x)

    def moments(self, x: Tensor) -> Tensor:
        """Cosines, then sines, of the first multiples of x."""
        return harmonics_of(x, N_HARMONICS)

    def mean_log_prob(self, moments: Tensor, *coefficients: Tensor) -> Tensor:
        """sum_m a_m <cos m theta> + b_m <sin m theta> - log Z, without the interpolation between nodes."""
        both = torch.cat(self._with_bias(*coefficients), dim=-1)
        total = torch.logsumexp(both @ self.powers.to(both), dim=-1)
        return (both * moments.to(both)).sum(-1) - total - math.log(2.0 * math.pi / len(self.grid))

    def local(self, x: Tensor) -> Tensor:
        """beta h cos x."""
        return spread(self.bias, x) * torch.cos(x)

    def log_normaliser(self, neighbour_sum: Tensor) -> Tensor:
        """log 2 pi I_0."""
        return log_bessel(torch.linalg.vector_norm(self._given(neighbour_sum), dim=0))

    def draw_exact(self, neighbour_sum: Tensor, generator: torch.Generator) -> Tensor:
        """By rejection."""
        along, across = given = self._given(neighbour_sum.double())
        turn = draw_von_mises(torch.linalg.vector_norm(given, dim=0), generator)
        return wrapped(torch.atan2(across, along) + turn).to(neighbour_sum.dtype)

    def vector(self, x: Tensor) -> Tensor:
        """The unit vector, shape (2, ...)."""
        return self.message(x)

    def seen_field(self, field: Tensor) -> Tensor:
        return field.float()

    def in_field(self, coefficients, field, shift):
        return tuple(
            nn.functional.pad(along[..., None], (0, N_HARMONICS - 1)) + one
            for one, along in zip(coefficients, field, strict=True)
        )

    def _log_normaliser_of(self, square: Tensor) -> Tensor:
        return log_bessel(square.sqrt())

    def _given(self, neighbour_sum: Tensor) -> Tensor:
        """beta (J s + h), the exponent's vector."""
        along, across = spread(self.pair, neighbour_sum[0]) * neighbour_sum
        return torch.stack([along + spread(self.bias, along), across])

    def _table(self, cosines: Tensor, sines: Tensor) -> CircleTable:
        return CircleTable(self.harmonics, *self._with_bias(cosines, sines))

    def _with_bias(self, cosines: Tensor, sines: Tensor) -> tuple[Tensor, Tensor]:
        """Sites without neighbours follow the field alone."""
        bias = spread(self.bias, cosines)
        return torch.cat([cosines[..., :1] + bias, cosines[..., 1:]], dim=-1), sines
