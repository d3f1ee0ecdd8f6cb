# SPDX-License-Identifier: MIT
r"""Distances of samples from a reference: Wasserstein in one dimension, MMD, forward effective sample size.

    W_1      int |F(x) - G(x)| dx of the two distribution functions; in the units of x
    MMD^2    <k(x, x')> - 2 <k(x, y)> + <k(y, y')>, x and x' (y and y') different draws: unbiased
    forward  1 / (E_p[w] E_p[1/w]),  w = p~ / q at draws of the reference p: what the effective sample size
             (sum w)^2 / (n sum w^2) of draws of q is when all of p is seen, dropped modes included

Draws are independent in all three: thin chains first. W_1 is biased upwards, like 1/sqrt(n), which `floor`
states: it is the mean distance of two samples of the reference of these sizes. An unbiased MMD^2 may be
negative.

Kernels: "gaussian", mean over bandwidths h of exp(-|x - y|^2 / (2 h^2)), and "polynomial", (1 + x.y)^degree.
The code of arXiv:1706.07561 has a Gaussian kernel with h = d / sqrt 2, d the dimension. A published MMD means
nothing without its kernel and without knowing whether it is the square that is given.

References
----------
Villani, Optimal transport, Springer (2009), ch. 6. Gretton et al., A kernel two-sample test, J. Mach. Learn.
Res. 13, 723 (2012), eqs. (3) and (10). Nicoli et al., Phys. Rev. Lett. 126, 032001 (2021), arXiv:2007.07115
(mode-covering sample size).
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

import numpy as np
import scipy.special
import scipy.stats
import xarray as xr

from edgphys._checks import numbers_of, one_line
from edgphys.errors import UnknownNameError
from edgphys.estimators.resampling import block_sums, jackknife

__all__ = ["forward_ess", "mmd", "wasserstein"]

_N_BLOCKS = 500
_ROWS = 1024
KERNELS = ("gaussian", "polynomial")


def wasserstein(
    values: np.ndarray,
    reference: np.ndarray,
    rng: np.random.Generator | int,
    *,
    log_weights: np.ndarray | None = None,
    reference_log_weights: np.ndarray | None = None,
    n_resamples: int = 100,
) -> xr.Dataset:
    """W_1 between two samples of a scalar, such as the energy.

    Parameters
    ----------
    values, reference : arrays, shapes (n,) and (m,)
        Independent draws.
    rng : numpy Generator or int
        For the bootstrap; an integer is the seed of a new one.
    log_weights, reference_log_weights : arrays, optional
        Logarithms of importance weights.
    n_resamples : int
        Bootstrap copies, for the error and the floor; at least 2.

    Returns
    -------
    Dataset
        ``distance``, ``distance_err`` (standard deviation of bootstrap copies) and ``floor``.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, the arrays do not fit, or values are not finite.

    Examples
    --------
    >>> table = wasserstein(np.arange(100.0), np.arange(100.0) + 3.0, 0)
    >>> round(float(table.distance), 12)
    3.0
    """
    x, p = _scalars(values, log_weights, "values")
    y, q = _scalars(reference, reference_log_weights, "reference")
    rng, n_resamples = _generator(rng), _count(n_resamples, "n_resamples", 2)
    distance = scipy.stats.wasserstein_distance(x, y, p, q)
    copies, floors = np.empty(n_resamples), np.empty(n_resamples)
    for k in range(n_resamples):
        # Weighted draws are as good as fewer of equal weight.
        a, b, c = (rng.choice(len(s), n, p=s) for s, n in ((p, _kish(p)), (q, _kish(q)), (q, _kish(p))))
        copies[k] = scipy.stats.wasserstein_distance(x[a], y[b])
        floors[k] = scipy.stats.wasserstein_distance(y[c], y[b])
    spread = copies.std(ddof=1)
    return _table(
        {
            "distance": (distance, "W_1 = integral of |F - G|, in the units of the values"),
            "distance_err": (spread, "standard deviation of bootstrap copies"),
            "floor": (floors.mean(), "mean W_1 of two samples of the reference, of both effective sizes"),
        },
        {"n_draws": len(x), "n_reference": len(y), "ess_count": float(1.0 / (p * p).sum())},
    )


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
    """Maximum mean discrepancy between samples and a reference, with the parameters of the kernel in the
    attributes.

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
        one distribution, and ``mmd``, the root of mmd_squared or 0.

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
    if kernel not in KERNELS:
        raise UnknownNameError(f"kernel must be one of {', '.join(KERNELS)}, got {kernel!r}")
    x, p = _points(x, log_weights, "x")
    y, q = _points(y, reference_log_weights, "y")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"x and y must have points of one dimension, got {x.shape[1]} and {y.shape[1]}")
    scale = numbers_of(bandwidths, "bandwidths", "positive and finite").ravel()
    if not len(scale) or not ((scale > 0) & np.isfinite(scale)).all():
        raise ValueError(f"bandwidths must be positive and finite, got {scale.tolist()}")
    k = _Kernel(kernel, scale, _count(degree, "degree", 1))
    (xx, xx_rows, xx_square), (yy, yy_rows, yy_square) = (k.within(s, t) for s, t in ((x, p), (y, q)))
    xy_rows, yx_rows, xy_square = k.between(x, p, y, q)
    squared = xx + yy - 2.0 * float(p @ xy_rows)
    variance = 4.0 * (_variance(xx_rows - xy_rows, p) + _variance(yy_rows - yx_rows, q))
    null = 2.0 * (xx_square * (p * p).sum() ** 2 + yy_square * (q * q).sum() ** 2)
    null += 4.0 * xy_square * (p * p).sum() * (q * q).sum()
    return _table(
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
            "bandwidths": scale.tolist() if kernel == "gaussian" else [],
            "degree": k.degree if kernel == "polynomial" else 0,
            "n_draws": len(x),
            "n_reference": len(y),
        },
    )


