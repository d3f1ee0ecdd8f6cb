# SPDX-License-Identifier: MIT
r"""Diffusion schedules, and the map between them by equal signal-to-noise ratio.

A schedule is a Gaussian diffusion of the latents, ``dz = r(t) z dt + g(t) dW`` for t in [0, T], with

    z_t | z0 ~ N(alpha(t) z0, sigma(t)^2),     r = d log alpha / dt,     g^2 = d sigma^2 / dt - 2 sigma^2 r .

For z0 ~ N(0, 1) the marginal is N(0, c^2), c^2 = alpha^2 + sigma^2. Two schedules with the same sigma / alpha
differ by the factor c only, ``z_t = c zhat`` with zhat on the angle schedule at

    angle(t) = atan2(sigma, alpha),     g^2 dt = 2 c^2 tan(angle) dangle .

=============  =======================  ======================  =====================  ==============
name           alpha                    sigma                   g^2                    T
=============  =======================  ======================  =====================  ==============
`angle`        cos t                    sin t                   2 tan t                pi / 2
`vp-linear`    exp(-B/2)                sqrt(1 - exp(-B))       beta                   1
`sub-vp`       exp(-B/2)                1 - exp(-B)             beta (1 - exp(-2B))    1
=============  =======================  ======================  =====================  ==============

with beta(t) linear from `beta_min` to `beta_max` and B its integral. Only the angle schedule ends without
signal. All functions are elementwise and lose no digits at either end when given float64.

References
----------
Song et al., arXiv:2011.13456, Eq. 11 and appendix B (VP, sub-VP).
Kingma, Salimans, Poole, Ho, arXiv:2107.00630 (only the signal-to-noise ratio matters).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from edgphys.errors import UnknownNameError

__all__ = [
    "SCHEDULES",
    "AbstractSchedule",
    "AngleSchedule",
    "SubVPSchedule",
    "VPLinearSchedule",
    "make_schedule",
]


class AbstractSchedule(ABC):
    """Declaration of a schedule; every function maps a tensor of times in [0, horizon] elementwise.

    Attributes
    ----------
    horizon : float
        T.
    """

    horizon: float

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor:
        """Signal amplitude, 1 at t = 0."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """Standard deviation of the noise, 0 at t = 0."""

    @abstractmethod
    def rate(self, t: Tensor) -> Tensor:
        """f(z, t) / z = d log alpha / dt."""

    @abstractmethod
    def diffusion_2(self, t: Tensor) -> Tensor:
        """g(t)^2."""

    @abstractmethod
    def variance_excess(self, t: Tensor) -> Tensor:
        """c^2 - 1 of the marginal N(0, c^2)."""

    @abstractmethod
    def time(self, angle: Tensor) -> Tensor:
        """Inverse of `angle`; angles that the schedule never reaches map to the horizon."""

    def angle(self, t: Tensor) -> Tensor:
        """Time of the angle schedule with the same signal-to-noise ratio, in [0, pi/2]."""
        return torch.atan2(self.sigma(t), self.alpha(t))

    @property
    def last_angle(self) -> float:
        """angle(T)."""
        return float(self.angle(torch.tensor(self.horizon, dtype=torch.float64)))


@final
@dataclass(frozen=True)
class AngleSchedule(AbstractSchedule):
    """The variance-preserving schedule whose time is the angle itself.

    Examples
    --------
    >>> float(AngleSchedule().alpha(torch.tensor(0.0)))
    1.0
    """

    horizon: ClassVar[float] = 0.5 * math.pi

    def alpha(self, t: Tensor) -> Tensor:
        """cos t."""
        return torch.cos(t)

    def sigma(self, t: Tensor) -> Tensor:
        """sin t."""
        return torch.sin(t)

    def rate(self, t: Tensor) -> Tensor:
        """-tan t."""
        return -torch.tan(t)

    def diffusion_2(self, t: Tensor) -> Tensor:
        """2 tan t; no bound at the horizon."""
        return 2.0 * torch.tan(t)

    def variance_excess(self, t: Tensor) -> Tensor:
        """0."""
        return torch.zeros_like(t)

    def angle(self, t: Tensor) -> Tensor:
        """The time."""
        return t

    def time(self, angle: Tensor) -> Tensor:
        """The angle."""
        return angle


@dataclass(frozen=True)
class _LinearBeta(AbstractSchedule):
    """What the two schedules of Song et al. share.

    Parameters
    ----------
    beta_min, beta_max : float
        beta at t = 0 and at t = 1, ``0 < beta_min < beta_max``.

    Raises
    ------
    ValueError
        If they are not in that order.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    horizon: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.beta_min < self.beta_max < math.inf:
            raise ValueError(
                "beta_min and beta_max must obey 0 < beta_min < beta_max,"
                f" got {self.beta_min} and {self.beta_max}"
            )

    def beta(self, t: Tensor) -> Tensor:
        """Linear in t."""
        return self.beta_min + (self.beta_max - self.beta_min) * t

    def beta_integral(self, t: Tensor) -> Tensor:
        """B(t)."""
        return (self.beta_min + 0.5 * (self.beta_max - self.beta_min) * t) * t

    def alpha(self, t: Tensor) -> Tensor:
        """exp(-B/2)."""
        return torch.exp(-0.5 * self.beta_integral(t))

    def rate(self, t: Tensor) -> Tensor:
        """-beta / 2."""
        return -0.5 * self.beta(t)

    def _time_of_integral(self, integral: Tensor) -> Tensor:
        """Root of B(t) = integral in the form without cancellation, at most the horizon."""
        slope = self.beta_max - self.beta_min
        root = torch.sqrt(self.beta_min**2 + 2.0 * slope * integral)
        return (2.0 * integral / (self.beta_min + root)).clamp(max=self.horizon)


