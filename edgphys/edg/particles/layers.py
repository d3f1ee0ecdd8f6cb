# SPDX-License-Identifier: MIT
r"""Equivariant layers on clusters of particles, S_n x E(d), with their Jacobian in closed form.

`PairFlow` moves every particle along the lines to all others, by a trained law of the distance that the
surroundings of the two modulate:

    x_i' = x_i + 1/n sum_j w_ij (x_i - x_j),      w_ij = w(r_ij) + sum_f psi_f(r_ij) (g_if + g_jf),
    g_if = tanh( b_f + sum_k bond_f(r_ik) ),

w, psi_f and bond_f sums of Gaussians in r and a constant. Only differences enter and w_ij = w_ji:
permutations, rotations, reflections and translations commute with the map, and the mean stays where it is.
Force laws of the form of g are those of the embedded-atom method; with g = 0 this is a step of kernel
dynamics.

References
----------
Koehler, Klein, Noe, Equivariant flows, ICML (2020), arXiv:2006.02425, section 5 (kernel dynamics).
Daw and Baskes, Phys. Rev. B 29, 6443 (1984) (embedded atoms).
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.core.module import Module
from edgphys.edg.core.networks import gaussian_parameter, linear

__all__ = ["PairFlow", "PairNetwork", "RadialBasis"]

# Gaussians of the distance reach so far, in units of the typical distance, and crowd at short ones.
_REACH, _CROWDING, _OVERLAP = 2.5, 1.5, 1.2


@final
class RadialBasis(Module):
    """Gaussians of the distance, narrow and close at short distances, and a constant.

    Parameters
    ----------
    n_gaussians : int
    length : float
        Typical distance of two particles.
    """

    def __init__(self, n_gaussians: int, length: float) -> None:
        super().__init__()
        place = (torch.arange(n_gaussians, dtype=torch.float64) + 0.5) / n_gaussians
        slope = _CROWDING * place ** (_CROWDING - 1.0) / n_gaussians
        self.n_functions = n_gaussians + 1
        self.register_buffer("centres", (_REACH * length * place**_CROWDING).float())
        self.register_buffer("rates", (1.0 / (_OVERLAP * _REACH * length * slope)).float())

    def forward(self, r: Tensor) -> Tensor:
        """Values, shape (..., n_functions)."""
        scaled = (r[..., None] - self.centres) * self.rates
        return torch.cat([torch.exp(-0.5 * scaled * scaled), torch.ones_like(r)[..., None]], -1)

    def slopes(self, r: Tensor, values: Tensor) -> Tensor:
        """Derivatives of these values."""
        scaled = (r[..., None] - self.centres) * self.rates
        slope = -scaled * self.rates * values[..., :-1]
        return torch.cat([slope, torch.zeros_like(r)[..., None]], -1)


@final
class PairFlow(Module):
    """One layer; the identity at the start.

    Parameters
    ----------
    n_features : int
        Number of g_f.
    basis : RadialBasis
        May be shared between layers.
    generator : torch.Generator
    """

    def __init__(self, n_features: int, basis: RadialBasis, generator: torch.Generator) -> None:
        super().__init__()
        self.n_features, self.basis = n_features, basis
        self.pair = nn.Parameter(torch.zeros(basis.n_functions, 1 + n_features))
        self.bond = gaussian_parameter((basis.n_functions, n_features), 0.5, generator)
        self.bias = nn.Parameter(torch.zeros(n_features))

    def forward(self, x: Tensor) -> Tensor:
        """Positions (n_batch, n_particles, n_axes) -> the same shape."""
        return x + self.displacement(x)

    def displacement(self, x: Tensor) -> Tensor:
        """x' - x."""
        difference, r = self._distances(x)
        pair, psi, bond = self._split(self.basis(r))
        g = torch.tanh(bond.sum(2) + self.bias)
        w = pair + torch.einsum("bijf,bif->bij", psi, g) + torch.einsum("bijf,bjf->bij", psi, g)
        return (w[..., None] * difference).sum(2) / x.shape[1]

    def with_jacobian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Also d x'/d x, shape (n_batch, n_particles n_axes, n_particles n_axes).

        It maps a common displacement of all particles to itself, so that its determinant is that of the map
        between the mean-free subspaces.
        """
        n_batch, n, n_axes = x.shape
        difference, r = self._distances(x)
        values = self.basis(r)
        unit = difference / r[..., None]
        pair, psi, bond = self._split(values)
        pair_slope, psi_slope, bond_slope = self._split(self.basis.slopes(r, values))
        g = torch.tanh(bond.sum(2) + self.bias)
        both = g[:, :, None] + g[:, None]
        w = pair + (psi * both).sum(-1)
        w_slope = pair_slope + (psi_slope * both).sum(-1)
        # Through the distance of the pair itself: block (i, j) of axes a, c.
        direct = w_slope[..., None, None] * difference[..., :, None] * unit[..., None, :]
        direct = direct + w[..., None, None] * torch.eye(n_axes, dtype=x.dtype, device=x.device)
        jacobian = _own_minus_other(direct).permute(0, 1, 3, 2, 4).reshape(n_batch, n * n_axes, n * n_axes)
        # Through the surroundings: d x'_i / d g_kf, then d g_kf / d x_j.
        reach = psi[..., :, None] * difference[..., None, :]
        own = reach.sum(2).movedim(1, -1)
        reach.diagonal(dim1=1, dim2=2).add_(own)
        steep = (1.0 - g * g)[:, :, None, :] * bond_slope
        grip = _own_minus_other(steep[..., :, None] * unit[..., None, :])
        reach = reach.permute(0, 1, 4, 2, 3).reshape(n_batch, n * n_axes, -1)
        grip = grip.permute(0, 1, 3, 2, 4).reshape(n_batch, -1, n * n_axes)
        one = torch.eye(n * n_axes, dtype=x.dtype, device=x.device)
        moved = x + (w[..., None] * difference).sum(2) / n
        return moved, one + (jacobian + reach @ grip) / n

    def _distances(self, x: Tensor) -> tuple[Tensor, Tensor]:
        difference = x[:, :, None] - x[:, None, :]
        # Off zero by far less than any length that matters: differentiable where i = j.
        least = 1e-3 / float(self.basis.rates[0])
        return difference, torch.sqrt(difference.square().sum(-1) + least**2)

    def _split(self, functions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """w, psi and bond from the basis functions (or their derivatives)."""
        sums = functions @ torch.cat([self.pair, self.bond], 1)
        return sums[..., 0], sums[..., 1 : 1 + self.n_features], sums[..., 1 + self.n_features :]


def _own_minus_other(blocks: Tensor) -> Tensor:
    """From d/d(x_i - x_j) of term (i, j), summed over j, to d/dx_j: shape (n_batch, n, n, ...)."""
    out = -blocks
    out.diagonal(dim1=1, dim2=2).add_(blocks.sum(2).movedim(1, -1))
    return out


@final
class PairNetwork(Module):
    """From M vectors per particle to N vectors without mean, and invariant numbers for the whole.

    Pairs see the products of differences ``(X_i^a - X_j^a) . (X_i^b - X_j^b)``; messages go both ways alike.

    Parameters
    ----------
    n_vectors, n_outputs : int
        M and N; the outputs are zero at the start.
    n_scalars : int
        Invariant outputs, zero at the start.
    n_conditions : int
        Numbers that condition every round.
    width, depth : int
        Hidden numbers of a pair and of a particle, and rounds of messages.
    generator : torch.Generator
    """

    def __init__(
        self,
        n_vectors: int,
        n_outputs: int,
        n_scalars: int,
        n_conditions: int,
        *,
        width: int,
        depth: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.n_vectors, self.n_outputs, self.width = n_vectors, n_outputs, width
        self.register_buffer("pairs", torch.triu_indices(n_vectors, n_vectors), persistent=False)
        n_features = n_vectors * (n_vectors + 1) // 2 + n_vectors
        self.edge = nn.ModuleList([linear(n_features, width, generator) for _ in range(depth)])
        self.given = nn.ModuleList([linear(n_conditions, width, generator) for _ in range(depth)])
        self.node = nn.ModuleList([linear(width, width, generator) for _ in range(depth)])
        self.update = nn.ModuleList([linear(width, width, generator) for _ in range(depth)])
        self.to_pairs = linear(width, n_vectors * n_outputs, generator, 0.0)
        self.to_scalars = linear(width, n_scalars, generator, 0.0)

    def forward(self, vectors: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """(n_batch, n, M, d), (n_batch, n_conditions) -> (n_batch, n, N, d), (n_batch, n_scalars)."""
        n = vectors.shape[1]
        differences = vectors[:, :, None] - vectors[:, None]
        features = self._invariants(differences)
        h = vectors.new_zeros(len(vectors), n, self.width)
        for edge, given, node, update in zip(self.edge, self.given, self.node, self.update, strict=True):
            own = node(h)
            m = edge(features) + given(condition)[:, None, None] + own[:, :, None] + own[:, None]
            m = nn.functional.silu(m)
            h = h + nn.functional.silu(update(m.sum(2) / n))
        weights = self.to_pairs(m).view(*m.shape[:3], self.n_outputs, self.n_vectors) / n**0.5
        return torch.einsum("bijom,bijmd->biod", weights, differences), self.to_scalars(h.mean(1))

    def _invariants(self, differences: Tensor) -> Tensor:
        first, second = self.pairs
        products = (differences[..., first, :] * differences[..., second, :]).sum(-1)
        square = differences.square().sum(-1)
        return torch.cat([torch.asinh(products), torch.exp(-square)], -1)
