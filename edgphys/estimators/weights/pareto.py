# SPDX-License-Identifier: MIT
"""Tail index k of importance weights: how many of their moments exist.

The largest weights are fitted by a generalised Pareto law, p(w > u + y | w > u) = (1 + k y / s)^(-1/k), which
has finite moments of order below 1/k. Variance, and with it the usual error bar, needs k < 1/2; up to
k = min(1 - 1/log10(n), 0.7) the error is still informative in practice, above it is not at this number of
draws. Assumes independent draws. The fit is the quasi-Bayesian one of Zhang and Stephens, as used by Vehtari
et al.

References
----------
A. Vehtari, D. Simpson, A. Gelman, Y. Yao, J. Gabry, Journal of Machine Learning Research 25(72) (2024),
arXiv:1507.02646, section 2 and appendix C.
J. Zhang, M. A. Stephens, Technometrics 51 (2009) 316.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["pareto_k", "pareto_k_limit"]


def pareto_k(log_weights: np.ndarray) -> float:
    """Tail index of the weights exp(log_weights).

    Parameters
    ----------
    log_weights : array, shape (n_draws,)
        Log weights; any constant may be added.

    Returns
    -------
    float
        k; NaN when there is no tail to fit (fewer than 25 draws, or largest weights all equal).

    Examples
    --------
    >>> u = np.random.default_rng(0).uniform(size=100_000)
    >>> abs(pareto_k(-0.5 * np.log(u)) - 0.5) < 0.1      # w = u^(-1/2): P(w > y) = y^(-2)
    True
    """
    log_weights = np.asarray(log_weights, dtype=np.float64)
    n = len(log_weights)
    n_tail = int(np.ceil(min(n / 5.0, 3.0 * np.sqrt(n))))
    if n_tail < 5:
        return float("nan")
    tail = np.sort(log_weights)[-n_tail - 1 :]
    with np.errstate(over="ignore", invalid="ignore"):
        excess = np.exp(tail[1:] - tail[-1]) - np.exp(tail[0] - tail[-1])
    excess = excess[excess > 1e-14]  # ties with the threshold are no part of the tail
    if len(excess) < 5 or np.ptp(excess) == 0.0:
        return float("nan")
    return _fit(excess)


def pareto_k_limit(n_draws: int) -> float:
    """Largest k at which `n_draws` weights give a dependable estimate (arXiv:1507.02646, eq. 13).

    Examples
    --------
    >>> pareto_k_limit(100), pareto_k_limit(10_000)
    (0.5, 0.7)
    """
    return min(1.0 - 1.0 / math.log10(max(n_draws, 11)), 0.7)


def _fit(excess: np.ndarray) -> float:
    """Posterior mean of k over a grid of scales, with a prior k ~ 1/2 worth ten draws; `excess` ascending."""
    n = len(excess)
    n_grid = 30 + int(np.sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1]
    grid = 1.0 / excess[-1] + (1.0 - np.sqrt(n_grid / (np.arange(n_grid) + 0.5))) / (3.0 * quartile)
    k_grid = np.log1p(-grid[:, None] * excess).mean(axis=1)
    log_likelihood = n * (np.log(-grid / k_grid) - k_grid - 1.0)
    posterior = np.exp(log_likelihood - log_likelihood.max())
    scale = float((posterior * grid).sum() / posterior.sum())
    k = float(np.log1p(-scale * excess).mean())
    return (n * k + 10.0 * 0.5) / (n + 10.0)
