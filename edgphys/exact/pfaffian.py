# SPDX-License-Identifier: MIT
r"""Pfaffian of a skew-symmetric matrix that depends on a parameter, with two derivatives.

A matrix is given by the coefficients of its Taylor series, ``B(x) = B[0] + B[1] x + B[2] x^2 + ...``, and so
is the result. Rows and columns leave in pairs, the largest element first:

    Pf B = b_pq Pf(B' - (x y^T - y x^T) / b_pq),        x, y the rows p and q without these two,

each step in truncated series. The smallest pivots come last, so that a matrix which is singular at x = 0
keeps its derivatives.

References
----------
M. Wimmer, ACM Trans. Math. Softw. 38, 30 (2012), doi:10.1145/2331130.2331138, section 3 (Parlett-Reid).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["pfaffian", "product"]


def pfaffian(matrix: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], float]:
    """Pfaffian of ``matrix[0] + matrix[1] x + matrix[2] x^2`` to second order in x.

    Parameters
    ----------
    matrix : float64 array, shape (3, n, n)
        Skew-symmetric, n even.

    Returns
    -------
    log_scale : float
    series : float64 array, shape (3,)
        Coefficients of ``Pf / exp(log_scale)``, the largest +1 or -1; all 0 if a pivot is exactly 0.
    loss : float
        Largest over smallest pivot: what the rounding of one element is multiplied by.

    Examples
    --------
    >>> skew = np.array([[0.0, 2.0], [-2.0, 0.0]])
    >>> log_scale, series, _ = pfaffian(np.stack([skew, skew, 0 * skew]))
    >>> (np.exp(log_scale) * series).round(12).tolist()
    [2.0, 2.0, 0.0]
    """
    left, series, log_scale = matrix.copy(), np.array([1.0, 0.0, 0.0]), 0.0
    pivots = []
    for n in range(matrix.shape[1], 0, -2):
        p, q = sorted(divmod(int(np.abs(left[0, :n, :n]).argmax()), n))
        for here, there in ((q, n - 1), (p, n - 2)):  # p < q <= n - 1: the first exchange leaves p alone
            if here != there:
                left[:, [here, there], :n] = left[:, [there, here], :n]
                left[:, :n, [here, there]] = left[:, :n, [there, here]]
                series = -series
        pivot = left[:, n - 2, n - 1].copy()
        pivots.append(abs(pivot[0]))
        if not pivot[0]:
            return 0.0, np.zeros(3), math.inf
        series = product(series, pivot)
        size = float(np.abs(series).max())
        log_scale, series = log_scale + math.log(size), series / size
        x, y = left[:, : n - 2, n - 2].copy(), left[:, : n - 2, n - 1].copy()
        x = product(x, _inverse(pivot)) if n > 2 else x
        for order in range(3):
            term = x[: order + 1].T @ y[order::-1]
            left[order, : n - 2, : n - 2] += term.T - term
    return log_scale, series, max(pivots) / min(pivots)


def product(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Product of two series, coefficients along the first axis, one of them of numbers."""
    x, y = (one.reshape(3, -1) for one in (x, y))
    both = np.stack([x[0] * y[0], x[0] * y[1] + x[1] * y[0], x[0] * y[2] + x[1] * y[1] + x[2] * y[0]])
    return both.squeeze(1) if both.shape[1] == 1 else both


def _inverse(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / x as a series."""
    first = 1.0 / x[0]
    return np.array([first, -x[1] * first**2, (x[1] ** 2 * first - x[2]) * first**2])
