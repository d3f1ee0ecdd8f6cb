# SPDX-License-Identifier: MIT
r"""Generative models whose density is known: a decoder without latents, so that nothing is left to infer.

n_latent = 0, the path weights are exp(-U) / q for any number of steps, and the bounds are <log q + U>. Where
draws have no derivative the gradient is that of the score function with the mean of the batch as a baseline,
written as weights of the samples whose value is 1: with d = log q - (its value),

    share = 1 + d - mean(d),      grad <share f> = <(f - <f>) grad log q> .

References
----------
Wu, Wang, Zhang, Phys. Rev. Lett. 122, 080602 (2019) (reverse KL with a baseline for autoregressive networks).
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgphys.edg.core.model import AbstractEDGModel

__all__ = ["AbstractDensityModel", "score_shares"]


class AbstractDensityModel(AbstractEDGModel):
    """What a model without latents needs not say; concrete models are final."""

    n_latent: int = 0

    def no_latents(self, n: int) -> Tensor:
        """The latents of n samples."""
        return torch.zeros(n, 0, device=self.device)

    def drive(self, z: Tensor, x: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        return z

    def denoise(
        self, z: Tensor, x: Tensor, alpha: Tensor, sigma: Tensor, label: Tensor, step: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        return z, z

    def log_prior_label(self, label: Tensor) -> Tensor:
        return torch.zeros_like(label)

    def log_prob_label(self, x: Tensor, label: Tensor) -> Tensor:
        return torch.zeros_like(label)


def score_shares(log_prob: Tensor) -> tuple[Tensor, Tensor]:
    """The weights of the samples of a batch, and log q without its gradient; both (n_batch,).

    Examples
    --------
    >>> share, value = score_shares(torch.tensor([1.0, 3.0], requires_grad=True))
    >>> share.tolist(), value.requires_grad
    ([1.0, 1.0], False)
    """
    value = log_prob.detach()
    score = log_prob - value
    return 1.0 + score - score.mean(), value
