# SPDX-License-Identifier: MIT
"""Powers of power series whose coefficients are matrices, to their order: moments from transfer matrices."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["series_power", "series_product"]


def series_product(
    left: Sequence[np.ndarray] | np.ndarray,
    right: Sequence[np.ndarray] | np.ndarray,
    multiply: Callable[..., np.ndarray] = np.multiply,
) -> list[np.ndarray]:
    """The product of two power series, to the order of the first.

    Parameters
    ----------
    left, right : sequence of array
        Coefficients of t^0, t^1, ...
    multiply : callable
        Product of two coefficients: elementwise, or `numpy.matmul`.

    Examples
    --------
    >>> [float(one) for one in series_product(np.array([1.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0]))]
    [1.0, 2.0, 1.0]
    """
    return [
        functools.reduce(np.add, [multiply(left[j], right[k - j]) for j in range(k + 1)])
        for k in range(len(left))
    ]


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
    power: list[np.ndarray] = []
    while n:
        if n & 1:
            power = series_product(power, series, np.matmul) if power else series
        n >>= 1
        if n:
            series = series_product(series, series, np.matmul)
    return power
