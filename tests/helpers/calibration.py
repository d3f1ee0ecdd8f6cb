# SPDX-License-Identifier: MIT
"""Coverage of error bars over many synthetic series: the fraction of |z| < 1, judged between 65 and 71 %."""

from __future__ import annotations

import numpy as np

__all__ = ["assert_covers", "coverage", "exact_tau", "series_of_length"]


def exact_tau(a):
    """tau_int of x_t = a x_{t-1} + noise."""
    return 0.5 * (1 + a) / (1 - a)


def series_of_length(ar1, a, length, n_chains, n_series, rng):
    """`n_series` sets of chains of `length` (2 tau_int) draws over all chains."""
    n_draws = int(np.ceil(length * 2 * exact_tau(a) / n_chains))
    return (ar1((n_chains, n_draws), a, rng) for _ in range(n_series))


def coverage(z):
    """Fraction of bars that hold the exact value; 1000 series or more know it to 1.5 %."""
    z = np.asarray(z)
    assert len(z) >= 1000, f"{len(z)} series are too few to judge a coverage"
    return np.mean(np.abs(z) < 1)


def assert_covers(z, low=0.65, high=0.71):
    """Bars of one standard error cover 68.27 %."""
    assert low <= coverage(z) <= high, f"coverage {coverage(z):.3f} outside {low} .. {high}"
