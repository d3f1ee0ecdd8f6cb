# SPDX-License-Identifier: MIT
r"""The law of one unit vector in space given what is known: a few densities of von Mises and Fisher.

    p(s) = sum_k w_k exp(h_k . s) kappa_k / 4 pi sinh kappa_k ,     kappa_k = |h_k| ,     k = 1 .. 4,

with respect to the area of the sphere. Fields h_k and shares w_k come from a network that rotates and
reflects with what it sees (`edgphys.edg.refinement.sphere_network`). Fields h + d and h - d of equal weight
make the exponent h . s + (d . s)^2 / 2 + ..., so that four components have the freedom of a quadratic form,
and their normaliser and draws are closed forms. Given all neighbours the law is exact, with one field
beta (J s + h).

A unit vector has three numbers: values have the shape (..., 3).
"""

from __future__ import annotations

import math
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from edgphys.edg.refinement.law import spread
from edgphys.edg.refinement.rotor_law import AbstractRotorLaw
from edgphys.edg.refinement.sphere_network import SphereNetwork
from edgphys.edg.refinement.von_mises_fisher import draw_von_mises_fisher, log_sphere, sphere

__all__ = ["SphereLaw"]

_N_FIELDS = 4
# Points for averages over densities: the fewest, and by the field of the narrowest density.
_FEWEST, _PER_FIELD = 128, 24.0


@final
class SphereLaw(AbstractRotorLaw):
    """Unit vectors of one system; see the module docstring.

    Parameters
    ----------
    reduced_coupling, reduced_field : float
        beta J and beta h, of the field along the third axis.
    strength : float
        Largest reduced coupling of one site to all others, for the number of points.
    with_field : bool, optional
        Whether networks know the direction of the field; default: if there is one.

    Examples
    --------
    >>> law, north = SphereLaw(0.5, 0.0, 2.0), torch.tensor([0.0, 0.0, 1.0])
    >>> round(float(law.log_prob(north, torch.zeros(4, 3), torch.zeros(4))), 6)  # -log 4 pi
    -2.531024
    """

    n_components: ClassVar[int] = 3  # pyright: ignore[reportIncompatibleVariableOverride]
    n_numbers: ClassVar[int] = 3
    grid: Tensor

    def __init__(
        self,
        reduced_coupling: float,
        reduced_field: float,
        strength: float,
        with_field: bool | None = None,
    ) -> None:
        super().__init__(reduced_coupling, reduced_field, with_field)
        points = sphere(max(_FEWEST, math.ceil(_PER_FIELD * strength)))
        self.register_buffer("grid", points, persistent=False)

    def network(self, n_inputs, n_edges, width, generator, *, n_stacked=None, n_bumps=0):
        """Equivariant under rotations and reflections."""
        more = {"n_stacked": n_stacked, "n_bumps": n_bumps, "with_field": self.with_field}
        return SphereNetwork(n_inputs, n_edges, _N_FIELDS, width, generator, **more)

    def seen(self, x: Tensor) -> Tensor:
        """The components, shape (3, ...)."""
        return x.movedim(-1, 0).float()

    def message(self, x: Tensor) -> Tensor:
        """The components, shape (3, ...)."""
        return x.movedim(-1, 0)

    def bond(self, x: Tensor, y: Tensor) -> Tensor:
        """The scalar product."""
        return (x * y).sum(-1)

    def coupled(self, x: Tensor, neighbour_sum: Tensor) -> Tensor:
        product = (self.message(x) * neighbour_sum).sum(0)
        return spread(self.pair, product) * product

    def log_prob(self, x: Tensor, *coefficients: Tensor) -> Tensor:
        """Of fields, shape (..., n_fields, 3), and logarithms of shares, (..., n_fields)."""
        fields, shares = self._with_bias(*(one.to(x.dtype) for one in coefficients))
        return torch.logsumexp(shares + (fields * x[..., None, :]).sum(-1), dim=-1)

    def draw(self, *coefficients) -> tuple[Tensor, Tensor]:
        """A component by its share, then a vector of it."""
        *both, generator = coefficients
        fields, shares = both
        share = torch.softmax(shares.detach().double(), dim=-1)
        which = torch.multinomial(share.reshape(-1, share.shape[-1]), 1, generator=generator)
        which = which.reshape(*share.shape[:-1], 1, 1).expand(*share.shape[:-1], 1, 3)
        chosen = self._biased(fields).gather(-2, which)[..., 0, :]
        x = draw_von_mises_fisher(chosen, generator).to(fields.dtype)
        return x, self.log_prob(x, fields, shares)

    def moments(self, x: Tensor) -> Tensor:
        """Indicators of the nearest point of the grid: averages of log q are sums over the grid."""
        nearest = (x @ self.grid.to(x.dtype).T).argmax(-1)
        return nn.functional.one_hot(nearest, len(self.grid)).to(x.dtype)

    def mean_log_prob(self, moments: Tensor, *coefficients: Tensor) -> Tensor:
        """sum over the grid."""
        fields, shares = self._with_bias(*coefficients)
        log_probs = torch.logsumexp(shares[..., None] + fields @ self.grid.to(fields).T, dim=-2)
        return (moments.to(log_probs) * log_probs).sum(-1)

    def local(self, x: Tensor) -> Tensor:
        """beta h along the third axis."""
        return spread(self.bias, x[..., 2]) * x[..., 2]

    def log_normaliser(self, neighbour_sum: Tensor) -> Tensor:
        """log 4 pi sinh(kappa) / kappa."""
        return log_sphere(self._given(neighbour_sum).square().sum(0))

    def draw_exact(self, neighbour_sum: Tensor, generator: torch.Generator) -> Tensor:
        """By inversion."""
        given = self._given(neighbour_sum.double()).movedim(0, -1)
        return draw_von_mises_fisher(given, generator).to(neighbour_sum.dtype)

    def vector(self, x: Tensor) -> Tensor:
        """The unit vector with its third component first, shape (3, ...)."""
        return self.message(x).roll(1, 0)

    def seen_field(self, field: Tensor) -> Tensor:
        return field.roll(-1, 0).float()

    def in_field(self, coefficients, field, shift):
        """Every component in the field: the product of the densities where all fields are one."""
        fields, shares = coefficients
        return fields + field.roll(-1, 0).movedim(0, -1)[..., None, :], shares.to(field)

    def _log_normaliser_of(self, square: Tensor) -> Tensor:
        return log_sphere(square)

    def _given(self, neighbour_sum: Tensor) -> Tensor:
        """beta (J s + h), the exponent's vector."""
        x, y, z = spread(self.pair, neighbour_sum[0]) * neighbour_sum
        return torch.stack([x, y, z + spread(self.bias, z)])

    def _biased(self, fields: Tensor) -> Tensor:
        """Sites without neighbours follow the field alone."""
        if not self.with_field:
            return fields
        x, y, z = fields.unbind(-1)
        return torch.stack([x, y, z + spread(self.bias, z)], dim=-1)

    def _with_bias(self, fields: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Fields, and logarithms of shares less those of the normalisers."""
        fields = self._biased(fields)
        return fields, torch.log_softmax(shares, dim=-1) - log_sphere(fields.square().sum(-1))
