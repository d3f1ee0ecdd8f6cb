# SPDX-License-Identifier: MIT
"""Entropy of the rungs of a ladder: S_k = log Z_k + <u_k>, u_k the reduced energy of draws of rung k itself.

log Z and <u> come from the same chains, so they fluctuate together: the influence of every draw on log Z and
its own deviation from <u> are added before the Gamma method takes the error of their sum, with a window not
shorter than that of either.
"""

from __future__ import annotations

import math

import numpy as np

from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.estimators.fluctuations import is_still
from edgphys.estimators.ladders.reading import Ladder

__all__ = ["DEFINITIONS", "entropy_error", "reduced_energies"]

DEFINITIONS = {
    "entropy": "log_z + <u>, u the reduced energy of the rung",
    "entropy_err": "one standard error of entropy, statistical, with the covariance of log_z and <u>; NaN "
    "where u could fluctuate and does not",
}


def reduced_energies(ladder: Ladder) -> list[np.ndarray]:
    """u of the draws of each rung, float64 arrays (n_chains, n_draws)."""
    return [terms @ a for terms, a in zip(ladder.terms, ladder.coefficients, strict=True)]


def entropy_error(u: np.ndarray, influences: np.ndarray, bin_length: int = 1) -> float:
    """Standard error of log Z + <u>.

    Parameters
    ----------
    u : array, shape (n_chains, n_draws)
    influences : array, shape (n_chains, n_bins)
        On log Z, of bins of draws in time, whose mean fluctuates as log Z does; zeros where it is known.
    bin_length : int
        Draws of a bin; what is left over belongs to the last.

    Examples
    --------
    >>> u = np.random.default_rng(0).standard_normal((2, 1000))
    >>> entropy_error(u, -0.99 * u) < 3e-4, 0.02 < entropy_error(u, 0.0 * u) < 0.025
    (True, True)
    """
    known = not np.ptp(influences)
    if is_still(u):
        own = 0.0 if known else gamma_method(influences).err
        return math.nan if u.any() else own
    starts = np.arange(influences.shape[1]) * bin_length
    deviations = np.add.reduceat(u - u.mean(), starts, axis=1) * influences.shape[1] / u.shape[1]
    window = max(gamma_method(part).window for part in ([deviations] if known else [deviations, influences]))
    return gamma_method(deviations + influences, least_window=window).err
