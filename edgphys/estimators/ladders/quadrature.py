# SPDX-License-Identifier: MIT
"""The rule that thermodynamic integration takes for one step, and rungs between which it serves.

`integrate` is the rule, see `edgphys.estimators.ladders.thermodynamic` for the formulas. `place_rungs` asks a
pilot run where the integrand bends: all draws of the pilot together (`LadderPool`) give its cumulants at any
place, so that rule and error of each step are known before a rung is put anywhere. Steps are as long as swaps
and quadrature allow. In an ordered phase, where configurations hardly differ and swaps allow one step to the
end, the integrand falls off like exp(-8 beta J), and steps grow from the last place where it bends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edgphys.estimators.ladders.pool import LadderPool

__all__ = ["GAP", "Step", "integrate", "place_rungs"]

GAP = 25.0  # squared length of a step whose ends share no configurations: what is between, neither has seen
# Between two rungs of a pilot: evenly, and ever closer to both of them.
_FRACTIONS = np.unique(
    np.concatenate([np.linspace(0.0, 1.0, 9), 0.5 ** np.arange(1, 9), 1.0 - 0.5 ** np.arange(1, 9)])
)
_LARGEST = 1e60  # of a difference of reduced energies, that its third power is a number
# Of the statistical error that is to be expected, what the quadrature may add.
_SHARE = 0.2


@dataclass(frozen=True)
class Step:
    """The integral of g from one rung to the next.

    Attributes
    ----------
    integral, error : float
        With the error that is systematic.
    trapezoid : float
        (g_0 + g_1) / 2.
    is_short : bool
        Whether derivatives of g at the ends are used.
    """

    integral: float
    error: float
    trapezoid: float
    is_short: bool


def integrate(first: tuple[float, float, float], second: tuple[float, float, float]) -> Step:
    """The integral of -<V> over one step, from the cumulants of V at both ends.

    Parameters
    ----------
    first, second : (float, float, float)
        Mean, variance and third cumulant.

    Examples
    --------
    >>> integrate((0.0, 1.0, 0.0), (-1.0, 1.0, 0.0))
    Step(integral=0.5, error=0.0, trapezoid=0.5, is_short=True)
    """
    means, variances, thirds = zip(first, second, strict=True)
    trapezoid = -(means[0] + means[1]) / 2
    half = abs(means[0] - means[1]) / 2
    cubic = (variances[0] - variances[1]) / 12
    quintic = (variances[0] - variances[1]) / 10 - (thirds[0] + thirds[1]) / 120
    if abs(cubic) <= half and abs(quintic) <= half:
        error = abs(quintic - cubic) if 2 * half < GAP else max(abs(quintic), abs(cubic))
        return Step(trapezoid + quintic, error, trapezoid, True)
    return Step(trapezoid, half, trapezoid, False)


def place_rungs(
    pool: LadderPool,
    places: np.ndarray,
    coefficients_at: Callable[[np.ndarray], np.ndarray],
    *,
    length: float,
    n_draws: int,
    n_rungs: int | None = None,
) -> np.ndarray:
    """Places of rungs along the ladder of a pilot run.

    Parameters
    ----------
    pool : LadderPool
        Of the pilot.
    places : array, shape (n_pilot,)
        Of its rungs, growing.
    coefficients_at : callable
        Coefficients of the action at places, (n,) to (n, n_terms).
    length : float
        The longest step that swaps allow: the standard deviation of V, see `edgphys.mcmc.tempering.spacing`.
    n_draws : int
        Draws of each rung that are to come, over all chains: what statistical error to expect.
    n_rungs : int, optional
        How many; else as many as it takes, at most twice as many as the swaps need, and 8.

    Returns
    -------
    array, shape (n_rungs,)
        From the first to the last of `places`.
    """
    grid = np.unique(np.concatenate([*(a + (b - a) * _FRACTIONS for a, b in pairwise(places))]))
    steps = _Steps(pool, coefficients_at(grid))
    total = sum(math.sqrt(steps.square(k, k + 1)) for k in range(len(grid) - 1))
    n_swaps = max(1, math.ceil(total / length - 1e-9))
    tolerance = _SHARE * math.sqrt(total * length / n_draws) / n_swaps

    def chosen(scale: float) -> list[int]:
        return steps.longest(length * scale, tolerance * scale**5)

    most = 2 * n_swaps + 8 if n_rungs is None else n_rungs - 1
    n_steps = min(most, len(chosen(1.0)) - 1) if n_rungs is None else most
    low, high = 1e-3, 1e3
    for _ in range(24):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if len(chosen(middle)) - 1 <= n_steps else (middle, high)
    return grid[_filled(chosen(high), n_steps + 1)]


class _Steps:
    """All steps between places of a grid, with what swaps and quadrature say of them; each is asked once."""

    def __init__(self, pool: LadderPool, coefficients: np.ndarray) -> None:
        self._terms, self._coefficients = pool.terms, coefficients
        log_weights = np.array([pool.log_weights(a) for a in coefficients])
        weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
        self._weights = weights / weights.sum(axis=1, keepdims=True)
        self._known: dict[tuple[int, int], tuple[float, float]] = {}

    def square(self, i: int, j: int) -> float:
        """Squared length of a step."""
        return self._of(i, j)[0]

    def longest(self, length: float, tolerance: float) -> list[int]:
        """Steps from the first to the last place, each as long as it may be."""
        path, n = [0], len(self._coefficients)
        while path[-1] < n - 1:
            low, high = path[-1] + 1, n
            while high - low > 1:
                middle = (low + high) // 2
                square, error = self._of(path[-1], middle)
                low, high = (middle, high) if square <= length**2 and error <= tolerance else (low, middle)
            path.append(low)
        return path

    def _of(self, i: int, j: int) -> tuple[float, float]:
        if (i, j) not in self._known:
            v = self._terms @ (self._coefficients[j] - self._coefficients[i])
            first, second = (_cumulants(v, self._weights[k]) for k in (i, j))
            self._known[i, j] = max(first[0] - second[0], 0.0), integrate(first, second).error
        return self._known[i, j]


def _cumulants(v: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    v = np.clip(v, -_LARGEST, _LARGEST)
    mean = float(weights @ v)
    d = v - mean
    square = weights * d**2
    return mean, float(square.sum()), float(square @ d)


def _filled(path: list[int], n: int) -> list[int]:
    """With further places in the longest steps, until there are n."""
    path = list(path)
    while len(path) < n:
        gaps = np.diff(path)
        k = int(np.argmax(gaps))
        if gaps[k] < 2:
            break
        path.insert(k + 1, (path[k] + path[k + 1]) // 2)
    return path
