# SPDX-License-Identifier: MIT
"""Energies of a user's functions of one site and one bond, compiled over a lattice.

Parameters of the kernels: factor of all bonds, number of parameters n, these n, and of each bond in turn its
two ends and its weight.
"""

from __future__ import annotations

import functools

from numba import njit

__all__ = ["field_kernel", "field_terms_kernel", "no_bond", "no_site"]


@njit(nogil=True)
def no_site(x, p):
    return 0.0, 0.0


@njit(nogil=True)
def no_bond(x, y, p):
    return 0.0, 0.0


@functools.lru_cache(maxsize=64)
def field_kernel(site, bond):
    """Kernel of ``site(x, p)`` and ``bond(x, y, p)``, which give a value and its derivative by x."""

    @njit(nogil=True)
    def kernel(x, gradient_out, parameters):
        strength, first = parameters[0], 2 + int(parameters[1])
        p, bonds = parameters[2:first], parameters[first:]
        total, pairs = 0.0, 0.0
        for i in range(x.size):
            value, gradient_out[i] = site(x[i], p)
            total += value
        for k in range(0, bonds.size, 3):
            i, j, weight = int(bonds[k]), int(bonds[k + 1]), bonds[k + 2]
            value, by_first = bond(x[i], x[j], p)
            pairs += weight * value
            gradient_out[i] += strength * weight * by_first
            gradient_out[j] += strength * weight * bond(x[j], x[i], p)[1]
        return total + strength * pairs

    return kernel


@functools.lru_cache(maxsize=64)
def field_terms_kernel(site, bond):
    """(sum of bonds with their weights, sum of sites), see `AbstractSystem.terms_kernel`."""

    @njit(nogil=True)
    def kernel(x, terms_out, parameters):
        first = 2 + int(parameters[1])
        p, bonds = parameters[2:first], parameters[first:]
        terms_out[0] = terms_out[1] = 0.0
        for i in range(x.size):
            terms_out[1] += site(x[i], p)[0]
        for k in range(0, bonds.size, 3):
            terms_out[0] += bonds[k + 2] * bond(x[int(bonds[k])], x[int(bonds[k + 1])], p)[0]
        return 0.0

    return kernel
