# SPDX-License-Identifier: MIT
r"""Views: one configuration, weighed under several elements of the space group.

A generator whose output is moved by a uniformly drawn element g_1 draws x = g_1 x_0. Further elements
g_2 ... g_K are drawn for each configuration its own. The harmonic mean

    w_K(x) = [ (1/K) sum_k 1 / w(g_k^{-1} x) ]^{-1},      w(x) = exp(-beta E(x)) / q(x),

has E[w_K] = Z for every K, and <log w_K> rises with K to the bound of the law that is averaged over the
orbit.

A set of elements shared by many configurations leaves every single weight right, but makes their errors
common. The flip of all signs is no view of its own: with odd laws q is invariant under it.

References
----------
Sobolev and Vetrov, arXiv:1909.03406 (the harmonic mean over latents).
Veach and Guibas, SIGGRAPH 1995 (the balance heuristic).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.weights.views import harmonic_mean
from edgphys.systems.lattice.space_group import SpaceGroup

__all__ = ["ViewedDraw", "draw_with_views"]


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
        return harmonic_mean(self.log_weights.T)


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
