# SPDX-License-Identifier: MIT
"""Delete-block jackknife and block bootstrap of a function of sums over draws.

The draws are cut into contiguous blocks, and every statistic is a function of column sums, so leaving a block
out or drawing blocks with replacement costs one subtraction or one small matrix product, never a pass over
the draws. With weighted draws the weight and weight times observable are columns, so numerator and
denominator are resampled jointly. Assumes blocks that are independent of each other: independent draws, or
blocks much longer than tau_int.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgphys.estimators.fluctuations import is_still

__all__ = [
    "N_BLOCKS",
    "block_sums",
    "bootstrap",
    "jackknife",
    "jackknife_changes",
    "leave_one_out",
    "weighted_averages",
]

MAX_CORRECTION = 0.5  # of an error: a bias as large is no small correction, and is as uncertain as the rest
N_BLOCKS = 500  # at most: the relative error of a jackknife error is 1/sqrt(2 blocks), 3 %


def block_sums(columns: np.ndarray, n_blocks: int) -> np.ndarray:
    """Sums of columns over contiguous blocks whose sizes differ by at most one; no draw is dropped.

    Parameters
    ----------
    columns : array, shape (n_columns, n_draws)
        Values per draw.
    n_blocks : int
        1 to n_draws.

    Returns
    -------
    float64 array, shape (n_blocks, n_columns)

    Raises
    ------
    ValueError
        If `n_blocks` is not in 1 .. n_draws.

    Examples
    --------
    >>> block_sums(np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]), 2).ravel()
    array([ 3., 12.])
    """
    n_draws = columns.shape[-1]
    if not 1 <= n_blocks <= n_draws:
        raise ValueError(f"n_blocks must be in 1 .. {n_draws} (the number of draws), got {n_blocks}")
    starts = np.arange(n_blocks) * n_draws // n_blocks
    return np.add.reduceat(np.asarray(columns, dtype=np.float64), starts, axis=-1).T


def leave_one_out(sums: np.ndarray) -> np.ndarray:
    """Sum over all blocks but one, for each block, by running sums from both ends.

    Subtracting from the total would lose all digits, and the sign, when one block holds nearly all the
    weight.

    Parameters
    ----------
    sums : array, shape (n_blocks, n_columns)

    Returns
    -------
    array, shape (n_blocks, n_columns)

    Examples
    --------
    >>> leave_one_out(np.array([[1e30], [1.0], [2.0]])).ravel()
    array([3.e+00, 1.e+30, 1.e+30])
    """
    out = np.zeros_like(sums)
    out[1:] += np.cumsum(sums[:-1], axis=0)
    out[:-1] += np.cumsum(sums[:0:-1], axis=0)[::-1]
    return out


def jackknife(
    sums: np.ndarray,
    sizes: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    low: np.ndarray | float = -np.inf,
    high: np.ndarray | float = np.inf,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Bias-corrected estimate and standard error of a function of sums, by deleting one block at a time.

    With h_j = n / n_j and pseudo-values p_j = h_j f - (h_j - 1) f_(j), f_(j) without block j:
    estimate = g f - sum_j (1 - n_j/n) f_(j),   err^2 = 1/g sum_j (p_j - estimate)^2 / (h_j - 1).
    The O(1/n) bias of f is removed where that is a small correction, half an error at most, and leaves the
    estimate possible; blocks may differ in size.

    Parameters
    ----------
    sums : array, shape (n_blocks, n_columns)
        Column sums of each block (`block_sums`), at least two blocks.
    sizes : array, shape (n_blocks,)
        Number of draws in each block.
    statistic : callable
        Maps sums (..., n_columns) to statistics (..., n_out); the scale of the sums must not matter.
    low, high : arrays, shape (n_out,), or float
        Smallest and largest possible value.

    Returns
    -------
    estimate, err : arrays, shape (n_out,)
        The plain statistic where it is not corrected. Where a deleted copy has no finite value, so it is, and
        err is infinite (NaN when the plain statistic has no value either).

    Raises
    ------
    ValueError
        If there are fewer than two blocks.

    References
    ----------
    F. Busing, E. Meijer, R. van der Leeden, Statistics and Computing 9 (1999) 3, doi:10.1023/A:1008800423698.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 3.0, 6.0])
    >>> sums = block_sums(np.stack([np.ones(4), x]), 4)
    >>> value, err = jackknife(sums, sums[:, 0], lambda s: (s[..., 1] / s[..., 0])[..., None])
    >>> float(value[0]), bool(np.isclose(err[0], x.std(ddof=1) / 2))
    (3.0, True)
    """
    n_blocks = len(sums)
    if n_blocks < 2:
        raise ValueError(f"sums must hold at least 2 blocks, got {n_blocks}")
    plain = statistic(sums.sum(axis=0))
    deleted = statistic(leave_one_out(sums))
    n = sizes.sum()
    ratio = (n / sizes)[:, None]
    with np.errstate(invalid="ignore", over="ignore"):
        # the same formulas, but in the differences, which are small: no digits are lost
        change = plain - deleted
        correction = ((1.0 - 1.0 / ratio) * change).sum(axis=0)
        estimate = plain + correction
        err = np.sqrt((((ratio - 1.0) * change - correction) ** 2 / (ratio - 1.0)).mean(axis=0))
    usable = np.isfinite(estimate) & np.isfinite(err)
    no_error = np.where(np.isfinite(plain), np.inf, np.nan)
    corrected = usable & (np.abs(correction) <= MAX_CORRECTION * err) & (low <= estimate) & (estimate <= high)
    return np.where(corrected, estimate, plain), np.where(usable, err, no_error)


