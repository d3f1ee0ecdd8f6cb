# SPDX-License-Identifier: MIT
"""Ratios of moments that several exact results share."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["binder_cumulant", "hypercubic_momenta", "second_moment_length"]

_LEAST = 1e-290  # smaller numbers lose digits, and their inverse overflows


def second_moment_length(zero: float, lowest: ArrayLike, momenta: ArrayLike) -> float:
    """Second-moment correlation length from the correlators at zero and at the lowest momentum of each axis.

    The mean over axes of ``sqrt(zero / lowest - 1) / khat``, with khat the `momenta`
    (`lattices.momenta.lattice_momenta`), in lattice spacings; axes of equal khat share the mean of their
    correlators. NaN when a ratio is below one, or a correlator too small for its digits. A ratio that differs
    from one by rounding only gives zero.
    """
    lowest, momenta = np.asarray(lowest, np.float64), np.asarray(momenta, np.float64)
    same = np.abs(np.subtract.outer(momenta, momenta)) <= 1e-9 * np.abs(momenta)
    same |= np.eye(len(momenta), dtype=bool)  # a NaN equals nothing
    return math.fsum(
        _length(zero, float(np.mean(lowest[equal])), momentum)
        for equal, momentum in zip(same, momenta, strict=True)
    ) / len(momenta)


def hypercubic_momenta(*extent: int) -> list[float]:
    """khat of the lowest momenta of a hypercubic lattice."""
    return [2.0 * math.sin(math.pi / length) for length in extent]


def _length(zero: float, lowest: float, momentum: float) -> float:
    if not lowest > _LEAST or math.isnan(momentum):
        return math.nan
    excess = zero / lowest - 1.0
    if abs(excess) < 1e-11:
        return 0.0
    return math.sqrt(excess) / momentum if excess > 0 else math.nan


def binder_cumulant(m2: float, m4: float) -> float:
    """``1 - m4 / (3 m2^2)``; NaN when the second moment is zero to machine range."""
    return 1.0 - m4 / m2 / (3.0 * m2) if m2 > _LEAST else math.nan
