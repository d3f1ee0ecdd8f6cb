# SPDX-License-Identifier: MIT
r"""Wasserstein distance of two samples of a scalar.

    W_1 = int |F(x) - G(x)| dx   of the two distribution functions; in the units of x

Draws are independent: thin chains first. W_1 is biased upwards, like 1/sqrt(n), which `floor` states: it is
the mean distance of two samples of the reference of these sizes.

References
----------
Villani, Optimal transport, Springer (2009), ch. 6.
"""

from __future__ import annotations

import numbers

import numpy as np
import scipy
import xarray as xr

from edgphys._checks import count, wrong
from edgphys.errors import ArgumentTypeError
from edgphys.estimators.comparison.reference import distance_dataset, weight_warning, weighted_scalars
from edgphys.recording.record import recorded

__all__ = ["wasserstein"]


@recorded("wasserstein")
def wasserstein(
    values: np.ndarray,
    reference: np.ndarray,
    rng: np.random.Generator | int,
    *,
    log_weights: np.ndarray | None = None,
    reference_log_weights: np.ndarray | None = None,
    n_resamples: int = 100,
) -> xr.Dataset:
    """W_1 between two samples of a scalar, such as the energy.

    Parameters
    ----------
    values, reference : arrays, shapes (n,) and (m,)
        Independent draws.
    rng : numpy Generator or int
        For the bootstrap; an integer is the seed of a new one.
    log_weights, reference_log_weights : arrays, optional
        Logarithms of importance weights.
    n_resamples : int
        Bootstrap copies, for the error and the floor; at least 2.

    Returns
    -------
    Dataset
        ``distance``, ``distance_err`` (standard deviation of bootstrap copies) and ``floor``. attrs:
        ``warning``, why the weights are not to be trusted, empty if they are.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, the arrays do not fit, or values are not finite.

    Examples
    --------
    >>> table = wasserstein(np.arange(100.0), np.arange(100.0) + 3.0, 0)
    >>> round(float(table.distance), 12)
    3.0
    """
    x, p = weighted_scalars(values, log_weights, "values")
    y, q = weighted_scalars(reference, reference_log_weights, "reference")
    rng, n_resamples = _generator(rng), count(n_resamples, "n_resamples", 2)
    distance = scipy.stats.wasserstein_distance(x, y, p, q)
    copies, floors = np.empty(n_resamples), np.empty(n_resamples)
    for k in range(n_resamples):
        # Weighted draws are as good as fewer of equal weight.
        a, b, c = (rng.choice(len(s), n, p=s) for s, n in ((p, _kish(p)), (q, _kish(q)), (q, _kish(p))))
        copies[k] = scipy.stats.wasserstein_distance(x[a], y[b])
        floors[k] = scipy.stats.wasserstein_distance(y[c], y[b])
    spread = copies.std(ddof=1)
    return distance_dataset(
        "wasserstein",
        {
            "distance": (distance, "W_1 = integral of |F - G|, in the units of the values"),
            "distance_err": (spread, "standard deviation of bootstrap copies"),
            "floor": (floors.mean(), "mean W_1 of two samples of the reference, of both effective sizes"),
        },
        {
            "n_draws": len(x),
            "n_reference": len(y),
            "ess_count": float(1.0 / (p * p).sum()),
            "warning": weight_warning(values=log_weights, reference=reference_log_weights),
        },
    )


def _generator(rng) -> np.random.Generator:
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, numbers.Integral) and not isinstance(rng, bool):
        return np.random.default_rng(count(rng, "rng", 0))
    raise wrong(ArgumentTypeError, "rng", "a numpy Generator or an integer seed >= 0", rng)


def _kish(p: np.ndarray) -> int:
    """Effective number of draws, at least 2."""
    return max(2, round(1.0 / float(p @ p)))
