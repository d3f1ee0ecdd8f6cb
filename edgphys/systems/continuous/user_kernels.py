# SPDX-License-Identifier: MIT
"""Kernels (x, gradient_out, parameters) -> energy made from a compiled energy of one point."""

from __future__ import annotations

import functools

import numpy as np
from numba import njit
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

__all__ = ["difference_kernel", "evaluate", "plain_kernel"]


def evaluate(kernel: Dispatcher, points: NDArray, parameters: NDArray) -> tuple[NDArray, NDArray]:
    """Energies and gradients of a kernel, point by point."""
    energies, gradients = np.empty(len(points)), np.empty_like(points)
    for k, point in enumerate(points):
        energies[k] = kernel(point, gradients[k], parameters)
    return energies, gradients


# Compiled once for each energy, whatever the temperature.


@functools.lru_cache(maxsize=64)
def difference_kernel(energy: Dispatcher) -> Dispatcher:
    """Energy with its gradient by central differences."""

    @njit(nogil=True)
    def kernel(x, gradient_out, parameters):
        for i in range(x.size):
            middle = x[i]
            step = 6e-6 * (1.0 + abs(middle))  # cube root of the rounding error
            x[i] = middle + step
            above = energy(x)
            x[i] = middle - step
            gradient_out[i] = (above - energy(x)) / (2.0 * step)
            x[i] = middle
        return energy(x)

    return kernel


@functools.lru_cache(maxsize=64)
def plain_kernel(energy: Dispatcher) -> Dispatcher:
    @njit(nogil=True)
    def kernel(x, gradient_out, parameters):
        return energy(x)

    return kernel
