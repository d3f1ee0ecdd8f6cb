# SPDX-License-Identifier: MIT
"""Powers of power series whose coefficients are matrices, to their order: moments from transfer matrices."""

from __future__ import annotations

import numpy as np

__all__ = ["series_power"]


def series_power(series: list[np.ndarray], n: int) -> list[np.ndarray]:
    """The n-th power, n >= 1, with as many coefficients.

    Parameters
    ----------
    series : list of array, shape (..., m, m)
        Coefficients of t^0, t^1, ...

    Examples
    --------
    >>> [float(one[0, 0]) for one in series_power([np.eye(1), np.eye(1), 0 * np.eye(1)], 5)]    # (1 + t)^5
    [1.0, 5.0, 10.0]
    """

    def multiply(left: list[np.ndarray], right: list[np.ndarray]) -> list[np.ndarray]:
        return [sum((left[j] @ right[k - j] for j in range(k + 1)), np.zeros(())) for k in range(len(left))]

    power: list[np.ndarray] = []
    while n:
        if n & 1:
            power = multiply(power, series) if power else series
        n >>= 1
        if n:
            series = multiply(series, series)
    return power
