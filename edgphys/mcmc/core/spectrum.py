# SPDX-License-Identifier: MIT
"""What every kernel measures and keeps alike: the lowest-momentum correlator and the configuration."""

from __future__ import annotations

from numba import njit

__all__ = ["keep_configuration", "lowest_correlator"]


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # sums of finite numbers: reordering is safe
def lowest_correlator(values, cosines, sines):
    """Mean over the axes of |sum_x v_x e^{ikx}|^2 / n_sites at the lowest momentum of each axis.

    `cosines` and `sines` are cos(k x) and sin(k x), shape (n_axes, n_sites).
    """
    n_axes, n_sites = cosines.shape
    power = 0.0
    for axis in range(n_axes):
        real, imaginary = 0.0, 0.0
        for i in range(n_sites):
            real += cosines[axis, i] * values[i]
            imaginary += sines[axis, i] * values[i]
        power += real * real + imaginary * imaginary
    return power / (n_axes * n_sites)


@njit(nogil=True, cache=True)
def keep_configuration(values, order, kept):
    """Copy `values` into `kept` in the numbering of the lattice; nothing if `kept` is empty."""
    if kept.size > 0:
        for i in range(order.size):
            kept[order[i]] = values[i]
