# SPDX-License-Identifier: MIT
"""The two ratios of moments that several exact results share."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["binder_cumulant", "second_moment_length"]

_LEAST = 1e-290  # smaller numbers lose digits, and their inverse overflows


def second_moment_length(zero: float, minimum: float, extent: Sequence[int]) -> float:
    """Second-moment correlation length from the correlator at zero and at the lowest momenta.

    ``sqrt(zero / minimum - 1) / (2 sin(pi / L))`` with L the geometric mean of `extent`, in lattice spacings;
    NaN when the ratio is below one, or the correlator too small for its digits. A ratio that differs from one
    by rounding only gives zero.
    """
    size = math.exp(math.fsum(math.log(length) for length in extent) / len(extent))
    if not minimum > _LEAST:
        return math.nan
    excess = zero / minimum - 1.0
    if abs(excess) < 1e-11:
        return 0.0
    return math.sqrt(excess) / (2.0 * math.sin(math.pi / size)) if excess > 0 else math.nan


def binder_cumulant(m2: float, m4: float) -> float:
    """``1 - m4 / (3 m2^2)``; NaN when the second moment is zero to machine range."""
    return 1.0 - m4 / m2 / (3.0 * m2) if m2 > _LEAST else math.nan
