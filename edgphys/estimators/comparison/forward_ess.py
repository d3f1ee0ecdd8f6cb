# SPDX-License-Identifier: MIT
r"""Effective sample size of a proposal from draws of the reference, dropped modes included.

    forward_ess = 1 / (E_p[w] E_p[1/w]),   w = p~ / q at independent draws of the reference p

is what the effective sample size (sum w)^2 / (n sum w^2) of draws of q is when all of p is seen.

References
----------
Nicoli et al., Phys. Rev. Lett. 126, 032001 (2021), arXiv:2007.07115 (mode-covering sample size).
"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from edgphys._checks import numbers_of
from edgphys.estimators.chains.autocorrelation import MIN_DRAWS, gamma_method
from edgphys.estimators.chains.verdict import judge_chains
from edgphys.estimators.comparison.reference import check_finite, distance_dataset, weight_warning
from edgphys.estimators.resampling import N_BLOCKS, block_sums, jackknife
from edgphys.recording.record import recorded

__all__ = ["forward_ess"]


@recorded("forward_ess")
def forward_ess(log_weights: np.ndarray) -> xr.Dataset:
    """Effective sample size of a proposal q as a fraction, from draws of the target p: the reference.

    Parameters
    ----------
    log_weights : array, shape (n_chains, n_draws), or of any other at independent draws
        log w = log p~ - log q at draws of p; on a joint space, with the latents drawn from the encoder.
        Constants drop out. Arrays of two axes, 16 or more along the second, are taken for Markov chains.

    Returns
    -------
    Dataset
        ``forward_ess``, between 0 and 1, and its error; jackknife, and of chains not below that by the Gamma
        method. attrs: ``warning``, why the chains or the weights are not to be trusted, empty otherwise.

    Raises
    ------
    TypeError, ValueError
        If they are no numbers, fewer than two draws, or not finite.

    Examples
    --------
    >>> float(forward_ess(np.zeros(100)).forward_ess)
    1.0
    """
    allowed = "at least two finite numbers"
    given = numbers_of(log_weights, "log_weights", allowed)
    logs = given.ravel()
    check_finite(logs, "log_weights", allowed, len(logs) >= 2)
    columns = np.stack([np.ones_like(logs), np.exp(logs - logs.max()), np.exp(logs.min() - logs)])
    shift = math.exp(logs.min() - logs.max()) if logs.max() - logs.min() < 700 else 0.0
    sums = block_sums(columns, min(len(logs), N_BLOCKS))
    with np.errstate(divide="ignore", invalid="ignore"):
        values, errors = jackknife(
            sums, sums[:, 0], lambda s: (shift * s[..., 0] ** 2 / (s[..., 1] * s[..., 2]))[..., None]
        )
    reasons, err = [weight_warning(log_weights=logs)], errors[0]
    if given.ndim == 2 and given.shape[1] >= MIN_DRAWS:
        reasons += judge_chains({"log_weights": given}).reasons
        w, inverse = (a / a.mean() for a in (np.exp(given - logs.max()), np.exp(logs.min() - given)))
        err = max(err, values[0] * gamma_method(w + inverse).err)
    return distance_dataset(
        "forward_ess",
        {
            "forward_ess": (values[0], "1 / (E_p[w] E_p[1/w]) over draws of the reference, as a fraction"),
            "forward_ess_err": (err, "one standard error of forward_ess"),
        },
        {"n_reference": len(logs), "warning": "; ".join(filter(None, reasons))},
    )
