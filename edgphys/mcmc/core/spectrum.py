# SPDX-License-Identifier: MIT
"""What every kernel measures and keeps alike: lowest-momentum correlators and the configuration."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["keep_configuration", "lowest_correlators", "staggered_order"]


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # sums of finite numbers: reordering is safe
def lowest_correlators(values, cosines, sines, out):
    """|sum_x v_x e^{ikx}|^2 / n_sites at the lowest momenta: mean over the axes, then each if asked for.

    `cosines` and `sines` are cos(k x) and sin(k x), shape (n_axes, n_sites); `out` has length 0, 1 or
    1 + n_axes.
    """
    if out.size == 0:
        return
    n_axes, n_sites = cosines.shape
    power = 0.0
    for axis in range(n_axes):
        real, imaginary = 0.0, 0.0
        for i in range(n_sites):
            real += cosines[axis, i] * values[i]
            imaginary += sines[axis, i] * values[i]
        square = real * real + imaginary * imaginary
        power += square
        if out.size > 1:
            out[1 + axis] = square / n_sites
    out[0] = power / (n_axes * n_sites)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def staggered_order(values, signs, cosines, sines, out):
    """The staggered magnetization per site and the correlators of v_x eps_x; nothing where `out` is empty.

    `signs`, eps_x, has shape (n_sites,).
    """
    if out.size == 0:
        return
    turned = np.empty(signs.size)
    total = 0.0
    for i in range(signs.size):
        turned[i] = signs[i] * values[i]
        total += turned[i]
    out[0] = total / signs.size
    lowest_correlators(turned, cosines, sines, out[1:])


@njit(nogil=True, cache=True)
def keep_configuration(values, order, kept):
    """Copy `values` into `kept` in the numbering of the lattice; nothing if `kept` is empty."""
    if kept.size > 0:
        for i in range(order.size):
            kept[order[i]] = values[i]
