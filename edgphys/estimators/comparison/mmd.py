# SPDX-License-Identifier: MIT
r"""Maximum mean discrepancy of samples from a reference.

    MMD^2 = <k(x, x')> - 2 <k(x, y)> + <k(y, y')>,   x and x' (y and y') different draws: unbiased

Draws are independent: thin chains first. An unbiased MMD^2 may be negative. Kernels: "gaussian", mean over
bandwidths h of exp(-|x - y|^2 / (2 h^2)), and "polynomial", (1 + x.y)^degree. The code of arXiv:1706.07561
has a Gaussian kernel with h = d / sqrt 2, d the dimension. A published MMD means nothing without its kernel
and without knowing whether it is the square that is given.

References
----------
Gretton et al., A kernel two-sample test, J. Mach. Learn. Res. 13, 723 (2012), eqs. (3) and (10).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from edgphys._checks import choice, count, numbers_of, wrong
from edgphys.errors import ArgumentValueError
from edgphys.estimators.comparison.reference import distance_dataset, weight_warning, weighted_points
from edgphys.recording.record import recorded

__all__ = ["KERNELS", "mmd"]

_ROWS = 1024
KERNELS = ("gaussian", "polynomial")


@recorded("mmd")
def mmd(
    x: np.ndarray,
    y: np.ndarray,
    *,
    kernel: str = "gaussian",
    bandwidths: Sequence[float] = (1.0,),
    degree: int = 3,
    log_weights: np.ndarray | None = None,
    reference_log_weights: np.ndarray | None = None,
) -> xr.Dataset:
    """Maximum mean discrepancy between samples and a reference; the attributes hold the kernel.

    Parameters
    ----------
    x, y : arrays, shapes (n, d) and (m, d)
        Independent draws, at least two each; y of the reference. More axes are flattened.
    kernel : {"gaussian", "polynomial"}
        See the module docstring.
    bandwidths : sequence of float
        h of the Gaussian kernels, positive; their mean is taken.
    degree : int
        Of the polynomial kernel; at least 1.
    log_weights, reference_log_weights : arrays, optional
        Logarithms of importance weights; the result is then unbiased to leading order only.

    Returns
    -------
    Dataset
        ``mmd_squared`` and ``mmd_squared_err`` (from the variance of the draws' own terms: valid where the
        distance is well above zero), ``null_err``, the standard deviation of mmd_squared if both samples had
        one distribution, and ``mmd``, the root of mmd_squared or 0. attrs: ``warning``, why the weights are
        not to be trusted, empty if they are.

    Raises
    ------
    UnknownNameError
        If there is no such kernel.
    TypeError, ValueError
        If an argument is of the wrong kind, or the arrays do not fit.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = mmd(rng.standard_normal((500, 2)), rng.standard_normal((500, 2)) + 2.0)
    >>> bool(table.mmd_squared > 10 * table.mmd_squared_err), table.attrs["kernel"]
    (True, 'gaussian')
    """
    kernel = choice(kernel, "kernel", KERNELS)
    x, p = weighted_points(x, log_weights, "x")
    y, q = weighted_points(y, reference_log_weights, "y")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"x and y must have points of one dimension, got {x.shape[1]} and {y.shape[1]}")
    scale = _bandwidths(bandwidths)
    k = _Kernel(kernel, scale, count(degree, "degree", 1))
    squared, variance, null = _squared_with_variances(k, x, p, y, q)
    return distance_dataset(
        "mmd",
        {
            "mmd_squared": (squared, "unbiased estimate of MMD^2, may be negative"),
            "mmd_squared_err": (math.sqrt(variance), "one standard error, for MMD well above zero"),
            "null_err": (
                math.sqrt(null),
                "standard deviation of mmd_squared for samples of one distribution",
            ),
            "mmd": (math.sqrt(max(squared, 0.0)), "square root of mmd_squared, 0 where it is negative"),
        },
        {
            "kernel": kernel,
            **({"bandwidths": scale.tolist()} if kernel == "gaussian" else {"degree": k.degree}),
            "n_draws": len(x),
            "n_reference": len(y),
            "warning": weight_warning(x=log_weights, y=reference_log_weights),
        },
    )


def _squared_with_variances(k: _Kernel, x, p, y, q) -> tuple[float, float, float]:
    """MMD^2, its variance, and that for samples of one distribution."""
    (xx, xx_rows, xx_square), (yy, yy_rows, yy_square) = (k.within(s, t) for s, t in ((x, p), (y, q)))
    xy_rows, yx_rows, xy_square = k.between(x, p, y, q)
    squared = xx + yy - 2.0 * float(p @ xy_rows)
    variance = 4.0 * (_variance(xx_rows - xy_rows, p) + _variance(yy_rows - yx_rows, q))
    null = 2.0 * (xx_square * (p * p).sum() ** 2 + yy_square * (q * q).sum() ** 2)
    null += 4.0 * xy_square * (p * p).sum() * (q * q).sum()
    return squared, variance, null


def _bandwidths(values: Sequence[float]) -> np.ndarray:
    scale = numbers_of(values, "bandwidths", "positive and finite").ravel()
    if not len(scale) or not ((scale > 0) & np.isfinite(scale)).all():
        raise wrong(ArgumentValueError, "bandwidths", "positive and finite", scale.tolist())
    return scale


class _Kernel:
    """Sums of a kernel over pairs of points, some rows at a time."""

    def __init__(self, name: str, bandwidths: np.ndarray, degree: int) -> None:
        self.name, self.bandwidths, self.degree = name, bandwidths, degree

    def matrix(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """k, shape (n, m)."""
        products = x @ y.T
        if self.name == "polynomial":
            return (1.0 + products) ** self.degree
        squares = np.maximum((x * x).sum(1)[:, None] + (y * y).sum(1) - 2.0 * products, 0.0)
        return np.mean([np.exp(-0.5 * squares / h**2) for h in self.bandwidths], axis=0)

    def within(self, x: np.ndarray, p: np.ndarray) -> tuple[float, np.ndarray, float]:
        """<k> over pairs of different draws, its mean over the others for each draw, its variance."""
        rows, squares = np.empty(len(x)), 0.0
        for start in range(0, len(x), _ROWS):
            part = slice(start, start + _ROWS)
            values = self.matrix(x[part], x)
            values[np.arange(len(values)), np.arange(start, start + len(values))] = 0.0
            rows[part] = values @ p
            squares += float(p[part] @ (values * values) @ p)
        others = 1.0 - p
        total = 1.0 - float(p @ p)
        mean = float(p @ rows) / total
        rows = rows / np.maximum(others, 1e-300)
        return mean, rows, max(squares / total - 2.0 * float(p @ rows**2) + mean**2, 0.0)

    def between(self, x, p, y, q) -> tuple[np.ndarray, np.ndarray, float]:
        """Means over y for each x and over x for each y, and the variance of k."""
        rows, columns, squares = np.empty(len(x)), np.zeros(len(y)), 0.0
        for start in range(0, len(x), _ROWS):
            part = slice(start, start + _ROWS)
            values = self.matrix(x[part], y)
            rows[part] = values @ q
            columns += p[part] @ values
            squares += float(p[part] @ (values * values) @ q)
        mean = float(p @ rows)
        centred = squares - float(p @ rows**2) - float(q @ columns**2) + mean**2
        return rows, columns, max(centred, 0.0)


def _variance(rows: np.ndarray, p: np.ndarray) -> float:
    """Variance of the weighted mean of `rows`."""
    centred = rows - p @ rows
    return float((p * p) @ (centred * centred))
