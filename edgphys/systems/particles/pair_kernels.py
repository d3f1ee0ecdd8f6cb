# SPDX-License-Identifier: MIT
"""Energy and gradient of a cluster in numba, around the pair law of a user.

Parameters: n_particles, n_axes, strength, oscillator, core, and the height and slope of the pair law there.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numba import njit

from edgphys.systems.particles.mean_free import add_forces_below, gather, spread, squares_below

__all__ = ["cluster_kernel"]


# Compiled once for each law; a closure, because numba cannot pass functions in arrays of parameters.
@functools.lru_cache(maxsize=64)
def cluster_kernel(law):
    """Kernel `(x, gradient_out, parameters) -> energy` of the law d2 -> (u, du/d(d2)), a numba function."""

    @njit(nogil=True, error_model="numpy")
    def kernel(x, gradient_out, parameters):
        n_particles, n_axes = int(parameters[0]), int(parameters[1])
        strength, oscillator = parameters[2], parameters[3]
        core, height, steepness = parameters[4], parameters[5], parameters[6]
        rows = np.zeros((2 * n_axes + 1, n_particles))
        positions, slopes, factors = rows[:n_axes], rows[n_axes : 2 * n_axes], rows[-1]
        spread(x, positions)
        energy = 0.0
        for i in range(1, n_particles):
            squares_below(positions, i, factors)
            for j in range(i):
                square = factors[j]
                if square < core * core:
                    r = math.sqrt(square)
                    energy += height + steepness * (r - core)
                    factors[j] = steepness / max(r, 1e-300)
                elif square < 1e-30:  # at one point, as in torch: no force
                    energy += strength * law(1e-30)[0]
                    factors[j] = 0.0
                else:
                    value, slope = law(square)
                    energy += strength * value
                    factors[j] = 2.0 * strength * slope
            add_forces_below(slopes, positions, i, factors)
        gather(slopes, gradient_out)
        for k in range(x.size):
            energy += 0.5 * oscillator * x[k] * x[k]
            gradient_out[k] += oscillator * x[k]
        return energy

    return kernel
