# SPDX-License-Identifier: MIT
r"""Weighted draws at some couplings, the nodes, serve every coupling: sums over all of them at once.

Draw n of node i, a configuration s_in with the joint weight w_in, stands for the weight exp(-U_i):
<sum_n w_in f(s_in) / n> = int f exp(-U_i) for every f. Let h_i >= 0 be functions of s that add up to 1. Then

    Z_j = sum_i (1/n) sum_n w_in h_i(s_in) exp(U_i(s_in) - U_j(s_in))

is unbiased for every j, at nodes and between, and so are the integrals of f exp(-U_j), with f under the sum.
The balance heuristic

    h_i = (a_i / z_i) exp(-U_i) / D,     D = sum_k (a_k / z_k) exp(-U_k),

has nearly least variance where z is near Z. A common factor of z drops out, and as the mean does not depend
on z or a at all, an error of z enters the estimates in second order only: nothing is iterated. Taken are the
node's own mean weight for z_k and its effective sample size for a_k.

**Control variates.** Node k has two estimates of its Z_k, from all draws by the above and the plain mean of
its own weights. Their difference, over z_k,

    d_k = sum_i (1/n) sum_n [ exp(U_i - U_k) h_i / z_k - delta_ik / z_k ] w_in,

has the mean zero. Any multiple may be subtracted from any sum, and the multiples of least variance, by
regression, combine both estimates by least squares with their covariance, not of log Z only: what is known of
differences of log Z says much of the energies in between. Weights that vary little make the plain means
precise and the pooled ones not at all; weights that vary much the reverse.

**Without bias.** z, a and the multiples that the first half of the draws uses come from the second, and the
other way round. So all sums are linear in draws that are independent of their coefficients: unbiased for any
number of draws, with errors from what the draws really scatter.

The multiples are linear in the sums they are for, so that d log Z / d beta = -<E> stays an identity along the
curve. What is *not* one is that all d_k vanish on average, see `edgphys.estimators.curves.nodes`.

References
----------
Veach and Guibas, SIGGRAPH (1995), doi:10.1145/218380.218498 (balance heuristic). Owen and Zhou, J. Am. Stat.
Assoc. 95, 135 (2000), doi:10.1080/01621459.2000.10473909 (mixtures, control variates of their components).
Shirts and Chodera, J. Chem. Phys. 129, 124105 (2008) (the mixture as the best of all, for weights of 1).
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

__all__ = ["LEAST_DRAWS", "Pool"]

LEAST_DRAWS = 16  # of a node: a half of them gives z and a
# Added to the variances of the differences, as a part of each and of Z: combinations of nearly no variance,
# which near-perfect weights have, get no large multiples; beyond these nothing is lost.
_RIDGE, _ROUNDING = 0.02, 1e-10


class Pool:
    """Draws of all nodes, equally many of each, ready to be summed with the weights of any coupling.

    Parameters
    ----------
    log_weights : array, shape (n_nodes, n)
        log w_in, finite or -inf; some of each half of every node finite.
    energies : array, shape (n_nodes, n_nodes, n)
        Reduced energies U_k(s_in) by k, i, n: of every node at the draws of every node.

    Attributes
    ----------
    differences : array, shape (n_nodes, n)
        Summand n of d_k, so that d_k is the mean over n: independent rows, each from a draw of every node.
    log_base : array, shape (n_nodes, n)
        log of w_in h_i exp(U_i): less U_j and log n, the weights of coupling j.
    log_relative : array, shape (n_nodes, n)
        log of w_in over the mean weight of the node.

    Raises
    ------
    ValueError
        If there are fewer than `LEAST_DRAWS` draws of a node, or all weights of half a node vanish.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((3, 1000)) / np.sqrt([[1.0], [2.0], [3.0]])   # U = b x^2 / 2 at b = 1, 2, 3
    >>> energies = np.array([1.0, 2.0, 3.0])[:, None, None] * x**2 / 2
    >>> pool = Pool(np.repeat(-0.5 * np.log([[1.0], [2.0], [3.0]]), 1000, axis=1), energies)
    >>> (weights,) = pool.rows(2.5 * x**2 / 2, np.empty((0, 3, 1000)))       # Z = b^(-1/2)
    >>> bool(abs(weights.mean() - 2.5**-0.5) < 3e-4)
    True
    """

    def __init__(self, log_weights: np.ndarray, energies: np.ndarray) -> None:
        n = log_weights.shape[1]
        if n < LEAST_DRAWS:
            raise ValueError(f"draw must hold at least {LEAST_DRAWS} draws of every node, got {n}")
        self.log_relative = log_weights - logsumexp(log_weights, axis=1, keepdims=True) + np.log(n)
        halves = slice(0, n // 2), slice(n // 2, n)
        self.log_base, self.differences = np.empty(log_weights.shape), np.empty(log_weights.shape)
        self._halves = []
        for own, other in (halves, halves[::-1]):
            log_z, log_share = _heuristic(log_weights[:, other])
            log_mixture = logsumexp((log_share - log_z)[:, None, None] - energies, axis=0)
            log_base = log_weights + (log_share - log_z)[:, None] - log_mixture
            parts = np.exp(log_base - energies - log_z[:, None, None])
            nodes = range(len(log_weights))
            parts[nodes, nodes] -= np.exp(log_weights - log_z[:, None])
            self.log_base[:, own] = log_base[:, own]
            self.differences[:, own] = parts[..., own].sum(1)
            self._halves.append((own, other, log_base[:, other], _projector(parts[..., other])))

    def rows(self, energies: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Independent rows whose means are Z_j and the integrals of columns times exp(-U_j).

        Parameters
        ----------
        energies : array, shape (n_nodes, n)
            U_j at all draws.
        columns : array, shape (n_columns, n_nodes, n)
            f of each draw.

        Returns
        -------
        array, shape (1 + n_columns, n)
            Control variates subtracted: single numbers may be negative.
        """
        rows = np.empty((1 + len(columns), energies.shape[1]))
        for own, other, log_base, projector in self._halves:
            multiples = _weighted(log_base - energies[:, other], columns[..., other])
            multiples = multiples.reshape(len(rows), -1) @ projector
            plain = _weighted((self.log_base - energies)[:, own], columns[..., own]).sum(1)
            rows[:, own] = plain - multiples @ self.differences[:, own]
        return rows


def _heuristic(log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log z and log a of every node: its mean weight, and its share of the effective sample sizes."""
    log_sum, log_square = logsumexp(log_weights, axis=1), logsumexp(2.0 * log_weights, axis=1)
    if not np.isfinite(log_sum).all():
        raise ValueError("log_weight_joint must be finite for some draws in each half of every node")
    log_size = 2.0 * log_sum - log_square
    return log_sum - np.log(log_weights.shape[1]), log_size - logsumexp(log_size)


def _projector(parts: np.ndarray) -> np.ndarray:
    """What takes the weighted draws of a column to the multiples of least variance, (n_nodes n, n_nodes)."""
    centred = parts - parts.mean(axis=-1, keepdims=True)
    flat = centred.reshape(len(parts), -1)
    matrix = flat @ flat.T
    matrix += np.diag(_RIDGE * np.diag(matrix) + flat.shape[1] * _ROUNDING**2)
    return np.linalg.solve(matrix, flat).T


def _weighted(log_weights: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Weights, and columns times weights."""
    weights = np.exp(log_weights)
    return np.concatenate([weights[None], weights * columns])
