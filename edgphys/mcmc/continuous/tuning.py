# SPDX-License-Identifier: MIT
"""What the warm-up of the continuous algorithms learns: the step size and the scales of the coordinates.

The step along coordinate i is ``step * scale_i``. Over the sweeps of the warm-up

    first tenth      only the step is tuned, while the chain finds the density
    to one half      means and variances of the coordinates are collected as well
    at one half      the scales become the standard deviations (one common scale without preconditioning)
    from then on     the step is tuned again, to the new scales

The step follows the acceptance probabilities by dual averaging (`edgphys.mcmc.core.dual_averaging`).
`ChainState.tuning` is one array: a head with the places below, then the means, the sums of squared
deviations (both per member and coordinate), and the scales.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.core.dual_averaging import LOG_STEP_MEAN, N_PLACES, restart

__all__ = ["HEAD", "N_LENGTHS", "TRIAL_COST", "TRIAL_GAIN", "learn_scales", "new_tuning", "tuning_views"]

# Places in the head: those of dual averaging first. Lengths on trial belong to
# `edgphys.mcmc.continuous.hmc`.
_N_COLLECTED = N_PLACES
N_LENGTHS = 5
TRIAL_GAIN = 8
TRIAL_COST = TRIAL_GAIN + N_LENGTHS
HEAD = TRIAL_COST + N_LENGTHS

_FEWEST = 20  # sweeps below which a variance says nothing
_PRIOR = 0.01  # weight, in sweeps, of the common scale in each single one: none is zero


def new_tuning(n_members: int, n_variables: int, step: float, scale: float) -> np.ndarray:
    """Memory of the warm-up before the first sweep."""
    tuning = np.zeros(HEAD + (2 * n_members + 1) * n_variables)
    restart(tuning, math.log(step))
    tuning[-n_variables:] = scale
    return tuning


def tuning_views(tuning: np.ndarray, n_members: int, n_variables: int) -> tuple:
    """head, means (n_members, n_variables), squares of the same shape, scales (n_variables,)."""
    size = n_members * n_variables
    shape = (n_members, n_variables)
    means = tuning[HEAD : HEAD + size].reshape(shape)
    squares = tuning[HEAD + size : HEAD + 2 * size].reshape(shape)
    return tuning[:HEAD], means, squares, tuning[HEAD + 2 * size :]


@njit(nogil=True, cache=True)
def learn_scales(learned, points, sweep, n_total, precondition):
    """Book-keeping after sweep number `sweep` of `n_total`; `points` has shape (n_members, n_variables)."""
    head, means, squares, scales = learned
    half = n_total // 2
    if n_total // 10 <= sweep < half:
        head[_N_COLLECTED] += 1.0
        for m in range(points.shape[0]):
            for i in range(points.shape[1]):
                change = points[m, i] - means[m, i]
                means[m, i] += change / head[_N_COLLECTED]
                squares[m, i] += change * (points[m, i] - means[m, i])
    if sweep == half and head[_N_COLLECTED] >= _FEWEST:
        _set_scales(head, squares, scales, precondition)


@njit(nogil=True, cache=True)
def _set_scales(head, squares, scales, precondition):
    """Scales from the variances within members; the product of step and mean scale is kept."""
    n, d = head[_N_COLLECTED], scales.size
    common = np.sum(squares) / ((n - 1.0) * squares.size)
    if not 0.0 < common < np.inf:
        return
    change = 0.0
    for i in range(d):
        variance = common
        if precondition:
            own = np.sum(squares[:, i]) / ((n - 1.0) * squares.shape[0])
            variance = (n * own + _PRIOR * common) / (n + _PRIOR)
        scale = math.sqrt(variance)
        change += math.log(scales[i] / scale) / d
        scales[i] = scale
    restart(head, head[LOG_STEP_MEAN] + change)
