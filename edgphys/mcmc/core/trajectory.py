# SPDX-License-Identifier: MIT
"""How long a trajectory of hybrid Monte Carlo is: random, and independent of the field.

The number of steps is uniform in ``1 .. 2 n - 1``, n its rounded mean, and the step varies by 10 percent from
one trajectory to the next, so that no mode is ever in resonance with the trajectory.

References
----------
Mackenzie, Phys. Lett. B 226, 369 (1989), doi:10.1016/0370-2693(89)91212-4.
"""

from __future__ import annotations

from numba import njit

from edgphys.mcmc.random.xoshiro import uniform

__all__ = ["draw_trajectory"]

_JITTER = 0.1


@njit(nogil=True, cache=True)
def draw_trajectory(rng, mean_steps):
    """Number of steps, and the factor of their size."""
    n_steps = 1 + int(uniform(rng) * max(1, 2 * round(mean_steps) - 1))
    return n_steps, 1.0 + _JITTER * (2.0 * uniform(rng) - 1.0)
