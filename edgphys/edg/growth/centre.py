# SPDX-License-Identifier: MIT
r"""The particle that a cluster grows around: of many rather an inner one, to which all sides are alike.

Chosen at random, invariant under permutations, rotations and reflections,

    c(i | x)  prop. to  exp(-kappa |x_i - mean|^2 / <|x_j - mean|^2>_j),      kappa = max(0, log(n / 4)).

For few particles the uniform choice is better: with three, kappa = 3 leaves laws that are hard to learn.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["around_any", "log_choice"]

# Up to so many particles all are alike.
_FEW = 4


def log_choice(positions: Tensor) -> Tensor:
    """log c(i | x) of every particle, shape (..., n_particles), of positions with any mean.

    Examples
    --------
    >>> [round(p, 2) for p in log_choice(torch.arange(9.0)[None, :, None]).exp()[0].tolist()]
    [0.03, 0.07, 0.12, 0.18, 0.2, 0.18, 0.12, 0.07, 0.03]
    """
    kappa = max(0.0, math.log(positions.shape[-2] / _FEW))
    squares = (positions - positions.mean(-2, keepdim=True)).square().sum(-1)
    return torch.log_softmax(-kappa * squares / squares.mean(-1, keepdim=True), -1)


def around_any(positions: Tensor, generator: torch.Generator) -> Tensor:
    """Positions relative to a centre, chosen at random, of all others, in the order of their distances.

    Shape (n_batch, n_particles - 1, n_axes).
    """
    centre = torch.multinomial(log_choice(positions).exp(), 1, generator=generator)[:, 0]
    return _sorted_around(positions, centre)


def _sorted_around(positions: Tensor, centre: Tensor) -> Tensor:
    """Positions of the others relative to a centre particle of each row, in the order of their distances.

    Parameters
    ----------
    positions : tensor, shape (n_batch, n_particles, n_axes)
    centre : int64 tensor, shape (n_batch,)

    Returns
    -------
    Tensor, shape (n_batch, n_particles - 1, n_axes)
    """
    rows = torch.arange(len(positions), device=positions.device)
    relative = positions - positions[rows, centre][:, None]
    squares = relative.square().sum(-1)
    squares[rows, centre] = -1.0  # first, even where another lies on top of it
    order = squares.argsort(1)[:, 1:, None]
    return relative.gather(1, order.expand(-1, -1, positions.shape[2]))
