# SPDX-License-Identifier: MIT
"""Dual averaging: a step size that learns from the acceptance probabilities of the warm-up.

A Robbins-Monro scheme with averaging. With a_t the acceptance probability of proposal t, a the mean wanted,
and e_t the running mean of a - a_t (with t_0 steps of zero before the first),

    log eps_t = mu - sqrt(t) / gamma e_t,

and the step that is kept is the average of log eps_t, in which the t-th has weight t^-kappa against those
before. A memory is float64, (5,) or longer, with the places named below.

References
----------
Hoffman and Gelman, J. Mach. Learn. Res. 15, 1593 (2014), section 3.2, arXiv:1111.4246.
Robbins and Monro, Ann. Math. Stat. 22, 400 (1951), doi:10.1214/aoms/1177729586.
"""

from __future__ import annotations

import math

from numba import njit

__all__ = ["CENTRE", "LOG_STEP", "LOG_STEP_MEAN", "N_PLACES", "adapt_step", "restart"]

# mu, log eps, its average, mean error, number of steps.
CENTRE, LOG_STEP, LOG_STEP_MEAN, _MEAN_ERROR, _N_STEPS = range(5)
N_PLACES = 5
# Hoffman and Gelman's gamma, t_0 and kappa.
_SHRINKAGE, _DELAY, _DECAY = 0.05, 10.0, 0.75


@njit(nogil=True, cache=True)
def restart(memory, log_step):
    """Forget everything but a first guess."""
    memory[CENTRE] = log_step
    memory[LOG_STEP] = log_step
    memory[LOG_STEP_MEAN] = log_step
    memory[_MEAN_ERROR] = 0.0
    memory[_N_STEPS] = 0.0


@njit(nogil=True, cache=True)
def adapt_step(memory, probability, target, highest=math.inf):
    """Learn from one proposal, accepted with this probability; `target` is the mean wanted.

    `highest` bounds log eps: where all is flat, no step is too long to be accepted.
    """
    memory[_N_STEPS] += 1.0
    t = memory[_N_STEPS]
    memory[_MEAN_ERROR] += (target - probability - memory[_MEAN_ERROR]) / (t + _DELAY)
    memory[LOG_STEP] = min(memory[CENTRE] - math.sqrt(t) / _SHRINKAGE * memory[_MEAN_ERROR], highest)
    memory[LOG_STEP_MEAN] += t**-_DECAY * (memory[LOG_STEP] - memory[LOG_STEP_MEAN])
