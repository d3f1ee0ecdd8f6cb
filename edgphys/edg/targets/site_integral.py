# SPDX-License-Identifier: MIT
"""The one-site integral of phi^4 in an external field, its derivatives, and exact draws from its density.

    I(h) = int dphi exp(-V(phi) + h phi),     V(phi) = quadratic phi^2 + quartic phi^4

log I is smooth, even and convex; it is tabulated with its first two derivatives (mean and variance of phi at
h) and interpolated by quintic Hermite polynomials, whose error on this grid is below 1e-11. Beyond the table
it is integrated anew. Draws are by rejection from a Gaussian envelope, hence exact:

    phi^4 >= 2 r^2 phi^2 - r^4   for every r,  so
    exp(-V + h phi) <= exp(-(quadratic + 2 quartic r^2) phi^2 + h phi + quartic r^4) .
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgphys.edg.core.module import Module

__all__ = ["SiteIntegral"]

_POINTS = 1025
_CUTOFF = 80.0  # nats below the maximum at which an integrand is cut: far under float64 rounding


class SiteIntegral(Module):
    """log I(h) on any device, differentiable once, and draws of phi given h.

    Parameters
    ----------
    quadratic, quartic : float
        Coefficients of V, with ``quartic > 0``, or ``quadratic > 0`` and ``quartic == 0``.
    largest : float
        Fields up to this size come from the table.

    Examples
    --------
    >>> gaussian = SiteIntegral(0.5, 0.0, largest=3.0)
    >>> value = gaussian.log_integral(torch.tensor([2.0], dtype=torch.float64))
    >>> round(float(value) - 2.0, 9) == round(0.5 * math.log(2 * math.pi), 9)
    True
    """

    def __init__(self, quadratic: float, quartic: float, largest: float) -> None:
        super().__init__()
        self.quadratic, self.quartic = float(quadratic), float(quartic)
        # phi varies on the scale of its standard deviation at h = 0; log I on the inverse of it.
        scale = math.sqrt(float(_moments(np.zeros(1), self.quadratic, self.quartic)[2][0]))
        self.step = 0.04 / scale
        self.n_intervals = math.ceil(largest / self.step) + 1
        table = np.stack(_moments(self.step * np.arange(self.n_intervals + 1), self.quadratic, self.quartic))
        self.register_buffer("table", torch.from_numpy(table), persistent=False)

    def log_integral(self, h: Tensor) -> Tensor:
        """log I(h), elementwise, in the dtype of h; its gradient is the mean of phi."""
        return _LogIntegral.apply(h, self)

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """log I and its derivative, float64, by interpolation in the table."""
        size = h.abs().double()
        size = size.where(torch.isfinite(size), torch.nan)
        position = size / self.step
        # What is not finite comes out as NaN: a diverged training is then seen in the loss.
        index = position.nan_to_num(nan=0.0).clamp(max=self.n_intervals - 1).long()
        value, slope = _quintic(self.table, index, position - index, self.step)
        outside = position > self.n_intervals
        if bool(outside.any()):
            exact = _moments(size[outside].cpu().numpy(), self.quadratic, self.quartic)
            value[outside] = torch.from_numpy(exact[0]).to(value)
            slope[outside] = torch.from_numpy(exact[1]).to(slope)
        return value, slope * torch.sign(h)

    def draw(self, h: Tensor, generator: torch.Generator) -> Tensor:
        """phi from the density exp(-V(phi) + h phi) / I(h), elementwise, in the dtype of h."""
        flat = h.double().reshape(-1)
        flat = flat.where(torch.isfinite(flat), torch.nan)
        precision, radius2 = _envelope(flat, self.quadratic, self.quartic)
        phi = torch.empty_like(flat)
        open_ = torch.arange(len(flat), device=flat.device)
        while len(open_):
            p, r2 = precision[open_], radius2[open_]
            shape = {"generator": generator, "dtype": torch.float64, "device": flat.device}
            trial = flat[open_] / p + torch.randn(len(open_), **shape) / torch.sqrt(p)
            # Written as "not rejected", so that NaN in comes out as NaN instead of being tried for ever.
            accept = ~(torch.rand(len(open_), **shape) >= torch.exp(-self.quartic * (trial**2 - r2) ** 2))
            phi[open_[accept]] = trial[accept]
            open_ = open_[~accept]
        return phi.reshape(h.shape).to(h.dtype)


class _LogIntegral(torch.autograd.Function):
    """log I with the tabulated mean as its gradient (one derivative, as training needs)."""

    @staticmethod
    def forward(ctx, h: Tensor, site: SiteIntegral) -> Tensor:
        value, slope = site.moments(h)
        ctx.save_for_backward(slope.to(h.dtype))
        return value.to(h.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return grad * slope, None


def _quintic(table: Tensor, index: Tensor, t: Tensor, step: float) -> tuple[Tensor, Tensor]:
    """Value and slope of the polynomial that matches value, slope and curvature at both ends."""
    f0, f1 = table[0][index], table[0][index + 1]
    g0, g1 = table[1][index] * step, table[1][index + 1] * step
    c0, c1 = 0.5 * table[2][index] * step**2, 0.5 * table[2][index + 1] * step**2
    # f = f0 + g0 t + c0 t^2 + a t^3 + b t^4 + d t^5
    rise, lean, bend = f1 - f0 - g0 - c0, g1 - g0 - 2 * c0, c1 - c0
    a, b, d = 10 * rise - 4 * lean + bend, -15 * rise + 7 * lean - 2 * bend, 6 * rise - 3 * lean + bend
    value = f0 + t * (g0 + t * (c0 + t * (a + t * (b + t * d))))
    slope = (g0 + t * (2 * c0 + t * (3 * a + t * (4 * b + t * 5 * d)))) / step
    return value, slope


def _envelope(h: Tensor, quadratic: float, quartic: float) -> tuple[Tensor, Tensor]:
    """Precision and r^2 of the Gaussian envelope with the smallest integral: r^2 is its own second moment.

    The precision p solves ``p - 2 quadratic = 4 quartic (1 / p + h^2 / p^2)``; the left minus the right side
    is concave and increasing, so that Newton's method rises to the root from any lower bound, here the larger
    of two: the root at h = 0, and one for large h. Where it stops does not matter to the draws, only to how
    many are rejected.
    """
    if quartic == 0.0:
        return torch.full_like(h, 2.0 * quadratic), torch.zeros_like(h)
    root = math.sqrt(quadratic**2 + 4.0 * quartic)
    low = quadratic + root if quadratic > 0.0 else 4.0 * quartic / (root - quadratic)
    high = (2.0 * quartic * h**2) ** (1.0 / 3.0)
    if quadratic < 0.0:
        high = torch.minimum(high, h.abs() * math.sqrt(-quartic / quadratic))
    p = high.clamp(min=low)
    for _ in range(6):
        excess = p - 2.0 * quadratic - 4.0 * quartic * (1.0 + h**2 / p) / p
        p = p - excess / (1.0 + 4.0 * quartic * (1.0 + 2.0 * h**2 / p) / p**2)
    return p, (0.5 * p - quadratic) / (2.0 * quartic)


def _moments(h: NDArray, quadratic: float, quartic: float) -> tuple[NDArray, NDArray, NDArray]:
    """log I, mean and variance of phi at fields ``h >= 0``, by the trapezoid rule.

    Spectrally accurate: the integrand is analytic and cut `_CUTOFF` nats below its maximum. Without the
    quartic term, where h has no natural bound, in closed form.
    """
    if quartic == 0.0:
        variance = np.full_like(h, 0.5 / quadratic)
        return h**2 * variance / 2 + 0.5 * np.log(2 * np.pi * variance), h * variance, variance
    phi = _cut(float(h.max(initial=0.0)), quadratic, quartic) * np.linspace(-1.0, 1.0, 4 * _POINTS)
    results = []
    for block in np.array_split(h, max(1, len(h) // 256)):
        exponent = block[:, None] * phi - (quadratic * phi**2 + quartic * phi**4)
        top = exponent.max(axis=1, keepdims=True)
        weight = np.exp(exponent - top)
        total = weight.sum(axis=1)
        mean = weight @ phi / total
        variance = np.einsum("ij,ij->i", weight, (phi - mean[:, None]) ** 2) / total
        results.append((np.log(total * (phi[1] - phi[0])) + top[:, 0], mean, variance))
    log_integral, mean, variance = (np.concatenate(column) for column in zip(*results, strict=True))
    return log_integral, mean, variance


def _cut(h: float, quadratic: float, quartic: float) -> float:
    """|phi| beyond which exp(-V + h phi) is `_CUTOFF` nats below its maximum for all fields up to h."""
    phi = 1.0
    while (
        quadratic * phi**2 + quartic * phi**4 - h * phi < _CUTOFF
        or 2 * quadratic * phi + 4 * quartic * phi**3 < h
    ):
        phi *= 1.1
    return phi
