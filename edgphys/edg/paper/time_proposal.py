# SPDX-License-Identifier: MIT
r"""A learned density of diffusion times, for integrals over t by importance sampling.

    int_0^T dt <f>_t = E_{t ~ q}[ f / q(t) ] ,

of least variance at ``q ~ sqrt(<f^2>_t)``. Here q is constant on equal bins, follows the running second
moment of f in each, and keeps a share of the uniform density, so that a bin once found quiet is visited
again. The expectation does not depend on q: a batch is drawn and weighted with the density that earlier
batches left behind.

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080 (learned time proposal).
Song, Durkan, Murray, Ermon, arXiv:2101.09258, section 5.2.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from edgphys.edg.core.module import Module

__all__ = ["TimeProposal", "stratified"]


def stratified(n: int, generator: torch.Generator) -> Tensor:
    """One point in each of n equal strata of [0, 1), one common offset, shuffled; float64, shape (n,)."""
    like = {"generator": generator, "device": generator.device}
    return (torch.randperm(n, **like) + torch.rand(1, dtype=torch.float64, **like)) / n


@final
class TimeProposal(Module):
    """Piecewise-constant density on [0, T] that adapts to an integrand; its state is saved with a model's.

    Parameters
    ----------
    horizon : float
        T.
    n_bins : int
    decay : float
        Memory of the running second moment, per batch.
    uniform_share : float
        Part of the density that stays uniform, in (0, 1].

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> proposal = TimeProposal(1.0, n_bins=2, uniform_share=0.2)
    >>> proposal.update(torch.tensor([0.1, 0.9]), torch.tensor([3.0, 1.0]))
    >>> proposal.density(torch.tensor([0.1, 0.9]))  # 0.2 + 0.8 * 2 * (3/4, 1/4)
    tensor([1.4000, 0.6000], dtype=torch.float64)
    """

    def __init__(
        self, horizon: float, *, n_bins: int = 50, decay: float = 0.95, uniform_share: float = 0.1
    ) -> None:
        super().__init__()
        if n_bins < 1 or not horizon > 0.0:
            raise ValueError(f"n_bins and horizon must be positive, got {n_bins} and {horizon}")
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay must be in [0, 1), got {decay}")
        if not 0.0 < uniform_share <= 1.0:
            raise ValueError(f"uniform_share must be in (0, 1], got {uniform_share}")
        self.horizon, self.n_bins, self.decay, self.uniform_share = horizon, n_bins, decay, uniform_share
        self.register_buffer("second_moment", torch.zeros(n_bins, dtype=torch.float64))
        self.register_buffer("weight", torch.zeros(n_bins, dtype=torch.float64))

    def _probabilities(self) -> Tensor:
        """Of the bins; uniform until something was seen, and bins never seen count as the average one."""
        weight = self.weight.double()
        seen = weight > 0.0
        size = torch.sqrt(self.second_moment.double() / weight.clamp(min=1e-300))
        average = size[seen].mean() if bool(seen.any()) else torch.ones_like(size[0])
        size = torch.where(seen, size, average).clamp(min=1e-30)
        return (1.0 - self.uniform_share) * size / size.sum() + self.uniform_share / self.n_bins

    def _bins(self, t: Tensor) -> Tensor:
        return (t.double() * (self.n_bins / self.horizon)).long().clamp(0, self.n_bins - 1)

    def density(self, t: Tensor) -> Tensor:
        """q(t), float64, shape of `t`."""
        return self._probabilities()[self._bins(t)] * (self.n_bins / self.horizon)

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Stratified times and their density, float64, both (n,).

        Parameters
        ----------
        n : int
        generator : torch.Generator
            On the device of the buffers.
        """
        probabilities = self._probabilities()
        upper = torch.cumsum(probabilities, 0)
        # Normalised by the last sum, which rounding keeps off 1.
        u = stratified(n, generator) * upper[-1]
        bins = torch.searchsorted(upper, u, right=True).clamp(max=self.n_bins - 1)
        inside = (u - upper[bins] + probabilities[bins]) / probabilities[bins]
        t = (bins + inside.clamp(0.0, 1.0)) * (self.horizon / self.n_bins)
        return t, probabilities[bins] * (self.n_bins / self.horizon)

    @torch.no_grad()
    def update(self, t: Tensor, integrand: Tensor) -> None:
        """Take one batch into the running second moment.

        Parameters
        ----------
        t, integrand : tensors, shape (n_batch,)
            Times and values of f, not divided by the density.
        """
        bins = self._bins(t)
        squares = integrand.to(self.weight.dtype).square().nan_to_num(0.0, 0.0, 0.0)
        self.second_moment.mul_(self.decay).index_add_(0, bins, squares)
        self.weight.mul_(self.decay).index_add_(0, bins, torch.ones_like(squares))
