# SPDX-License-Identifier: MIT
"""Angles of the density exp(kappa cos theta) / 2 pi I_0(kappa), and its logarithm of the normaliser.

References
----------
Best, Fisher, Appl. Stat. 28, 152 (1979): rejection from a wrapped Cauchy distribution, accepted with a
probability of 0.66 at least.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["draw_von_mises", "log_bessel"]


def log_bessel(kappa: Tensor) -> Tensor:
    """log 2 pi I_0(kappa), kappa >= 0."""
    return kappa + torch.log(2.0 * math.pi * torch.special.i0e(kappa))


def draw_von_mises(kappa: Tensor, generator: torch.Generator) -> Tensor:
    """Angles in [-pi, pi], float64, shape of kappa >= 0."""
    flat = kappa.double().reshape(-1)
    # At 0 the acceptance would be 0 / 0; NaN in comes out as NaN.
    flat = flat.where(torch.isfinite(flat), torch.nan).clamp(min=1e-12)
    # r of the paper; at small kappa, where its formula cancels, by the first term of its series: any r > 1 is
    # exact, and this one the fastest.
    tau = 1.0 + torch.sqrt(1.0 + 4.0 * flat**2)
    rho = (tau - torch.sqrt(2.0 * tau)) / (2.0 * flat)
    r = torch.where(flat < 1e-4, 1.0 / flat, (1.0 + rho**2) / (2.0 * rho))
    angle = torch.empty_like(flat)
    open_ = torch.arange(len(flat), device=flat.device)
    while len(open_):
        u = torch.rand(3, len(open_), generator=generator, dtype=torch.float64, device=flat.device)
        z, shape = torch.cos(math.pi * u[0]), r[open_]
        cosine = ((1.0 + shape * z) / (shape + z)).clamp(-1.0, 1.0)
        c = flat[open_] * (shape - cosine)
        # Written as "not rejected", so that NaN ends the loop.
        accept = ~(torch.log(c / u[1].clamp(min=1e-300)) + 1.0 - c < 0.0)
        sign = torch.where(u[2] < 0.5, -1.0, 1.0)
        angle[open_[accept]] = (sign * torch.acos(cosine))[accept]
        open_ = open_[~accept]
    return angle.reshape(kappa.shape)
