# SPDX-License-Identifier: MIT
"""Estimates as functions of constants and of the means of per-draw columns: the formulas of the table.

Constants p are those of `edgphys.estimators.derived.Primaries`, `mean` maps names of columns to averages.
Complex numbers pass through: derivatives are complex steps. The table is `edgphys.observables`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

__all__ = [
    "AXES",
    "SHIFTED",
    "STAGGERED_PREFIX",
    "Means",
    "binder_cumulant",
    "correlation_length",
    "entropy",
    "exact_entropy",
    "free_energy_difference",
    "helicity_modulus",
    "magnetization",
    "specific_heat",
    "staggered",
    "susceptibility",
]

AXES = ("x", "y", "z", "t")  # names of the axes of a lattice, in order
SHIFTED = "energy_shifted_2"  # column (E - E_0)^2, E_0 fixed near the mean: no cancellation of large numbers
STAGGERED_PREFIX = "staggered_"

Means = Mapping[str, np.ndarray]

_MAX_ROUNDING = 1e-6  # of an entropy: the difference of two large numbers at low temperature


def entropy(p, mean: Means) -> np.ndarray:
    return mean["log_z"] + p.beta * mean["energy"]


def exact_entropy(log_z: float, reduced_energy: float) -> float:
    """log_z + beta <E> of exact values; NaN where their rounding errors leave fewer than six digits of it."""
    total = log_z + reduced_energy
    rounding = 4.0 * np.finfo(np.float64).eps * (abs(log_z) + abs(reduced_energy))
    return total if rounding <= _MAX_ROUNDING * max(abs(total), 1.0) else math.nan


def specific_heat(p, mean: Means) -> np.ndarray:
    # Of an estimator of the energy that depends on beta itself, the mean slope is subtracted.
    variance = mean[SHIFTED] - (mean["energy"] - p.energy_zero) ** 2 - mean.get("energy_slope", 0.0)
    return np.square(p.beta) * variance / p.n_sites


def magnetization(p, mean: Means) -> np.ndarray:
    return 0.0 * mean["magnetization"] + 0.0 if p.z2_symmetric else mean["magnetization"]


def susceptibility(p, mean: Means) -> np.ndarray:
    squared = 0.0 if p.z2_symmetric else mean["magnetization"] ** 2
    return p.beta * p.n_sites * (mean["magnetization_2"] - squared)


def binder_cumulant(p, mean: Means) -> np.ndarray:
    # np.divide: 0/0 (no magnetization at all) is NaN, for plain floats as well
    return 1.0 - np.divide(mean["magnetization_4"], 3.0 * mean["magnetization_2"] ** 2)


def correlation_length(p, mean: Means) -> np.ndarray:
    disconnected = 0.0 if p.z2_symmetric else p.n_sites * mean["magnetization"] ** 2
    total = 0.0
    for momentum, axes in _equal_axes(p.momenta).items():
        if len(axes) == len(p.momenta):
            lowest = mean["correlator_min"]
        else:
            columns = [mean.get(f"correlator_min_{AXES[axis]}", np.nan) for axis in axes]
            lowest = sum(columns[1:], columns[0]) / len(axes)
        excess = np.divide(mean["correlator_zero"] - disconnected, lowest) - 1.0
        length = np.sqrt(excess) / momentum
        length = np.where((np.real(excess) > 0.0) & np.isfinite(excess), length, np.nan)
        total = length if len(axes) == len(p.momenta) else total + length * (len(axes) / len(p.momenta))
    return np.asarray(total)


def _equal_axes(momenta: tuple[float, ...]) -> dict[float, list[int]]:
    """Axes by khat of their lowest momenta; those that agree to rounding together."""
    groups: dict[float, list[int]] = {}
    for axis, momentum in enumerate(momenta):
        same = next((one for one in groups if abs(one - momentum) <= 1e-9 * abs(one)), momentum)
        groups.setdefault(same, []).append(axis)
    return groups


def free_energy_difference(p, mean: Means) -> np.ndarray:
    a, b = p.basins
    of_a = mean[a] if a in mean else 1.0 - mean[b]
    of_b = mean[b] if b in mean else 1.0 - mean[a]
    seen = (np.real(of_a) > 0.0) & (np.real(of_b) > 0.0)  # rounding may leave less than nothing
    log_a, log_b = (np.log(np.where(seen, population, 1.0)) for population in (of_a, of_b))
    return np.where(seen, log_b - log_a, np.nan) / p.beta


def helicity_modulus(ending: str) -> Callable[[Any, Means], np.ndarray]:
    """Of the columns of one axis, ``_x`` and so on, or of the mean over the axes, with no ending."""

    def of_twists(p, mean: Means) -> np.ndarray:
        return mean[f"helicity_cosine{ending}"] - p.beta * mean[f"helicity_sine_2{ending}"]

    return of_twists


def staggered(formula: Callable[[Any, Means], np.ndarray]) -> Callable[[Any, Means], np.ndarray]:
    """The formula for s_x eps_x, eps the signs of the two sublattices: of columns ``staggered_...``."""

    def of_staggered(p, mean: Means) -> np.ndarray:
        own = {k.removeprefix(STAGGERED_PREFIX): v for k, v in mean.items() if k.startswith(STAGGERED_PREFIX)}
        return formula(replace(p, z2_symmetric=p.sublattices_alike), own)

    return of_staggered
