# SPDX-License-Identifier: MIT
"""The Metropolis test: a proposal is accepted with probability min(1, exp(log_ratio)).

`log_ratio` is the change of the log of the target, with that of the proposal density where it is not
symmetric (Hastings). A proposal that ran away to NaN is refused.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.core.sampler import ACCEPTED, ATTEMPTED
from edgphys.mcmc.random.xoshiro import uniform, unit_interval

__all__ = ["acceptance", "acceptances", "accepts", "follows", "lowers_enough"]


@njit(nogil=True, cache=True)
def acceptance(log_ratio):
    """min(1, exp(log_ratio)); 0 for NaN."""
    if log_ratio >= 0.0:
        return 1.0
    if log_ratio < 0.0:
        return math.exp(log_ratio)
    return 0.0


def acceptances(log_ratios: np.ndarray) -> np.ndarray:
    """`acceptance` of each entry."""
    return np.exp(np.minimum(np.where(np.isnan(log_ratios), -np.inf, log_ratios), 0.0))


@njit(nogil=True, cache=True)
def accepts(rng, counts, probability):
    """Whether a proposal that is accepted with this probability is; counted."""
    counts[ATTEMPTED] += 1
    accepted = uniform(rng) < probability
    if accepted:
        counts[ACCEPTED] += 1
    return accepted


@njit(nogil=True, cache=True, inline="always")
def lowers_enough(word, change):
    """The test of a change of the action (log_ratio = -change) by 64 random bits, for local updates.

    The bound ``1 - x <= exp(-x)`` often spares the exponential; of a decrease it is at least 1.
    """
    u = unit_interval(word)
    return u < 1.0 - change or u < math.exp(-change)


@njit(nogil=True, cache=True)
def follows(u, bond):
    """The test ``u < 1 - exp(-bond)`` of a cluster; ``b - b^2/2 < 1 - exp(-b) < b`` mostly decide it."""
    return u < bond and (u < bond - 0.5 * bond * bond or u < -math.expm1(-bond))
