# SPDX-License-Identifier: MIT
"""Unit vectors of the density exp(f . s) kappa / 4 pi sinh kappa, kappa = |f|, with respect to the area.

References
----------
Fisher, Proc. R. Soc. A 217, 295 (1953), doi:10.1098/rspa.1953.0064.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["draw_von_mises_fisher", "log_sphere", "sphere"]

# kappa^2 below which the series of log(sinh kappa / kappa) has converged, and its coefficients.
_SMALL, _SERIES = 0.1, (1.0 / 6.0, -1.0 / 180.0, 1.0 / 2835.0, -1.0 / 37800.0)


def log_sphere(square: Tensor) -> Tensor:
    """log 4 pi sinh(kappa) / kappa of kappa^2 >= 0, smooth at 0.

    Examples
    --------
    >>> round(float(log_sphere(torch.zeros(1)).exp()), 4)  # the whole sphere
    12.5664
    """
    is_small = square < _SMALL
    small, kappa = torch.where(is_small, square, 0.0), torch.where(is_small, 1.0, square).sqrt()
    series = torch.zeros_like(square)
    for coefficient in reversed(_SERIES):
        series = small * (coefficient + series)
    closed = kappa + torch.log(-torch.expm1(-2.0 * kappa) / (2.0 * kappa))
    return math.log(4.0 * math.pi) + torch.where(is_small, series, closed)


def sphere(n: int) -> Tensor:
    """n points that cover the unit sphere evenly (a Fibonacci spiral), float64, shape (n, 3)."""
    k = torch.arange(n, dtype=torch.float64)
    z, azimuth = 1.0 - (2.0 * k + 1.0) / n, math.pi * (3.0 - math.sqrt(5.0)) * k
    across = torch.sqrt(1.0 - z**2)
    return torch.stack([across * torch.cos(azimuth), across * torch.sin(azimuth), z], dim=1)


@torch.no_grad()
def draw_von_mises_fisher(field: Tensor, generator: torch.Generator) -> Tensor:
    """Unit vectors, float64, shape of the fields f, (..., 3).

    The component along f by inversion, the direction across it from normal deviates.
    """
    f = field.double()
    like = {"generator": generator, "dtype": torch.float64, "device": f.device}
    kappa = torch.linalg.vector_norm(f, dim=-1, keepdim=True)
    pole = torch.eye(3, dtype=torch.float64, device=f.device)[2].expand_as(f)
    axis = torch.where(kappa > 0.0, f / kappa, pole)
    uniform = torch.rand(kappa.shape, **like)
    below = -torch.log1p(uniform * torch.expm1(-2.0 * kappa)) / kappa
    below = torch.where(kappa > 1e-8, below, 2.0 * uniform).clamp(0.0, 2.0)
    normal = torch.randn(f.shape, **like)
    across = normal - (normal * axis).sum(-1, keepdim=True) * axis
    across = across / torch.linalg.vector_norm(across, dim=-1, keepdim=True)
    return (1.0 - below) * axis + torch.sqrt(below * (2.0 - below)) * across
