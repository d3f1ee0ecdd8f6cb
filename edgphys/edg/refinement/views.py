# SPDX-License-Identifier: MIT
r"""Views: one configuration, weighed under several elements of the space group.

A generator whose output is moved by a uniformly drawn element g_1 draws x = g_1 x_0. Further elements
g_2 ... g_K are drawn for each configuration its own. The harmonic mean

    w_K(x) = [ (1/K) sum_k 1 / w(g_k^{-1} x) ]^{-1},      w(x) = exp(-beta E(x)) / q(x),

has E[w_K] = Z for every K, and <log w_K> rises with K to the bound of the law that is averaged over the
orbit.

A set of elements shared by many configurations leaves every single weight right, but makes their errors
common. The flip of all signs is no view of its own: with odd laws q is invariant under it.

The variance of log w within the views of a configuration is what more views remove; that between
configurations is what only training removes.

References
----------
Sobolev and Vetrov, arXiv:1909.03406 (the harmonic mean over latents).
Veach and Guibas, SIGGRAPH 1995 (the balance heuristic).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.symmetry import SpaceGroup

__all__ = ["ViewedDraw", "draw_with_views", "harmonic_mean", "variance_of_views"]


@dataclass(frozen=True)
class ViewedDraw:
    """Configurations with the weight of each view.

    Attributes
    ----------
    configurations : float64 tensor, shape (n_batch, n_sites)
    log_weights : float64 tensor, shape (n_batch, n_views)
        log w of each view; the first is the one that made the configuration.
    """

    configurations: Tensor
    log_weights: Tensor

    @property
    def log_weight(self) -> Tensor:
        """log w_K, shape (n_batch,)."""
        return harmonic_mean(self.log_weights)


@torch.no_grad()
def draw_with_views(
    model: LatticeGenerator, group: SpaceGroup, n_samples: int, n_views: int, generator: torch.Generator
) -> ViewedDraw:
    """Draw configurations, move each by an element of its own, and weigh them from `n_views` sides.

    Parameters
    ----------
    model : LatticeGenerator
    group : SpaceGroup
        Symmetries of the energy.
    n_samples, n_views : int
    generator : torch.Generator
    """
    configurations, log_prob = model.sample(n_samples, generator)
    weights = [model.log_weight(configurations, log_prob)]
    for _ in range(n_views - 1):
        seen = group.move(configurations, generator)
        weights.append(model.log_weight(configurations, model.log_prob(seen)))
    return ViewedDraw(group.move(configurations, generator), torch.stack(weights, dim=1))


def harmonic_mean(log_weights: Tensor) -> Tensor:
    """log of the harmonic mean of weights over the last axis.

    Examples
    --------
    >>> harmonic_mean(torch.log(torch.tensor([[1.0, 0.5]]))).exp()
    tensor([0.6667])
    """
    return math.log(log_weights.shape[-1]) - torch.logsumexp(-log_weights, dim=-1)


def variance_of_views(log_weights: Tensor) -> tuple[float, float]:
    """Variance of log w between configurations and within their views, from all views but the first.

    Parameters
    ----------
    log_weights : tensor, shape (n_batch, n_views)
        At least three views. The first has another law than the rest, having made the configuration.

    Returns
    -------
    between, within : float
        The first corrected for the noise of the means.
    """
    rest = log_weights[:, 1:]
    within = float(rest.var(dim=1).mean())
    return max(float(rest.mean(dim=1).var()) - within / rest.shape[1], 0.0), within
