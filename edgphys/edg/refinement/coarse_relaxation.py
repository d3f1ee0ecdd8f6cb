# SPDX-License-Identifier: MIT
r"""A continuous form of the coarse sites: y | x ~ N(M^{1/2} v(x), 1), and a learned law of x given y.

v(x) are the vectors of the bonds: a spin itself (n = 1), a corner of a simplex for a Potts state (n = q - 1),
a unit vector in the plane or in space (n = 2, 3). y has as many components on each site, and M^{1/2} acts on
each. M is the pair coupling that fits the coarse sites best, by pseudo-likelihood,

    p(x_i | rest)  ~  exp(local(x_i) + v(x_i) . f_i),     f_i = b + sum_{j != i} M_ij v(x_j) ,

with one value for each symmetry orbit of pairs, and its diagonal raised by a shift a until M is positive
definite. If the coarse sites had these couplings alone, p(x | y) would be the product of

    exp(local(x_i) + v(x_i) . (h_i + b) - a |v(x_i)|^2 / 2) / Z(h_i) ,     h = M^{1/2} y :

the heat bath of spins and states, the laws of von Mises and Fisher for unit vectors. The law that is learned,

    p_0(x | y) = prod_k p(x_k | y, x_1 ... x_{k-1}),

starts there. Pairs (x, y) to learn from cost n normal deviates a site.

References
----------
Hubbard, Phys. Rev. Lett. 3, 77 (1959). Besag, The Statistician 24, 179 (1975) (pseudo-likelihood).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgphys.edg.core.bounds import Loss
from edgphys.edg.core.module import Module
from edgphys.edg.core.training import Bound
from edgphys.edg.refinement.law import AbstractVectorLaw

__all__ = ["CoarseRelaxation", "fit_pair_couplings"]

# Smallest eigenvalue of M over the width of its spectrum, as for the relaxation of the whole lattice.
_MARGIN = 1e-3
# Weight of the squared couplings in the fit: orbits that the data do not tell apart stay finite.
_RIDGE = 1e-4
_LOG_2PI = math.log(2.0 * math.pi)


def fit_pair_couplings(
    law: AbstractVectorLaw, x: Tensor, orbits: NDArray[np.int64], *, with_field: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Couplings M, zero diagonal, float64 (n, n), and field b, (n_components,), by pseudo-likelihood.

    Parameters
    ----------
    law : AbstractVectorLaw
        Gives v and `local`.
    x : tensor, shape (n_samples, n)
    orbits : int64 array, shape (n, n)
        Pairs of one label have one coupling; labels on the diagonal have none.
    with_field : bool
        Else b = 0.
    """
    vectors, grid = law.vector(x.double()), law.vector_grid
    pairs = ~np.eye(len(orbits), dtype=bool)
    masks = torch.stack([torch.from_numpy((orbits == k) & pairs) for k in np.unique(orbits[pairs])]).double()
    sums = [vectors @ mask for mask in masks]
    if with_field:
        axes = torch.eye(law.n_components, dtype=torch.float64)
        sums += [axis[:, None, None].expand_as(vectors) for axis in axes]
    features = torch.stack(sums).flatten(2)  # (n_features, n_components, n_samples times n)
    vectors, local = vectors.flatten(1), law.local(law.grid)
    values = torch.zeros(len(features), dtype=torch.float64)
    for _ in range(50):  # Newton on a convex function
        field = torch.einsum("o,ocs->cs", values, features)
        weight = torch.softmax(local + field.T @ grid, dim=1)
        mean = grid @ weight.T
        gradient = torch.einsum("ocs,cs->o", features, mean - vectors) / len(weight) + _RIDGE * values
        spread = torch.einsum("sg,cg,dg->cds", weight, grid, grid) - mean[:, None] * mean
        curvature = torch.einsum("ocs,cds,pds->op", features, spread, features) / len(weight)
        step = torch.linalg.solve(curvature + _RIDGE * torch.eye(len(values), dtype=torch.float64), gradient)
        values -= step
        if float(step.abs().max()) < 1e-10:
            break
    couplings = torch.einsum("o,oij->ij", values[: len(masks)], masks)
    field = values[len(masks) :] if with_field else torch.zeros(law.n_components)
    return couplings.numpy(), field.double().numpy()


