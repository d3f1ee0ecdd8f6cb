# SPDX-License-Identifier: MIT
r"""Hard walls in training: configurations of energy +inf, which have weight zero.

The mean energy of a batch with one of them is infinite, and says nothing of where to go. In its place stands

    U(x_0) + 1 + |x - x_0|^2 / (2 s^2) ,

x_0 the configuration outside of walls that is nearest to x in the batch, s^2 the median over those of the
squared distance to the nearest other: a force back, as strong as the batch can resolve. Without any wall in
the batch it is the energy itself. It is for training only: weights take the energy as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["walled_energy"]


def walled_energy(energy: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Energies of a batch to train on, shape (n_batch,), differentiable; infinite if all of them are.

    Infinite components of the gradient, as differences across a wall give them, count as zero.

    Parameters
    ----------
    energy : callable
        Of a tensor (n_batch, n_dims), shape (n_batch,).
    x : tensor, shape (n_batch, n_dims)

    Examples
    --------
    >>> x = torch.tensor([[0.0], [0.5], [1.5]])
    >>> walled_energy(lambda x: torch.where(x[:, 0] < 1.0, 0.0, torch.inf), x).tolist()
    [0.0, 0.0, 3.0]
    """
    value = energy(_masked(x))
    walls = torch.isposinf(value.detach())
    if not walls.any() or walls.all():
        return value
    with torch.no_grad():
        free = x[~walls]
        near = free[torch.cdist(x, free).argmin(1)]
        spacing = _spacing(free)
    inside = energy(_masked(torch.where(walls[:, None], near, x)))
    depth = (x - near).square().sum(1) / (2.0 * spacing)
    return torch.where(walls, inside.detach() + 1.0 + depth, inside)


def _masked(x: Tensor) -> Tensor:
    """x, to which no infinite gradient passes."""
    if not x.requires_grad:
        return x
    at = x.view_as(x)
    at.register_hook(lambda gradient: torch.where(torch.isinf(gradient), 0.0, gradient))
    return at


def _spacing(points: Tensor) -> Tensor:
    """Median squared distance to the nearest other point; of a single one 1."""
    if len(points) < 2:
        return points.new_ones(())
    distances = torch.cdist(points, points).fill_diagonal_(torch.inf)
    return distances.amin(1).square().median().clamp(min=1e-12)
