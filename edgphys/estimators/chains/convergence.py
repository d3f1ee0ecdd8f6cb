# SPDX-License-Identifier: MIT
"""Whether Markov chains agree with each other, and each with itself over time.

`r_hat` compares chains started independently (rank-normalised, split, the larger of bulk and tail);
`halves_z` compares the first with the second half of all chains, which sees a warm-up that was too short.
Neither can see a region that no chain has visited.
"""

from __future__ import annotations

import numpy as np
import scipy

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
        At least 8 draws; a single chain is first cut into two.

    Returns
    -------
    float
        Near 1 for chains that agree; NaN if the observable is constant, which says nothing, infinite if it is
        constant in every chain but differs between them.

    References
    ----------
    A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Buerkner, Bayesian Analysis
    16 (2021) 667, arXiv:1903.08008.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bool(r_hat(rng.standard_normal((4, 500))) < 1.01)
    True
    >>> bool(r_hat(rng.standard_normal((4, 500)) + [[0], [0], [0], [1]]) > 1.01)
    True
    """
    if is_still(series.ravel()):
        return float("nan")
    if is_still(series):
        return float("inf")
    if len(series) == 1:
        half = series.shape[1] // 2
        series = np.stack([series[0, :half], series[0, -half:]])
    # arviz announces its successor on import, and divides by zero for observables that hardly move
    with quiet():
        import arviz  # slow to import (seconds), and only chains need it

        value = float(arviz.rhat(series, method="rank"))
    return value if np.isfinite(value) else float("inf")


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

    Returns
    -------
    float
        Standard normal for long stationary chains; 0 where no chain moves, infinite if only the second half
        is constant, NaN below 32 draws per chain.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((4, 500))
    >>> bool(abs(halves_z(noise)) < 3 < abs(halves_z(noise + np.linspace(0, 1, 500))))
    True
    """
    half = series.shape[1] // 2
    if half < MIN_DRAWS:
        return float("nan")
    later = gamma_method(series[:, -half:])
    difference = float(series[:, :half].mean()) - later.mean
    if is_still(series[:, -half:]):
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
