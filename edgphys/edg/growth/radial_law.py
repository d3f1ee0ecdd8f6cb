# SPDX-License-Identifier: MIT
"""Law of a step in radius: log-linear between edges, exponential beyond the last.

`edgphys.edg.growth.trials` draws from it.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["TAIL", "log_prob_of_steps", "piecewise", "widened"]

# Range beyond the last edge, in units of that.
TAIL = 0.25


def piecewise(heights: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
    """The cumulative law at its edges, and log of its density there, from that log up to a constant.

    All float64, shape (n_rows, n_edges).

    Examples
    --------
    >>> edges = torch.tensor([[0.0, 1.0, 2.0]], dtype=torch.float64)
    >>> [round(value, 4) for value in piecewise(torch.zeros_like(edges), edges)[0][0].tolist()]
    [0.0, 0.4, 0.8]
    """
    slopes = heights.diff(dim=1)
    # Masses of log-linear pieces, (exp(s) - 1) / s of each.
    safe = torch.where(slopes.abs() > 1e-6, slopes, torch.ones_like(slopes))
    shape = torch.where(slopes.abs() > 1e-6, torch.expm1(safe) / safe, 1.0 + 0.5 * slopes)
    masses = torch.exp(heights[:, :-1]) * shape * edges.diff(dim=1)
    beyond = torch.exp(heights[:, -1:]) * TAIL * edges[:, -1:]
    whole = masses.sum(1, keepdim=True) + beyond
    cumulative = torch.nn.functional.pad(torch.cumsum(masses / whole, 1), (1, 0))
    return cumulative, heights - torch.log(whole)


def widened(log_density: Tensor, edges: Tensor, share: Tensor) -> Tensor:
    """Heights of a mixture with the even law up to the last edge, of shares (n_rows, 1), up to a constant."""
    even = torch.log(share) - torch.log(edges[:, -1:])
    return torch.logaddexp(torch.log1p(-share) + log_density, even.expand_as(log_density))


def log_prob_of_steps(edges: Tensor, log_density: Tensor, steps: Tensor) -> Tensor:
    """log of the density of steps, float64, shape (n_rows, n_steps)."""
    steps = steps.contiguous()
    bins = torch.searchsorted(edges, steps.detach(), right=True).sub(1).clamp(0, edges.shape[1] - 2)
    low, high = log_density.gather(1, bins), log_density.gather(1, bins + 1)
    first, last = edges.gather(1, bins), edges[:, -1:]
    t = (steps - first) / (edges.gather(1, bins + 1) - first)
    beyond = log_density[:, -1:] - (steps - last) / (TAIL * last)
    return torch.where(steps < last, low + t * (high - low), beyond)
