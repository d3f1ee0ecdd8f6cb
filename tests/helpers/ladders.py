# SPDX-License-Identifier: MIT
"""Ladders of draws whose free energies are known in closed form, and exact matrices of swaps."""

from __future__ import annotations

import numpy as np
import scipy.signal
import xarray as xr

__all__ = [
    "EXACT",
    "MODES",
    "PATH",
    "as_ladder",
    "coverage",
    "exact_swap_matrix",
    "gaussian_ladder",
    "gaussian_log_z",
]

# (a_0, a_1) with weight exp(-a_0 sum x^2 / 2 - a_1 sum x): an irregular path.
PATH = np.array([[1.0, 0.0], [1.3, 0.2], [1.8, 0.3], [2.2, 0.0]])
MODES = 3


def as_ladder(terms, coefficients):
    """The dataset that the estimators read, from X (rung, chain, draw, term) and a (rung, term)."""
    return xr.Dataset(
        {
            "action_terms": (("rung", "chain", "draw", "term"), terms),
            "action_coefficients": (("rung", "term"), np.asarray(coefficients, float)),
        }
    )


def gaussian_log_z(coefficients, n_modes):
    """log of int exp(-sum_i (a_0 x_i^2 / 2 + a_1 x_i)) dx: n_modes (log(2 pi / a_0) + a_1^2 / a_0) / 2."""
    a = np.asarray(coefficients, float)
    return n_modes / 2 * (np.log(2 * np.pi / a[:, 0]) + a[:, 1] ** 2 / a[:, 0])


def gaussian_ladder(rng, coefficients, n_chains, n_draws, n_modes, decay=0.0, shared=0.0):
    """Draws of n_modes Gaussian modes with X = (sum x^2 / 2, sum x).

    `decay` is the autocorrelation of the modes from draw to draw. A part `shared` of their variance is common
    to all rungs of a chain, as after many swaps.
    """
    n_rungs = len(coefficients)

    def series(*shape):
        noise = rng.standard_normal((*shape, n_draws, n_modes))
        noise[..., 1:, :] *= np.sqrt(1 - decay**2)
        return scipy.signal.lfilter([1.0], [1.0, -decay], noise, axis=-2)

    unit = np.sqrt(1 - shared) * series(n_rungs, n_chains)
    if shared:
        unit += np.sqrt(shared) * series(n_chains)
    a = np.asarray(coefficients, float)[:, None, None, None, :]
    x = unit / np.sqrt(a[..., 0]) - a[..., 1] / a[..., 0]
    return as_ladder(np.stack([(x**2).sum(-1) / 2, x.sum(-1)], axis=-1), coefficients)


def exact_swap_matrix(terms, coefficients, rule):
    """Transition matrix of one swap of two rungs on the pairs of states (x, y) -> index x * n + y.

    `rule` maps the exponent (a_0 - a_1) . (X(x) - X(y)) to the acceptance probability.
    """
    n = len(terms)
    exponents = (terms[:, None] - terms[None]) @ (coefficients[0] - coefficients[1])
    accept = rule(exponents).reshape(-1)
    matrix = np.diag(1 - accept)
    x, y = np.divmod(np.arange(n * n), n)
    np.add.at(matrix, (x * n + y, y * n + x), accept)
    return matrix


EXACT = gaussian_log_z(PATH, MODES)


def coverage(estimator, n_repeats, decay, shared, n_draws=256, n_chains=4):
    """Fractions of repeats in which the truth is inside one error bar: ours, and the asymptotic one."""
    inside, asymptotic = [], []
    for seed in range(n_repeats):
        ladder = gaussian_ladder(
            np.random.default_rng([seed, 9]), PATH[:3], n_chains, n_draws, MODES, decay, shared
        )
        result = estimator(ladder, EXACT[0]).isel(rung=-1)
        off = abs(float(result["log_z"]) - EXACT[2])
        inside.append(off < float(result["log_z_err"]))
        if "log_z_err_asymptotic" in result:
            asymptotic.append(off < float(result["log_z_err_asymptotic"]))
    return np.mean(inside), np.mean(asymptotic) if asymptotic else None
