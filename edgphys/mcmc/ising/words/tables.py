# SPDX-License-Identifier: MIT
"""Probabilities of multi-spin coding as binary digits, for one temperature or one temperature per replica.

A probability p is kept as the integer ``floor(p 2^K)``, K = `PLANES` + 64: its first `PLANES` binary digits
are compared with random words bit by bit, what follows is compared with 64-bit random numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.ising.words.kernels import ALONE, LARGEST_TABLE, LAZY_STEPS, SHARED
from edgphys.mcmc.ising.words.logic import HEAT_BATH, METROPOLIS, n_classes

__all__ = ["PLANES", "fill_planes", "probabilities", "rests", "steps", "table_steps", "tabulable"]

PLANES = ALONE + SHARED
# Probability with which a move that costs nothing is made, as in `edgphys.mcmc.ising.metropolis`.
LAZY = 1 - 2.0**-LAZY_STEPS
_BITS = PLANES + 64


def probabilities(rule: int, coordination: int, beta: float, coupling: float, field: float) -> list[int]:
    """Probability of each class, times 2**_BITS: of a flip, in the heat bath of spin up.

    Examples
    --------
    >>> [round(p / 2**_BITS, 8) for p in probabilities(METROPOLIS, 2, 0.5, 1.0, 0.0)]  # 15/16 exp(-2)
    [0.12687683]
    """
    q = coordination
    numbers = range(q + 1)
    if rule == METROPOLIS:
        costs = [2 * abs(coupling) * (2 * n - q) for n in numbers if 2 * n > q] or [0.0]
        return [_integer(LAZY * math.exp(-beta * cost)) for cost in costs]
    fields = [coupling * (2 * n - q) + field for n in numbers]
    if rule == HEAT_BATH:
        return [_logistic(2 * beta * b) for b in fields]
    return [_integer(LAZY * math.exp(min(0.0, -2 * beta * s * b))) for s in (-1, 1) for b in fields]


def _integer(p: float) -> int:
    return int(math.ldexp(p, _BITS))


def _logistic(x: float) -> int:
    """1 / (1 + exp(-x)), with the small one of it and its complement exact to rounding."""
    small = _integer(math.exp(-abs(x)) / (1.0 + math.exp(-abs(x))))
    return small if x < 0 else 2**_BITS - max(small, 1)


def steps(p: int) -> int:
    """Bit j is ``b_j xor b_{j+1}`` of the digits of p, with b_0 = 0; j from 0 to `PLANES`."""
    digits = [(p >> (_BITS - j)) & 1 for j in range(1, PLANES + 1)]
    digits = [0, *digits, 0]
    return sum((digits[j] ^ digits[j + 1]) << j for j in range(PLANES + 1))


def rests(p: int) -> tuple[int, int]:
    """The 64 digits of p after those of the words not shared, and after all words."""
    return (p >> SHARED) % 2**64, p % 2**64


def tabulable(rule: int, coordination: int) -> bool:
    """Whether the unions of all classes are few enough for `table_steps`."""
    return rule == METROPOLIS and n_classes(rule, coordination) <= LARGEST_TABLE


def table_steps(patterns: np.ndarray, n_lanes: int) -> np.ndarray:
    """Places, in the kernel's table of unions, of the step words; uint64, shape (PLANES + 1,).

    `patterns`, uint64 (n_classes,), are the `steps` of each class at the one temperature.
    """
    planes = np.arange(PLANES + 1, dtype=np.uint64)
    bits = (patterns[:, None] >> planes) & np.uint64(1)
    return n_lanes * (bits << np.arange(len(patterns), dtype=np.uint64)[:, None]).sum(0, dtype=np.uint64)


@njit(nogil=True, cache=True)
def fill_planes(patterns, temperature, planes):
    """Step words of replicas with a temperature each.

    Parameters
    ----------
    patterns : uint64, shape (n_classes, n_temperatures)
        `steps` of each class at each temperature.
    temperature : int64, shape (64 * n_lanes,)
        Number of each replica's temperature.
    planes : uint64, shape (PLANES + 1, n_classes, n_lanes)
        Overwritten.
    """
    one = np.uint64(1)
    planes[:] = np.uint64(0)
    for member in range(temperature.size):
        lane, bit = member // 64, np.uint64(member % 64)
        for k in range(patterns.shape[0]):
            pattern = patterns[k, temperature[member]]
            for j in range(planes.shape[0]):
                planes[j, k, lane] |= ((pattern >> np.uint64(j)) & one) << bit
