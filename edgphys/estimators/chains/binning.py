# SPDX-License-Identifier: MIT
"""Error of a mean over correlated draws by logarithmic binning, for one or several chains.

Level k cuts each chain into bins of B = 2^k draws, as far as they go, and treats the n_bins
bin means as independent:

    err_k^2 = sum_b (mean_b - mean)^2 / (n_bins (n_bins - 1)) ,   tau_k = n err_k^2 / (2 var) .

err_k rises with B until the bins are much longer than the autocorrelation, to a plateau that is the standard
error:

    err_k^2 = err^2 (1 - O(tau_int / B)) .

It needs no window and sees slow modes of any strength, but takes about ten times longer chains than the Gamma
method (`edgphys.estimators.chains.autocorrelation`): use it as a check.

Plateau rule: the level is the first with B^3 > 16 n (2 tau_k)^2, which is twice the bin size of least mean
square error (there the bias of err is as large as its noise), and converged says that (a) it has at least 32
bins, and (b) no coarser level with at least 32 bins differs from it by more than 2.6 standard errors of the
difference. The levels are nested, so that difference of log err_j and log err_k has the variance
1/(2 n_bins_j) - 1/(2 n_bins_k).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgphys.dataset.padding import lengths, pooled
from edgphys.estimators.chains.autocorrelation import require_length
from edgphys.estimators.fluctuations import is_still

__all__ = ["MIN_BINS", "BinningResult", "log_binning"]

MIN_BINS = 32  # an error from 32 bins is known to 1/sqrt(62) = 13 %; Student's t costs 1 % of coverage
PLATEAU_LIMIT = 2.6  # two-sided 1 %: of few levels, and of errors that are nearly normal only
_TWICE_OPTIMAL = 8.0  # (2 B)^3 / B^3


@dataclass(frozen=True)
class BinningResult:
    """Errors of a mean at all bin sizes, and the level where they stop growing.

    Attributes
    ----------
    mean, err, err_err : float
        Mean over all draws; its standard error at the chosen level, a lower bound unless `converged`; the
        standard error of that error.
    tau_int, tau_int_err : float
        Integrated autocorrelation time in draws implied at the chosen level, 1/2 for independent draws, below
        1/2 for anticorrelated ones; its error is that of err^2 alone.
    converged : bool
        Whether there is a plateau, by the rule in the module's docstring.
    level : int
        The chosen level: the plateau's first, or the coarsest if there is none.
    bin_sizes, n_bins : int64 arrays, shape (n_levels,)
        Draws in a bin, 1, 2, 4, ..., and bins over all chains: at least 32, but for level 0.
    errs, err_errs, tau_ints : float64 arrays, shape (n_levels,)
        err, err_err and tau_int of every level.
    """

    mean: float
    err: float
    err_err: float
    tau_int: float
    tau_int_err: float
    converged: bool
    level: int
    bin_sizes: np.ndarray
    n_bins: np.ndarray
    errs: np.ndarray
    err_errs: np.ndarray
    tau_ints: np.ndarray


def log_binning(series: np.ndarray) -> BinningResult:
    """Mean and error by binning into bins of 1, 2, 4, ... draws, with the autocorrelation time they imply.

    Parameters
    ----------
    series : array, shape (n_chains, n_draws) or (n_draws,)
        One observable, at least 16 draws per chain. Bins do not cross from chain to chain; draws left over at
        the end of a chain are left out of that level, and the error is scaled to all n draws.

    Returns
    -------
    BinningResult
        A series that is constant in every chain has errors and tau_int of NaN, and is not converged.

    Raises
    ------
    ShortChainError
        If a chain has fewer than 16 draws.

    Notes
    -----
    Calibrated on AR(1) series (studies/mcmc_reference): from n = 400 (2 tau_int) on, bars of one standard
    error cover 65 to 70 %, and from about 4000 (2 tau_int) on all series are converged. In between, where
    only some are, these are the ones whose err came out small, and their bars cover 60 to 67 %.

    References
    ----------
    H. Flyvbjerg and H. G. Petersen, J. Chem. Phys. 91 (1989) 461, doi:10.1063/1.457480.
    R. M. Lee et al., Phys. Rev. E 83 (2011) 066706, doi:10.1103/PhysRevE.83.066706: the optimal bin size
    B^3 = 2 n (err_k / err_0)^4.

    Examples
    --------
    >>> draws = np.random.default_rng(1).standard_normal((4, 4096))
    >>> result = log_binning(draws)
    >>> result.converged, abs(result.err * 128 - 1) < 0.1, result.bin_sizes[:4].tolist()
    (True, True, [1, 2, 4, 8])
    """
    series = np.atleast_2d(np.asarray(series, dtype=np.float64))
    n = pooled(series).size
    require_length(int(lengths(series).min()), float("nan"))
    bin_sizes, n_bins, errs = _levels(series)
    err_errs = errs / np.sqrt(2.0 * (n_bins - 1))
    if np.isnan(errs).all():
        tau_ints = np.full(len(errs), np.nan)
        level, converged = 0, False
    else:
        # the plain variance misses that of the mean itself
        variance = pooled(series).var() + errs[-1] ** 2
        tau_ints = n * errs**2 / (2.0 * variance)
        level, converged = _plateau(bin_sizes, n_bins, errs, tau_ints, n)
    return BinningResult(
        mean=float(pooled(series).mean()),
        err=float(errs[level]),
        err_err=float(err_errs[level]),
        tau_int=float(tau_ints[level]),
        tau_int_err=float(tau_ints[level] * np.sqrt(2.0 / (n_bins[level] - 1))),
        converged=converged,
        level=level,
        bin_sizes=bin_sizes,
        n_bins=n_bins,
        errs=errs,
        err_errs=err_errs,
        tau_ints=tau_ints,
    )


def _levels(series: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bin sizes, numbers of bins and errors, from single draws to the coarsest bins of which there are 32."""
    n, levels, still = pooled(series).size, [], is_still(series)
    bins = series - pooled(series).mean()
    while not levels or (pooled(bins).size >= MIN_BINS and bins.shape[1] > 0):
        size, count = 2 ** len(levels), pooled(bins).size
        err = pooled(bins).std(ddof=1) / np.sqrt(count) * np.sqrt(count * size / n)
        levels.append((size, count, np.nan if still else err))
        half = bins.shape[1] // 2  # of a shorter chain the bin behind its end is NaN
        bins = 0.5 * (bins[:, : 2 * half : 2] + bins[:, 1 : 2 * half : 2])
    sizes, counts, errs = zip(*levels, strict=True)
    return np.array(sizes), np.array(counts), np.array(errs)


def _plateau(
    bin_sizes: np.ndarray, n_bins: np.ndarray, errs: np.ndarray, tau_ints: np.ndarray, n: int
) -> tuple[int, bool]:
    """Level to quote, and whether it is a plateau."""
    long_enough = bin_sizes.astype(float) ** 3 > _TWICE_OPTIMAL * 2.0 * n * (2.0 * tau_ints) ** 2
    long_enough &= n_bins >= MIN_BINS
    if not long_enough.any():
        return len(errs) - 1, False
    level = int(np.argmax(long_enough))
    coarser = slice(level + 1, None)
    if errs[level] == 0.0:
        return level, bool(np.all(errs[coarser] == 0.0))
    noise = np.sqrt(0.5 / n_bins[coarser] - 0.5 / n_bins[level])
    with np.errstate(divide="ignore"):
        rise = np.abs(np.log(errs[coarser] / errs[level]))
    return level, bool(np.all(rise <= PLATEAU_LIMIT * noise))
