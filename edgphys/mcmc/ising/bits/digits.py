# SPDX-License-Identifier: MIT
"""Probabilities of multi-spin coding as binary digits, for one temperature or one temperature per replica.

A probability p is kept as the integer ``floor(p 2^K)``, K = `PLANES` + 64: its first `PLANES` binary digits
are compared with random words bit by bit, what follows is compared with 64-bit random numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.ising.bits.logic import HEAT_BATH, METROPOLIS, n_classes
from edgphys.mcmc.ising.bits.sweep import ALONE, LARGEST_TABLE, SHARED
from edgphys.mcmc.ising.flip_probabilities import LAZY, logistic, scaled

__all__ = ["PLANES", "class_digits", "fill_planes", "probabilities", "rests", "step_words", "steps"]

PLANES = ALONE + SHARED
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
        return [scaled(LAZY * math.exp(-beta * cost), _BITS) for cost in costs]
    fields = [coupling * (2 * n - q) + field for n in numbers]
    if rule == HEAT_BATH:
        return [logistic(2 * beta * b, _BITS) for b in fields]
    return [scaled(LAZY * math.exp(min(0.0, -2 * beta * s * b)), _BITS) for s in (-1, 1) for b in fields]


def class_digits(
    rule: int, coordination: int, betas, coupling: float, field: float
) -> tuple[np.ndarray, np.ndarray]:
    """`steps` (n_classes, n_temperatures) and `rests` (2, n_classes, n_temperatures) of all classes."""
    numbers = [probabilities(rule, coordination, beta, coupling, field) for beta in betas]
    patterns = np.array([[steps(p) for p in row] for row in numbers], np.uint64)
    left = np.array([[rests(p) for p in row] for row in numbers], np.uint64)
    return np.ascontiguousarray(patterns.T), np.ascontiguousarray(left.transpose(2, 1, 0))


def step_words(rule: int, coordination: int, patterns: np.ndarray, temperature, n_lanes: int) -> np.ndarray:
    """The argument ``digits`` of the sweep.

    Places in the table of unions where one temperature and few classes allow it, else planes of step words.
    `patterns` are the first of `class_digits`; `temperature`, int64 (64 * n_lanes,), numbers the columns.
    """
    if patterns.shape[1] == 1 and _tabulable(rule, coordination):
        return _table_steps(patterns[:, 0], n_lanes)
    planes = np.empty((PLANES + 1, len(patterns), n_lanes), np.uint64)
    fill_planes(patterns, temperature, planes)
    return planes


def steps(p: int) -> int:
    """Bit j is ``b_j xor b_{j+1}`` of the digits of p, with b_0 = 0; j from 0 to `PLANES`."""
    digits = [(p >> (_BITS - j)) & 1 for j in range(1, PLANES + 1)]
    digits = [0, *digits, 0]
    return sum((digits[j] ^ digits[j + 1]) << j for j in range(PLANES + 1))


def rests(p: int) -> tuple[int, int]:
    """The 64 digits of p after those of the words not shared, and after all words."""
    return (p >> SHARED) % 2**64, p % 2**64


def _tabulable(rule: int, coordination: int) -> bool:
    """Whether the unions of all classes are few enough for `_table_steps`."""
    return rule == METROPOLIS and n_classes(rule, coordination) <= LARGEST_TABLE


def _table_steps(patterns: np.ndarray, n_lanes: int) -> np.ndarray:
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
