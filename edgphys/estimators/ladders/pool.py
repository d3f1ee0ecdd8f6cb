# SPDX-License-Identifier: MIT
r"""All draws of a ladder as one weighted sample of every state whose action has the same terms.

With N_k draws from rung k, of weight exp(-a_k . X), and f_k = -log Z_k, the draws together have the density

    D(x) = sum_k N_k exp(f_k - a_k . X(x)),     Z(a) = sum_n exp(-a . X(x_n)) / D(x_n)     for every a,

at the rungs and anywhere else: MBAR (`edgphys.estimators.ladders.mbar`). The f_k are those for which
Z(a_k) = Z_k, the minimum of the convex function

    kappa(f) = sum_n log sum_k N_k exp(f_k - a_k . X(x_n)) - sum_k N_k f_k,

found by Newton's method with a trust region from the pairwise solutions of Bennett. Between rungs averages
change smoothly, as those of one exponential family on the draws; beyond the ends, and in a gap between rungs
that do not overlap, few draws are left to carry them.

References
----------
Shirts and Chodera, J. Chem. Phys. 129, 124105 (2008), arXiv:0801.1426: equations (11) and, for states that
nothing was drawn from, (14).
"""

from __future__ import annotations

import math

import numpy as np
import scipy.optimize
from scipy.special import logsumexp

from edgphys.estimators.weights.bennett import bennett_root

__all__ = ["LadderPool", "solve"]

_LARGEST = 1e6  # of a difference of reduced energies: beyond, its exponential is 0 in any case


class LadderPool:
    """Draws of all rungs, to be weighed for any coefficients.

    Parameters
    ----------
    terms : array, shape (n, n_terms)
        X of all draws, rung after rung.
    counts : array, shape (n_rungs,)
        Draws of each rung, at least one.
    coefficients : array, shape (n_rungs, n_terms)
        a of the rungs.

    Attributes
    ----------
    terms, counts, coefficients
        As given.
    log_z : array, shape (n_rungs,)
        log Z of the rungs, less that of the first.
    log_mixture : array, shape (n,)
        log D.

    Examples
    --------
    >>> rng = np.random.default_rng(0)                              # weight exp(-b x^2 / 2), Z ~ b^(-1/2)
    >>> x = rng.standard_normal((2, 4000)) / np.sqrt([[1.0], [2.0]])
    >>> pool = LadderPool(x.reshape(-1, 1) ** 2 / 2, np.array([4000, 4000]), np.array([[1.0], [2.0]]))
    >>> bool(abs(logsumexp(pool.log_weights(np.array([1.5]))) + 0.5 * np.log(1.5)) < 0.02)
    True
    """

    def __init__(self, terms: np.ndarray, counts: np.ndarray, coefficients: np.ndarray) -> None:
        self.terms, self.counts, self.coefficients = terms, counts, coefficients
        energies = coefficients @ terms.T
        self.log_z = -solve(energies, counts)
        self.log_mixture = logsumexp((np.log(counts) - self.log_z)[:, None] - energies, axis=0)

    def log_weights(self, coefficients: np.ndarray) -> np.ndarray:
        """Log weights of the draws for exp(-a . X), shape (n,); the log of their sum is log Z(a)."""
        return -(self.terms @ coefficients) - self.log_mixture

    def rung_weights(self) -> np.ndarray:
        """Weights of the draws for every rung, shape (n_rungs, n), each row of sum 1."""
        exponents = -self.log_z[:, None] - self.coefficients @ self.terms.T - self.log_mixture
        return np.exp(exponents)


def solve(energies: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """f of all rungs, that of the first 0.

    Parameters
    ----------
    energies : array, shape (n_rungs, n)
        Reduced energies a_k . X(x_n) of all draws, rung after rung.
    counts : array, shape (n_rungs,)
        Draws of each rung.
    """
    if len(counts) == 1:
        return np.zeros(1)
    n, log_counts = energies.shape[1], np.log(counts)

    def shares(rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        exponents = (log_counts + np.concatenate([[0.0], rest]))[:, None] - energies
        log_sums = logsumexp(exponents, axis=0)
        return log_sums, np.exp(exponents - log_sums)

    def value_and_slope(rest: np.ndarray) -> tuple[float, np.ndarray]:
        log_sums, parts = shares(rest)
        slope = (parts.sum(axis=1) - counts)[1:] / n
        return float(log_sums.mean() - counts[1:] @ rest / n), slope

    def curvature(rest: np.ndarray) -> np.ndarray:
        _, parts = shares(rest)
        return (np.diag(parts.sum(axis=1)) - parts @ parts.T)[1:, 1:] / n

    start = _by_pairs(energies, counts)[1:]
    found = scipy.optimize.minimize(
        value_and_slope, start, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-10}
    )
    return np.concatenate([[0.0], found.x])


def _by_pairs(energies: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """f from one rung to the next by Bennett's acceptance ratio."""
    ends = np.cumsum(counts)
    f = np.zeros(len(counts))
    for k in range(len(counts) - 1):
        log_w = np.clip(energies[k] - energies[k + 1], -_LARGEST, _LARGEST)
        first, second = (log_w[ends[j] - counts[j] : ends[j]] for j in (k, k + 1))
        log_ratio = math.log(counts[k + 1] / counts[k])
        f[k + 1] = f[k] - (bennett_root(first, second, log_ratio) + log_ratio)
    return f
