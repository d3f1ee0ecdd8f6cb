# SPDX-License-Identifier: MIT
r"""Averages at any coefficients from all draws of a ladder, with what every draw does to them.

With the weights w_n = exp(-a . X_n) / D(x_n) of `edgphys.estimators.ladders.pool`, normalised to W_n,

    log Z(a) = log sum_n w_n,     <A>_a = sum_n W_n A_n.

To linear order a change of the draws moves these directly, and through the f_k of the rungs, of which
`edgphys.estimators.ladders.mbar` has the response R = H^-1 N W(x_n), with f_0 held at 0 and R_0 = 0:

    phi_n(<A>) = W_n (A_n - <A>) + sum_k N_k c_k R_kn,      c_k = sum_n W_n (A_n - <A>) W_k(x_n),
    phi_n(log Z(a) - log Z_0) = W_n + sum_k N_k g_k R_kn,               g_k = sum_n W_n W_k(x_n),

each less its mean over the draws of the same rung: how many draws a rung has is no accident.
Summed over the rungs of one chain they are a series in time, whose sum has the error that the Gamma method
finds: correlations in time and, by swaps, between rungs are in. Runs of their own are series of their own.

References
----------
Shirts and Chodera, J. Chem. Phys. 129, 124105 (2008), arXiv:0801.1426, equation (14). Ferrenberg and
Swendsen, Phys. Rev. Lett. 63, 1195 (1989). Doss and Tan, J. R. Stat. Soc. B 76, 683 (2014) (influences).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from edgphys.dataset.padding import in_places, pooled
from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.estimators.ladders.pool import LadderPool

__all__ = ["Reweighted", "Reweighting"]


@dataclass(frozen=True)
class Reweighted:
    """Averages at one point.

    Attributes
    ----------
    log_z : float
        log Z, less that of the first rung.
    means : array, shape (n_columns,)
        <A> of each column.
    weights : array, shape (n,)
        W of all draws.
    influences : array, shape (1 + n_columns, n)
        phi of log_z and of each mean.
    """

    log_z: float
    means: np.ndarray
    weights: np.ndarray
    influences: np.ndarray


class Reweighting:
    """Draws of a ladder, or of several runs, to be asked for averages anywhere.

    Parameters
    ----------
    parts : sequence of array, each of shape (n_rungs, n_chains, n_draws, n_terms)
        X of rungs that are sampled together, as those of a ladder are; parts are independent of each other.
        NaN beyond the end of a shorter chain.
    coefficients : array, shape (all rungs, n_terms)
        a of all rungs in this order.

    Attributes
    ----------
    pool : LadderPool
    n : int
        Draws, over all rungs.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((2, 2, 1000)) / np.sqrt([[[1.0]], [[2.0]]])
    >>> terms = 0.5 * x[..., None] ** 2                                      # weight exp(-b x^2 / 2)
    >>> there = Reweighting([terms], np.array([[1.0], [2.0]]))
    >>> found = there.at(np.array([1.5]), x.reshape(1, -1) ** 2)             # <x^2> = 1 / b
    >>> error, _ = there.error(found.influences[1])
    >>> bool(abs(found.means[0] - 1 / 1.5) < 3 * error)
    True
    """

    def __init__(self, parts: Sequence[np.ndarray], coefficients: np.ndarray) -> None:
        self._parts = [(len(part), ~np.isnan(part[0, ..., 0])) for part in parts]
        counts = np.concatenate([np.full(n_rungs, there.sum()) for n_rungs, there in self._parts])
        terms = np.concatenate([part[~np.isnan(part[..., 0])] for part in parts])
        self.pool, self.n = LadderPool(terms, counts, coefficients), len(terms)
        self._rungs = self.pool.rung_weights()
        gram = self._rungs @ self._rungs.T
        curvature = np.diag(counts.astype(float)) - counts[:, None] * gram * counts
        self._response = np.zeros_like(self._rungs)  # of f, that of the first rung held
        inverse = np.linalg.pinv(curvature[1:, 1:], hermitian=True)
        self._response[1:] = (inverse * counts[1:]) @ self._rungs[1:]

    def at(self, coefficients: np.ndarray, columns: np.ndarray) -> Reweighted:
        """Averages of columns, shape (n_columns, n), for the weight exp(-a . X)."""
        log_weights = self.pool.log_weights(coefficients)
        top = log_weights.max()
        weights = np.exp(log_weights - top)
        total = weights.sum()
        weights /= total
        means = columns @ weights
        direct = np.concatenate([weights[None], weights * (columns - means[:, None])])
        influences = direct + (self.pool.counts * (direct @ self._rungs.T)) @ self._response
        return Reweighted(top + math.log(total), means, weights, self._centred(influences))

    def log_sum(self, log_weights: np.ndarray, members: np.ndarray) -> tuple[float, np.ndarray]:
        """log of the sum of the weights of some draws, by their indices, and its influence, shape (n,)."""
        total = float(logsumexp(log_weights[members]))
        shares = np.exp(log_weights[members] - total)
        influence = (self.pool.counts * (self._rungs[:, members] @ shares)) @ self._response
        influence[members] += shares
        return total, self._centred(influence[None])[0]

    def error(self, influence: np.ndarray) -> tuple[float, float]:
        """Error of what has this influence, shape (n,), and the longest tau_int of its series, in draws."""
        results = [(gamma_method(series), pooled(series).size) for series in self.series(influence)]
        tau_int = max(result.tau_int for result, _ in results)
        return math.hypot(*(result.err * size for result, size in results)), tau_int

    def series(self, influences: np.ndarray) -> list[np.ndarray]:
        """Of each part the sums over its rungs, shape (..., n) to (..., n_chains, n_draws)."""
        found, first = [], 0
        for n_rungs, there in self._parts:
            size = n_rungs * there.sum()
            part = influences[..., first : first + size]
            found.append(in_places(part.reshape(*part.shape[:-1], n_rungs, -1).sum(axis=-2), there))
            first += size
        return found

    def by_rung(self, values: np.ndarray) -> list[np.ndarray]:
        """Numbers of all draws, shape (n,), as (n_chains, n_draws) of each rung."""
        places = [there for n_rungs, there in self._parts for _ in range(n_rungs)]
        parts = np.split(values, np.cumsum(self.pool.counts)[:-1])
        return [in_places(part, there) for part, there in zip(parts, places, strict=True)]

    def _centred(self, influences: np.ndarray) -> np.ndarray:
        """Less the mean over the draws of the same rung, changed in place."""
        ends = np.cumsum(self.pool.counts)
        for end, n in zip(ends, self.pool.counts, strict=True):
            influences[:, end - n : end] -= influences[:, end - n : end].mean(axis=1, keepdims=True)
        return influences
