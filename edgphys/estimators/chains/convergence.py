# SPDX-License-Identifier: MIT
"""Whether Markov chains agree with each other, and each with itself over time.

`r_hat` compares chains started independently (rank-normalised, split, the larger of bulk and tail);
`halves_z` compares the first with the second half of all chains, which sees a warm-up that was too short.
Neither can see a region that no chain has visited.
"""

from __future__ import annotations

import numpy as np
import scipy

from edgphys.dataset.padding import lengths, pooled, side_by_side
from edgphys.estimators.chains.autocorrelation import MIN_DRAWS, gamma_method
from edgphys.estimators.fluctuations import is_still
from edgphys.estimators.quiet import quiet

__all__ = ["HALVES_LEVEL", "R_HAT_LIMIT", "halves_limit", "halves_z", "n_parts", "r_hat"]

R_HAT_LIMIT = 1.01  # Vehtari et al. (2021), section 4
HALVES_LEVEL = 1e-3  # probability that stationary chains are called drifting, over all observables together


def r_hat(series: np.ndarray) -> float:
    """Rank-normalised split R-hat of one observable.

    Parameters
    ----------
    series : array, shape (n_chains, n_draws)
        At least 8 draws per chain, NaN beyond the end of a shorter one; a single chain is first cut into two.

    Returns
    -------
    float
        Near 1 for chains that agree; NaN if the observable is constant, which says nothing, infinite if it is
        constant in every chain but differs between them.

    Notes
    -----
    Chains of unequal length are split into their own halves, with n_j draws each, N in all, and

        R-hat^2 = (n_0 - 1 + B / W) / n_0,    n_0 = (N - sum_j n_j^2 / N) / (m - 1) ,
        B = sum_j n_j (mean_j - mean)^2 / (m - 1),    W = sum_j (n_j - 1) var_j / (N - m) ,

    the analysis of variance of m groups of unequal size: for equal ones it is the usual definition.

    References
    ----------
    A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Buerkner, Bayesian Analysis
    16 (2021) 667, arXiv:1903.08008.
    S. R. Searle, Linear Models, Wiley (1971), chapter 9 (n_0 of groups of unequal size).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bool(r_hat(rng.standard_normal((4, 500))) < 1.01)
    True
    >>> bool(r_hat(rng.standard_normal((4, 500)) + [[0], [0], [0], [1]]) > 1.01)
    True
    """
    if is_still(pooled(series).ravel()):
        return float("nan")
    if is_still(series):
        return float("inf")
    counts = lengths(series)
    if len(set(counts.tolist())) > 1:
        chains = zip(series, counts, strict=True)
        return _of_unequal([half for chain, n in chains for half in _halves(chain[:n])])
    series = series[:, : counts[0]]
    if len(series) == 1:
        series = np.stack(_halves(series[0]))
    # arviz announces its successor on import, and divides by zero for observables that hardly move
    with quiet():
        import arviz  # slow to import (seconds), and only chains need it

        value = float(arviz.rhat(series, method="rank"))
    return value if np.isfinite(value) else float("inf")


def _halves(chain: np.ndarray) -> list[np.ndarray]:
    half = len(chain) // 2
    return [chain[:half], chain[-half:]]


def _of_unequal(parts: list[np.ndarray]) -> float:
    """R-hat of parts of unequal length: of their ranks, and of those of the distances from the median."""
    values = np.concatenate(parts)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    ratios = []
    for column in (values, np.abs(values - np.median(values))):
        ranks = (scipy.stats.rankdata(column) - 0.375) / (len(column) + 0.25)
        ratios.append(_ratio(np.split(scipy.stats.norm.ppf(ranks), ends)))
    return max(ratios) if np.isfinite(ratios).all() else float("inf")


def _ratio(groups: list[np.ndarray]) -> float:
    """Square root of the variance over that within groups, see `r_hat`."""
    sizes, means = np.array([len(group) for group in groups]), np.array([group.mean() for group in groups])
    n, m = sizes.sum(), len(groups)
    within = sum(((group - mean) ** 2).sum() for group, mean in zip(groups, means, strict=True)) / (n - m)
    between = (sizes * (means - sizes @ means / n) ** 2).sum() / (m - 1)
    size = (n - (sizes**2).sum() / n) / (m - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.sqrt((size - 1.0 + between / within) / size))


def n_parts(n_chains: int) -> int:
    """Number of pieces that `r_hat` compares: two a chain, four of a single chain.

    Examples
    --------
    >>> n_parts(1), n_parts(8)
    (4, 16)
    """
    return 4 if n_chains == 1 else 2 * n_chains


def halves_z(series: np.ndarray) -> float:
    """Difference of the means over first and second halves of the chains, in standard errors.

    z = (mean_1 - mean_2) / (sqrt(2) err_2), err_2 the error of the second half by the Gamma method: equal to
    that of the first half if the chains are stationary, and not inflated by a warm-up, as the error of the
    whole would be.

    Parameters
    ----------
    series : array, shape (n_chains, n_draws)
        NaN beyond the end of a shorter chain; halves are those of each chain.

    Returns
    -------
    float
        Standard normal for long stationary chains; 0 where no chain moves, infinite if only the second half
        is constant, NaN below 32 draws per chain. Of unequal chains those of fewer draws are left out.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((4, 500))
    >>> bool(abs(halves_z(noise)) < 3 < abs(halves_z(noise + np.linspace(0, 1, 500))))
    True
    """
    chains = zip(series, lengths(series), strict=True)
    halves = [_halves(chain[:n]) for chain, n in chains if n >= 2 * MIN_DRAWS]
    if not halves:
        return float("nan")
    first, second = (side_by_side(part) for part in zip(*halves, strict=True))
    later = gamma_method(second)
    difference = float(pooled(first).mean()) - later.mean
    if is_still(second):
        return 0.0 if is_still(series) else float(np.copysign(np.inf, difference))
    return difference / (np.sqrt(2.0) * later.err)


def halves_limit(n_observables: int) -> float:
    """Largest |z| of `halves_z` that passes: the two-sided 1e-3 / n_observables normal quantile.

    Examples
    --------
    >>> round(halves_limit(1), 2), round(halves_limit(5), 2)
    (3.29, 3.72)
    """
    return float(scipy.stats.norm.isf(0.5 * HALVES_LEVEL / n_observables))