def forward_ess(log_weights: np.ndarray) -> xr.Dataset:
    """Effective sample size of a proposal q as a fraction, from draws of the target p: the reference.

    Parameters
    ----------
    log_weights : array of any shape, such as (chain, draw)
        log w = log p~ - log q at independent draws of p; on a joint space, with the latents drawn from the
        encoder. Constants drop out.

    Returns
    -------
    Dataset
        ``forward_ess``, between 0 and 1, and its error; jackknife.

    Raises
    ------
    TypeError, ValueError
        If they are no numbers, fewer than two draws, or not finite.

    Examples
    --------
    >>> float(forward_ess(np.zeros(100)).forward_ess)
    1.0
    """
    allowed = "at least two finite numbers"
    logs = numbers_of(log_weights, "log_weights", allowed).ravel()
    _check_finite(logs, "log_weights", allowed, len(logs) >= 2)
    columns = np.stack([np.ones_like(logs), np.exp(logs - logs.max()), np.exp(logs.min() - logs)])
    shift = math.exp(logs.min() - logs.max()) if logs.max() - logs.min() < 700 else 0.0
    sums = block_sums(columns, min(len(logs), _N_BLOCKS))
    with np.errstate(divide="ignore", invalid="ignore"):
        values, errors = jackknife(
            sums, sums[:, 0], lambda s: (shift * s[..., 0] ** 2 / (s[..., 1] * s[..., 2]))[..., None]
        )
    return _table(
        {
            "forward_ess": (values[0], "1 / (E_p[w] E_p[1/w]) over draws of the reference, as a fraction"),
            "forward_ess_err": (errors[0], "one standard error of forward_ess"),
        },
        {"n_reference": len(logs)},
    )


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
        """<k> over pairs of different draws, the mean over the others for each draw, and the variance of
        k."""
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


def _generator(rng) -> np.random.Generator:
    if isinstance(rng, np.random.Generator):
        return rng
    return np.random.default_rng(_count(rng, "rng", 0, "a numpy Generator or an integer seed >= 0"))


def _count(value, name: str, least: int, allowed: str = "") -> int:
    words = f"{name} must be {allowed or f'an integer >= {least}'}"
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(f"{words}, got {one_line(value)}")
    if value < least:
        raise ValueError(f"{words}, got {value}")
    return int(value)


def _check_finite(array: np.ndarray, name: str, allowed: str, fits: bool) -> None:
    if not fits:
        raise ValueError(f"{name} must be {allowed}, got shape {array.shape}")
    if n_bad := np.count_nonzero(~np.isfinite(array)):
        raise ValueError(f"{name} must be {allowed}, got {n_bad} of {array.size} not finite")


def _share(log_weights, n: int, argument: str) -> np.ndarray:
    if log_weights is None:
        return np.full(n, 1.0 / n)
    name, allowed = f"log weights of {argument}", f"{n} numbers, finite or -inf, one of them finite"
    logs = numbers_of(log_weights, name, allowed)
    if logs.shape != (n,):
        raise ValueError(f"{name} must be {allowed}, got shape {logs.shape}")
    if np.isnan(logs).any() or not np.isfinite(logs.max()):
        came = ", ".join(
            f"{np.count_nonzero(are(logs))} {what}"
            for are, what in ((np.isnan, "NaN"), (np.isposinf, "inf"), (np.isneginf, "-inf"))
        )
        raise ValueError(f"{name} must be {allowed}, got {came}")
    return scipy.special.softmax(logs)


def _scalars(values, log_weights, argument: str) -> tuple[np.ndarray, np.ndarray]:
    allowed = "at least two finite numbers"
    array = numbers_of(values, argument, allowed)
    _check_finite(array, argument, allowed, array.ndim == 1 and len(array) >= 2)
    return array, _share(log_weights, len(array), argument)


def _points(values, log_weights, argument: str) -> tuple[np.ndarray, np.ndarray]:
    allowed = "at least two finite points, shape (n, d)"
    array = numbers_of(values, argument, allowed)
    _check_finite(array, argument, allowed, array.ndim >= 2 and len(array) >= 2)
    array = array.reshape(len(array), -1)
    return array, _share(log_weights, len(array), argument)


def _kish(p: np.ndarray) -> int:
    """Effective number of draws, at least 2."""
    return max(2, round(1.0 / float(p @ p)))


def _table(values: dict, attrs: dict) -> xr.Dataset:
    return xr.Dataset(
        {k: ((), float(v), {"definition": text}) for k, (v, text) in values.items()}, attrs=attrs
    )
