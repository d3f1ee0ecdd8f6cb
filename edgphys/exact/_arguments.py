# SPDX-License-Identifier: MIT
"""Checks of plain-number arguments, and the two ratios that several exact results share."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

__all__ = ["binder_cumulant", "check_count", "check_real", "check_temperature", "second_moment_length"]


def check_temperature(temperature: float) -> float:
    """Return `temperature` as a float; ValueError unless it is positive and finite."""
    value = check_real("temperature", temperature)
    if value <= 0:
        raise ValueError(f"temperature must be positive and finite, got {temperature!r}")
    return value


def check_real(name: str, value: float) -> float:
    """Return `value` as a float; TypeError unless it is a real number, ValueError unless it is finite."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return float(value)


def check_count(name: str, value: int, low: int, high: int | None = None) -> int:
    """Return `value` as an int; TypeError unless integer, ValueError unless ``low <= value <= high``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < low or (high is not None and value > high):
        allowed = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} must be {allowed}, got {value}")
    return int(value)


def second_moment_length(zero: float, minimum: float, extent: Sequence[int]) -> float:
    """Second-moment correlation length from the correlator at zero and at the lowest momenta.

    ``sqrt(zero / minimum - 1) / (2 sin(pi / L))`` with L the geometric mean of `extent`, in lattice spacings;
    NaN when the ratio is below one. A ratio that differs from one by rounding only gives zero.
    """
    size = math.exp(math.fsum(math.log(length) for length in extent) / len(extent))
    if not minimum > 0:
        return math.nan
    excess = zero / minimum - 1.0
    if abs(excess) < 1e-11:
        return 0.0
    return math.sqrt(excess) / (2.0 * math.sin(math.pi / size)) if excess > 0 else math.nan


def binder_cumulant(m2: float, m4: float) -> float:
    """``1 - m4 / (3 m2^2)``; NaN when the second moment is zero to machine range."""
    return 1.0 - m4 / m2 / (3.0 * m2) if m2 > 1e-290 else math.nan
