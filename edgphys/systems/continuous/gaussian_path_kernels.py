# SPDX-License-Identifier: MIT
"""Energies of `edgphys.systems.continuous.gaussian_path` in numba, around the kernel of the system.

Their parameters: temperature, a_0, a_1, a_2, c, D, then m, 1 / w^2 and those of the system.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numba import njit

__all__ = ["HEAD", "INFINITE", "path_energy_kernel", "path_kernel", "path_terms_kernel"]

INFINITE = 1e100  # for U: no weight at all, but a number to calculate with
HEAD = 6  # places in the kernel's parameters before m, 1 / w^2 and those of the system


@njit(nogil=True, cache=True)
def _gaussian(x, parameters):
    """U_0."""
    total = 0.0
    for i in range(x.size):
        step = x[i] - parameters[HEAD + i]
        total += 0.5 * step * step * parameters[HEAD + x.size + i]
    return total


@njit(nogil=True, cache=True)
def _bounded(reduced):
    """U as a finite number."""
    return reduced if reduced < INFINITE else INFINITE  # also where it is NaN


@njit(nogil=True, cache=True)
def _temper(reduced, ceiling, stiffness):
    """G and dG/dU."""
    if reduced <= ceiling:
        return reduced, 1.0
    over = (reduced - ceiling) / stiffness
    return ceiling + stiffness * math.log1p(over), 1.0 / (1.0 + over)


# Compiled once for each energy; closures, because numba cannot pass functions in arrays of parameters.


@functools.lru_cache(maxsize=64)
def path_kernel(inner):
    @njit(nogil=True)
    def kernel(x, gradient_out, parameters):
        temperature, a0, a1, a2 = parameters[0], parameters[1], parameters[2], parameters[3]
        energy = inner(x, gradient_out, parameters[HEAD + 2 * x.size :])
        tempered, slope = _temper(_bounded(energy / temperature), parameters[4], parameters[5])
        share = a1 * slope + a2
        for i in range(x.size):
            along = share * gradient_out[i] if share > 0.0 else 0.0
            pull = (x[i] - parameters[HEAD + i]) * parameters[HEAD + x.size + i]
            gradient_out[i] = along + temperature * a0 * pull
        total = temperature * (a0 * _gaussian(x, parameters) + a1 * tempered)
        return total + a2 * energy if a2 > 0.0 else total

    return kernel


@functools.lru_cache(maxsize=64)
def path_energy_kernel(inner):
    @njit(nogil=True)
    def kernel(x, gradient_out, parameters):
        temperature, a0, a1, a2 = parameters[0], parameters[1], parameters[2], parameters[3]
        energy = inner(x, gradient_out, parameters[HEAD + 2 * x.size :])
        tempered, _ = _temper(_bounded(energy / temperature), parameters[4], parameters[5])
        total = temperature * (a0 * _gaussian(x, parameters) + a1 * tempered)
        return total + a2 * energy if a2 > 0.0 else total

    return kernel


@functools.lru_cache(maxsize=64)
def path_terms_kernel(inner):
    @njit(nogil=True)
    def kernel(x, terms_out, parameters):
        energy = inner(x, np.empty(x.size), parameters[HEAD + 2 * x.size :])
        reduced = _bounded(energy / parameters[0])
        terms_out[0] = _gaussian(x, parameters)
        terms_out[1] = _temper(reduced, parameters[4], parameters[5])[0]
        terms_out[2] = reduced
        return 0.0

    return kernel
