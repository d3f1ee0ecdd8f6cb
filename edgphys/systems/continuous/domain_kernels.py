# SPDX-License-Identifier: MIT
"""Energies on the line of images of a domain, compiled: see `edgphys.systems.continuous.domain`."""

from __future__ import annotations

import functools

import numpy as np
from numba import njit
from numba.core.dispatcher import Dispatcher

__all__ = ["ABOVE", "BELOW", "CIRCLE", "INTERVAL", "LINE", "folded_function", "folded_kernel"]

LINE, CIRCLE, INTERVAL, ABOVE, BELOW = range(5)


@njit(nogil=True, cache=True)
def _fold(u, kinds, ends, x, signs):
    """x of u, and dx/du = +-1."""
    for i in range(u.size):
        low, high = ends[i, 0], ends[i, 1]
        x[i], signs[i] = u[i], 1.0
        if kinds[i] == CIRCLE:
            x[i] = low + (u[i] - low) % (high - low)
        elif kinds[i] == INTERVAL:
            turned = (u[i] - low) % (2.0 * (high - low)) - (high - low)
            x[i] = high - abs(turned)
            signs[i] = 1.0 if turned < 0.0 else -1.0
        elif kinds[i] == ABOVE:
            x[i] = low + abs(u[i] - low)
            signs[i] = 1.0 if u[i] >= low else -1.0
        elif kinds[i] == BELOW:
            x[i] = high - abs(high - u[i])
            signs[i] = 1.0 if u[i] <= high else -1.0


def _arrays(key):
    return np.array([kind for kind, _, _ in key]), np.array([ends for _, *ends in key])


# Compiled once for each energy and domain; closures, because numba cannot pass functions in arrays.


@functools.lru_cache(maxsize=64)
def folded_function(energy: Dispatcher, key: tuple[tuple[int, float, float], ...]) -> Dispatcher:
    """A compiled energy of a point of the domain, as one of any of its images."""
    kinds, ends = _arrays(key)

    @njit(nogil=True)
    def folded(u):
        x, signs = np.empty_like(u), np.empty_like(u)
        _fold(u, kinds, ends, x, signs)
        return energy(x)

    return folded


@functools.lru_cache(maxsize=64)
def folded_kernel(inner: Dispatcher, key: tuple[tuple[int, float, float], ...]) -> Dispatcher:
    """A kernel ``(x, gradient_out, parameters) -> energy`` of the domain, as one of images."""
    kinds, ends = _arrays(key)

    @njit(nogil=True)
    def kernel(u, gradient_out, parameters):
        x, signs = np.empty_like(u), np.empty_like(u)
        _fold(u, kinds, ends, x, signs)
        energy = inner(x, gradient_out, parameters)
        for i in range(u.size):
            gradient_out[i] *= signs[i]
        return energy

    return kernel