@final
class CoarseRelaxation(Module):
    """y given coarse sites, and coarse sites given y; see the module docstring.

    y is flat, component by component: shape (n_batch, n_components times n_sites).

    Parameters
    ----------
    law : AbstractVectorLaw
        Of the coarse sites.
    couplings : float64 array, shape (n, n)
        M up to its diagonal.
    field : float64 array, shape (n_components,)
        b.
    width : int
        Hidden units for each site.
    seed : int
        Of the initial weights.

    Attributes
    ----------
    root : float64 tensor, shape (n, n)
        M^{1/2}, symmetric.
    field : float64 tensor, shape (n_components,)
    shift : float64 tensor, shape ()
        a.
    """

    root: Tensor
    field: Tensor
    shift: Tensor
    mask: Tensor

    def __init__(
        self,
        law: AbstractVectorLaw,
        couplings: NDArray[np.float64],
        field: NDArray[np.float64],
        *,
        width: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.law, self.n = law, len(couplings)
        eigenvalues, vectors = np.linalg.eigh(couplings)
        shift = _MARGIN * (eigenvalues[-1] - eigenvalues[0]) - eigenvalues[0]
        root = (vectors * np.sqrt(np.maximum(eigenvalues + shift, 0.0))) @ vectors.T
        self.register_buffer("root", torch.from_numpy(0.5 * (root + root.T)))
        self.register_buffer("field", torch.tensor(field, dtype=torch.float64))
        self.register_buffer("shift", torch.tensor(float(shift), dtype=torch.float64))
        self.register_buffer("mask", torch.ones(self.n, self.n).tril(-1), persistent=False)
        generator = torch.Generator().manual_seed(seed)
        self.network = law.network(2 * self.n, 0, width, generator, n_stacked=self.n)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.root.device

    def soften(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """y drawn around given values, in their dtype."""
        mean = self._mean(x)
        return mean + torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)

    def log_prob_soft(self, y: Tensor, x: Tensor) -> Tensor:
        """log N(y; M^{1/2} v(x), 1), shape (n_batch,)."""
        return -0.5 * (y - self._mean(x.to(y.dtype))).square().sum(1) - 0.5 * y.shape[1] * _LOG_2PI

    def log_prob(self, x: Tensor, y: Tensor) -> Tensor:
        """log p_0(x | y), differentiable in y, shape (n_batch,)."""
        local, seen = self._local(y), self.law.seen(x)
        known = self.law.seen_field(local)
        mask = self.mask.reshape(self.n, *[1] * (seen.dim() - 1), self.n)
        windows = torch.cat([known.expand(self.n, *known.shape), mask * seen], dim=-1)
        coefficients = self.law.in_field(self.network(windows), local.transpose(1, 2), float(self.shift))
        return self.law.log_prob(x.to(y.dtype).transpose(0, 1), *coefficients).sum(0)

    @torch.no_grad()
    def draw(self, y: Tensor, generator: torch.Generator) -> Tensor:
        """Values from p_0(x | y), in the dtype of y, shape (n_batch, n)."""
        local, shift = self._local(y), float(self.shift)
        known, x = self.law.seen_field(local), self.law.zeros(len(y), self.n, y)
        for k in range(self.n):
            window = torch.cat([known, self.law.seen(x[:, :k])], dim=-1)
            coefficients = self.law.in_field(self.network.one(k, window), local[..., k], shift)
            x[:, k], _ = self.law.draw(*coefficients, generator)
        return x

    def bound(self, draw_coarse: Callable[[int, torch.Generator], Tensor]) -> Bound:
        """-<log p_0>, an objective of `edgphys.edg.core.training`.

        Parameters
        ----------
        draw_coarse : callable
            ``draw_coarse(n, generator)`` gives n coarse configurations, shape (n, n_sites).
        """

        def loss_of(model: object, n_batch: int, generator: torch.Generator) -> Loss:
            x = draw_coarse(n_batch, generator).float()
            loss = -self.log_prob(x, self.soften(x, generator)).mean()
            return Loss(torch.zeros_like(loss), loss)

        return loss_of

    def components(self, y: Tensor) -> Tensor:
        """y by component, shape (n_components, n_batch, n)."""
        return y.unflatten(1, (self.law.n_components, self.n)).transpose(0, 1)

    def _mean(self, x: Tensor) -> Tensor:
        """M^{1/2} v(x), flat."""
        return (self.law.vector(x) @ self.root.to(x.dtype)).transpose(0, 1).flatten(1)

    def _local(self, y: Tensor) -> Tensor:
        """The fields h + b, shape (n_components, n_batch, n)."""
        return self.components(y) @ self.root.to(y.dtype) + self.field.to(y.dtype)[:, None, None]
