# SPDX-License-Identifier: MIT
"""The length of HMC trajectories, found in the warm-up.

A good length moves the slow observables as far as possible for each gradient spent. Lengths on a ladder of
half octaves are tried in turn, and for each the mean squared jump D_f = <p (f' - f)^2> of four observables
is recorded, p being the acceptance probability of the proposal:

    f = m, the order parameter (zero mode);   |m|;   mean phi^2;   the action.

D_f = 2 var(f) (1 - rho_f) gives the autocorrelation rho_f of successive draws. If it decayed geometrically,
one independent draw of f would cost

    gradients per trajectory x (1 + rho_f) / (1 - rho_f) = gradients x (4 var(f) / D_f - 1),

and the length with the smallest cost of the worst of the four is taken. Compared with the jump per unit of
length that ChEES-HMC maximises this asks for longer trajectories, since a jump of twice the square takes less
than half the draws. In an ordered phase, where var(m) is large by the two signs and no length turns them
over, the cost of m is that jump per gradient again.

Seven lengths are tried around ``2 sqrt(n_sites var |m|)``, which is the best one for a harmonic mode of
frequency omega, where ``n_sites var(m) = 1 / omega^2``: for a length uniform between 0 and twice its mean,
rho = sin(x) / x with x = 2 omega length, and x (1 + rho) / (1 - rho) is smallest near x = 4.

The warm-up has three parts: the step size alone, at a length of eight steps; the search, at that step size;
and the step size again, at the length found. The tables of all chains are added before the last choice.

References
----------
Hoffman, Radul and Sountsov, Proc. Mach. Learn. Res. 130, 3907 (2021) (ChEES-HMC).
Pasarica and Gelman, Statistica Sinica 20, 343 (2010) (expected squared jumped distance).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["N_MEMORY", "begin_search", "best_length", "candidate", "collect", "observe", "record"]

_N_LENGTHS, _N_TRIED, _N_OBSERVABLES = 20, 7, 4
# Fewer trajectories of one length tell nothing.
_FEWEST = 4
# A memory is: number of draws, sums of the observables, sums of their squares, first length of the window,
# then for each length: trajectories, gradients, and the sums of p (f' - f)^2.
_SUMS, _SQUARES, _WINDOW = 1, 1 + _N_OBSERVABLES, 1 + 2 * _N_OBSERVABLES
_HEAD, _WIDTH = _WINDOW + 1, 2 + _N_OBSERVABLES
N_MEMORY = _HEAD + _N_LENGTHS * _WIDTH


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def observe(phi, signs, energy, out):
    """m (with the signs of the order), |m|, mean phi^2 and the action into `out`."""
    total, squares = 0.0, 0.0
    for i in range(phi.size):
        total += signs[i] * phi[i]
        squares += phi[i] * phi[i]
    out[0], out[1] = total / phi.size, abs(total) / phi.size
    out[2], out[3] = squares / phi.size, energy


@njit(nogil=True, cache=True)
def collect(memory, values):
    """Add one draw to the moments."""
    memory[0] += 1.0
    for f in range(_N_OBSERVABLES):
        memory[_SUMS + f] += values[f]
        memory[_SQUARES + f] += values[f] * values[f]


@njit(nogil=True, cache=True)
def _variance(memory, f):
    mean = memory[_SUMS + f] / memory[0]
    return max(memory[_SQUARES + f] / memory[0] - mean * mean, 0.0)


@njit(nogil=True, cache=True)
def begin_search(memory, unit, n_sites):
    """Place the window by the moments so far (at the shortest lengths if there are none) and forget them."""
    lowest = 0
    if memory[0] > 1.0:
        guess = 2.0 * math.sqrt(n_sites * _variance(memory, 1))
        if guess > unit:
            lowest = round(2.0 * math.log2(guess / unit)) - _N_TRIED // 2
    memory[:] = 0.0
    memory[_WINDOW] = min(max(lowest, 0), _N_LENGTHS - _N_TRIED)


@njit(nogil=True, cache=True)
def candidate(memory, unit, turn):
    """Place on the ladder and length of the trajectory number `turn` of the search."""
    place = int(memory[_WINDOW]) + turn % _N_TRIED
    return place, unit * 2.0 ** (0.5 * place)


@njit(nogil=True, cache=True)
def record(memory, place, n_gradients, probability, old, new):
    """Add one trajectory from observables `old` to a proposal with `new`."""
    row = _HEAD + place * _WIDTH
    memory[row] += 1.0
    memory[row + 1] += n_gradients
    if probability > 0.0:  # a trajectory that ran away may have left infinities
        for f in range(_N_OBSERVABLES):
            memory[row + 2 + f] += probability * (new[f] - old[f]) ** 2


@njit(nogil=True, cache=True)
def best_length(memory, unit, default):
    """The cheapest length of the table; `default` if no length was tried often enough.

    Parameters
    ----------
    memory : float64, shape (N_MEMORY,)
        Of one chain, or the sum over chains.
    unit : float
        The shortest length of the ladder.
    default : float
    """
    best, lowest = default, np.inf
    for place in range(_N_LENGTHS):
        row = _HEAD + place * _WIDTH
        if memory[row] < _FEWEST:
            continue
        worst = 0.0
        for f in range(_N_OBSERVABLES):
            variance, jump = _variance(memory, f), memory[row + 2 + f] / memory[row]
            if variance > 0.0:
                # The floor is for noise: the expression cannot be negative in the mean.
                worst = max(worst, 4.0 * variance / jump - 1.0 if jump > 0.0 else np.inf, 0.1)
        cost = worst * memory[row + 1] / memory[row]
        if 0.0 < cost < lowest:
            best, lowest = unit * 2.0 ** (0.5 * place), cost
    return best