@final
class VPLinearSchedule(_LinearBeta):
    """Variance-preserving diffusion of linear beta.

    Examples
    --------
    >>> t = torch.tensor(0.3, dtype=torch.float64)
    >>> schedule = VPLinearSchedule()
    >>> round(float(schedule.time(schedule.angle(t))), 12)
    0.3
    """

    def sigma(self, t: Tensor) -> Tensor:
        """sqrt(1 - exp(-B))."""
        return torch.sqrt(-torch.expm1(-self.beta_integral(t)))

    def diffusion_2(self, t: Tensor) -> Tensor:
        """beta."""
        return self.beta(t)

    def variance_excess(self, t: Tensor) -> Tensor:
        """0."""
        return torch.zeros_like(t)

    def time(self, angle: Tensor) -> Tensor:
        """From B = log(1 + tan^2 angle)."""
        return self._time_of_integral(torch.log1p(torch.tan(angle).square()))


@final
class SubVPSchedule(_LinearBeta):
    """The sub-variance-preserving diffusion, the one of the EDG paper."""

    def sigma(self, t: Tensor) -> Tensor:
        """1 - exp(-B)."""
        return -torch.expm1(-self.beta_integral(t))

    def diffusion_2(self, t: Tensor) -> Tensor:
        """beta (1 - exp(-2B))."""
        return -self.beta(t) * torch.expm1(-2.0 * self.beta_integral(t))

    def variance_excess(self, t: Tensor) -> Tensor:
        """exp(-2B) - exp(-B), negative."""
        integral = self.beta_integral(t)
        return torch.exp(-integral) * torch.expm1(-integral)

    def time(self, angle: Tensor) -> Tensor:
        """From tan(angle) = 2 sinh(B/2)."""
        return self._time_of_integral(2.0 * torch.asinh(0.5 * torch.tan(angle)))


SCHEDULES: dict[str, type[AbstractSchedule]] = {
    "angle": AngleSchedule,
    "sub-vp": SubVPSchedule,
    "vp-linear": VPLinearSchedule,
}


def make_schedule(name: str) -> AbstractSchedule:
    """The schedule of that name with its standard parameters.

    Parameters
    ----------
    name : {"angle", "sub-vp", "vp-linear"}

    Raises
    ------
    UnknownNameError
        For any other name.
    """
    if name not in SCHEDULES:
        raise UnknownNameError(f"schedule must be one of {tuple(SCHEDULES)}, got {name!r}")
    return SCHEDULES[name]()
