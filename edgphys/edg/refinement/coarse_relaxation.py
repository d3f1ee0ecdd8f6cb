# SPDX-License-Identifier: MIT
r"""A continuous form of the coarse spins: y | s ~ N(M^{1/2} s, 1), and a learned law of s given y.

M is the pair coupling that fits the coarse spins best, by pseudo-likelihood,

    p(s_i | rest) = exp(s_i f_i) / 2 cosh f_i,     f_i = b + sum_{j != i} M_ij s_j ,

with one value for each symmetry orbit of pairs, and its diagonal raised until M is positive definite (which
changes nothing, as s_i^2 = 1). If the coarse spins had these couplings alone, p(s | y) would be the product
of exp(s_i (x_i + b)) / 2 cosh(x_i + b) with x = M^{1/2} y. The law that is learned,

    p_0(s | y) = prod_k p(s_k | y, s_1 ... s_{k-1}),

starts there. Pairs (s, y) to learn from cost one normal deviate a spin.

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
from torch import Tensor, nn

from edgphys.edg.core.bounds import Loss
from edgphys.edg.core.module import Module
from edgphys.edg.core.training import Bound
from edgphys.edg.refinement.network import OddEvenNetwork

__all__ = ["CoarseRelaxation", "fit_pair_couplings"]

# Smallest eigenvalue of M over the width of its spectrum, as for the relaxation of the whole lattice.
_MARGIN = 1e-3
# Weight of the squared couplings in the fit: orbits that the data do not tell apart stay finite.
_RIDGE = 1e-4
_LOG_2PI = math.log(2.0 * math.pi)


def fit_pair_couplings(
    spins: Tensor, orbits: NDArray[np.int64], *, with_field: bool
) -> tuple[NDArray[np.float64], float]:
    """Couplings M, zero diagonal, float64 (n, n), and field b by maximum pseudo-likelihood.

    Parameters
    ----------
    spins : tensor, shape (n_samples, n)
    orbits : int64 array, shape (n, n)
        Pairs of one label have one coupling; labels on the diagonal have none.
    with_field : bool
        Else b = 0.
    """
    spins = spins.double()
    pairs = ~np.eye(len(orbits), dtype=bool)
    masks = torch.stack([torch.from_numpy((orbits == k) & pairs) for k in np.unique(orbits[pairs])])
    features = [spins @ mask.double() for mask in masks]
    if with_field:
        features.append(torch.ones_like(spins))
    features = torch.stack(features, dim=-1) * spins[..., None]
    values = torch.zeros(features.shape[-1], dtype=torch.float64)
    flat = features.reshape(-1, features.shape[-1])
    for _ in range(50):  # Newton on a convex function
        up = torch.sigmoid(-2.0 * flat @ values)
        gradient = -2.0 * (up[:, None] * flat).mean(0) + _RIDGE * values
        curvature = 4.0 * (flat * (up * (1.0 - up))[:, None]).T @ flat / len(flat)
        step = torch.linalg.solve(curvature + _RIDGE * torch.eye(len(values), dtype=torch.float64), gradient)
        values -= step
        if float(step.abs().max()) < 1e-10:
            break
    couplings = torch.einsum("o,oij->ij", values[: len(masks)], masks.double())
    return couplings.numpy(), float(values[-1]) if with_field else 0.0


@final
class CoarseRelaxation(Module):
    """y given coarse spins, and coarse spins given y; see the module docstring.

    Parameters
    ----------
    couplings : float64 array, shape (n, n)
        M up to its diagonal.
    field : float
        b.
    with_field : bool
        Else the law is even, and b must be 0.
    width : int
        Hidden units for each spin.
    seed : int
        Of the initial weights.

    Attributes
    ----------
    root : float64 tensor, shape (n, n)
        M^{1/2}, symmetric.
    """

    root: Tensor
    field: Tensor
    mask: Tensor

    def __init__(
        self,
        couplings: NDArray[np.float64],
        field: float,
        *,
        with_field: bool = False,
        width: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.n = len(couplings)
        self.register_buffer("field", torch.tensor(float(field), dtype=torch.float64))
        eigenvalues, vectors = np.linalg.eigh(couplings)
        shift = _MARGIN * (eigenvalues[-1] - eigenvalues[0]) - eigenvalues[0]
        root = (vectors * np.sqrt(np.maximum(eigenvalues + shift, 0.0))) @ vectors.T
        self.register_buffer("root", torch.from_numpy(0.5 * (root + root.T)))
        self.register_buffer("mask", torch.ones(self.n, self.n).tril(-1)[:, None], persistent=False)
        self.network = OddEvenNetwork(
            2 * self.n, 0, 1, int(with_field), width, torch.Generator().manual_seed(seed), n_stacked=self.n
        )

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.root.device

    def soften(self, spins: Tensor, generator: torch.Generator) -> Tensor:
        """y drawn around given spins, in their dtype."""
        mean = spins @ self.root.to(spins.dtype)
        return mean + torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)

    def log_prob_soft(self, y: Tensor, spins: Tensor) -> Tensor:
        """log N(y; M^{1/2} s, 1), shape (n_batch,)."""
        off = y - spins.to(y.dtype) @ self.root.to(y.dtype)
        return -0.5 * off.square().sum(1) - 0.5 * self.n * _LOG_2PI

    def log_prob(self, spins: Tensor, y: Tensor) -> Tensor:
        """log p_0(s | y), differentiable in y, shape (n_batch,)."""
        local = y @ self.root.to(y.dtype)
        seen = self.mask * spins.float()
        windows = torch.cat([local.float().expand(self.n, -1, -1), seen], dim=-1)
        odd, even = self.network(windows)
        logit = local.T + self.field + (odd[..., 0] + even.sum(-1)).to(y.dtype)
        return -nn.functional.softplus(-2.0 * spins.to(y.dtype).T * logit, threshold=40.0).sum(0)

    @torch.no_grad()
    def draw(self, y: Tensor, generator: torch.Generator) -> Tensor:
        """Spins from p_0(s | y), in the dtype of y."""
        local = y @ self.root.to(y.dtype)
        spins = torch.zeros_like(y)
        for k in range(self.n):
            odd, even = self.network.one(k, torch.cat([local, spins[:, :k]], dim=1).float())
            logit = (local[:, k] + self.field + (odd[:, 0] + even.sum(-1)).to(y.dtype)).double()
            uniform = torch.rand(len(y), generator=generator, dtype=torch.float64, device=y.device)
            spins[:, k] = 2.0 * (uniform < torch.sigmoid(2.0 * logit)).to(y.dtype) - 1.0
        return spins

    def bound(self, draw_spins: Callable[[int, torch.Generator], Tensor]) -> Bound:
        """-<log p_0>, an objective of `edgphys.edg.core.training`.

        Parameters
        ----------
        draw_spins : callable
            ``draw_spins(n, generator)`` gives n coarse configurations, shape (n, n_spins).
        """

        def loss_of(model: object, n_batch: int, generator: torch.Generator) -> Loss:
            spins = draw_spins(n_batch, generator).float()
            loss = -self.log_prob(spins, self.soften(spins, generator)).mean()
            return Loss(torch.zeros_like(loss), loss)

        return loss_of