def jackknife_changes(
    sums: np.ndarray, sizes: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """What each block does to the statistics: r with err^2 = sum r^2, and covariances r.T @ r.

    Parameters
    ----------
    sums, sizes, statistic
        As for `jackknife`.

    Returns
    -------
    array, shape (n_blocks, n_out)

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 3.0, 6.0], [2.0, 4.0, 6.0, 12.0]])
    >>> sums = block_sums(np.vstack([np.ones(4), x]), 4)
    >>> r = jackknife_changes(sums, sums[:, 0], lambda s: s[..., 1:] / s[..., :1])
    >>> bool(np.allclose(r.T @ r, np.cov(x) / 4))
    True
    """
    with np.errstate(invalid="ignore", over="ignore"):
        change = statistic(sums.sum(axis=0)) - statistic(leave_one_out(sums))
        others = (sizes.sum() / sizes - 1.0)[:, None]
        correction = (others / (others + 1.0) * change).sum(axis=0)
        return (others * change - correction) / np.sqrt(others * len(sums))


def weighted_averages(
    weights: np.ndarray,
    columns: np.ndarray,
    transform: Callable[[np.ndarray], np.ndarray] | None = None,
    origin: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """f(<a_1>, ..., <a_p>) of self-normalised averages <a> = sum w a / sum w, and its standard error.

    Parameters
    ----------
    weights : array, shape (n_draws,)
        Not negative, of independent draws.
    columns : array, shape (n_columns, n_draws)
        a_k of each draw.
    transform : callable, optional
        f, maps (..., n_columns) to (..., n_out); the identity by default.
    origin : array, shape (n_columns,), optional
        Values that are subtracted before summing: what does not vary gets no rounding error for an error bar.

    Returns
    -------
    values, errors : float64 arrays, shape (n_out,)
        NaN for the error of an average of what is the same in all draws.

    Examples
    --------
    >>> value, error = weighted_averages(np.array([1.0, 1.0, 2.0]), np.array([[0.0, 4.0, 2.0]]))
    >>> round(float(value[0]), 9)
    2.0
    """
    origin = np.asarray(origin, dtype=np.float64)
    shifted = weights * (columns - origin[..., None])
    sums = block_sums(
        np.concatenate([np.ones((1, len(weights))), weights[None], shifted]), min(len(weights), N_BLOCKS)
    )

    def statistic(s: np.ndarray) -> np.ndarray:
        means = s[..., 2:] / s[..., 1:2] + origin
        return means if transform is None else transform(means)

    with np.errstate(divide="ignore", invalid="ignore"):
        values, errors = jackknife(sums, sums[:, 0], statistic)
    if transform is None:
        errors[[is_still(column[weights > 0.0]) for column in columns]] = np.nan
    return values, errors


def bootstrap(
    sums: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    n_resamples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Statistic on blocks drawn with replacement.

    Parameters
    ----------
    sums : array, shape (n_blocks, n_columns)
        Column sums of each block.
    statistic : callable
        Maps sums (..., n_columns) to statistics (..., n_out).
    n_resamples : int
        Number of bootstrap copies.
    rng : numpy Generator
        Draws the blocks.

    Returns
    -------
    array, shape (n_resamples, n_out)

    References
    ----------
    B. Efron, Annals of Statistics 7 (1979) 1, doi:10.1214/aos/1176344552.

    Examples
    --------
    >>> sums = block_sums(np.stack([np.ones(100), np.arange(100.0)]), 100)
    >>> rng = np.random.default_rng(0)
    >>> copies = bootstrap(sums, lambda s: (s[..., 1] / s[..., 0])[..., None], 2000, rng)
    >>> bool(abs(copies.std() - np.arange(100).std() / 10) < 0.15)
    True
    """
    n_blocks = len(sums)
    counts = rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=n_resamples)
    return statistic(counts @ sums)
