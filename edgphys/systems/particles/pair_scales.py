# SPDX-License-Identifier: MIT
r"""What a pair law says of its cluster: whether it has a finite Z, where particles touch, how wide it is.

All functions take u = w(r) / T at increasing distances r, arrays (n_points,) that reach over many decades.
When a cluster of n particles in D dimensions falls apart, or collapses to a point, all distances grow, or
shrink, as one:

    int r^{D (n-1) - 1} exp(-n (n - 1) / 2 u(r)) dr

converges at infinity if n/2 u(r) grows faster than D log r, and at 0 if it does not fall as fast as D log r.
Parts of a cluster that stay together have more pairs to break per particle.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["attraction", "barrier", "contact", "has_core", "refusal", "root_mean_square"]

# In units of T: exp(-745) is 0 in float64.
_WALL = 745.0
# Particles that rise by more when they meet do not meet.
_CORE = 1000.0
# Over which the growth of a law is taken.
_FAR = 1e6

_Array = NDArray[np.float64]


def refusal(r: _Array, u: _Array, n_particles: int, n_axes: int) -> str | None:
    """Why exp(-E/T) has no finite integral, or none that is a number, in one line; None if it has."""
    near, first, last = (int(np.searchsorted(r, at)) for at in (r[0], r[0] * _FAR, r[-1] / _FAR))
    needed, share = n_axes * math.log(_FAR), 0.5 * n_particles
    with np.errstate(invalid="ignore"):
        low = np.nanmin(u)
        counts = np.isfinite(u) & (u - low < _WALL)
        beside = np.flatnonzero(np.isnan(u) & (_shifted(counts, 1) | _shifted(counts, -1)))
        if share * (u[first] - u[near]) >= needed:
            return f"law must not pull all particles into a point, {_ends(r, u, first, near)}"
        if len(beside):
            return f"law must be a number, or +inf, at each distance, got nan at r = {r[beside[0]]:.4g}"
        if u[-1] - low < _WALL and share * (u[-1] - u[last]) <= needed:
            return (
                "law must confine, by growing with the distance or by an oscillator, lest the integral of "
                f"exp(-E/T) be infinite, {_ends(r, u, last, -1)}"
            )
    return None


def _ends(r: _Array, u: _Array, start: int, end: int) -> str:
    return f"got E/T of a pair from {u[start]:.4g} at r = {r[start]:.0e} to {u[end]:.4g} at {r[end]:.0e}"


def _shifted(flags: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    moved = np.roll(flags, step)
    moved[0 if step > 0 else -1] = False
    return moved


def attraction(u: _Array) -> float:
    """Depth of the lowest point below infinity; 0 where the law grows without bound."""
    depth = u[-1] - u.min()
    return float(depth) if depth < _WALL else 0.0


def barrier(u: _Array) -> float:
    """Height of the highest barrier between two wells of a pair, seen from the shallower one."""
    u = np.minimum(u - u.min(), _WALL)
    before, behind = np.minimum.accumulate(u), np.minimum.accumulate(u[::-1])[::-1]
    return float(np.minimum(u - before, u - behind).max())


def has_core(u: _Array) -> bool:
    """Whether two particles cannot be at one point."""
    return bool(u[0] - u.min() > _CORE)


def contact(r: _Array, u: _Array) -> float:
    """The smallest distance at which u is above its lowest value by 1, or by the attraction if larger."""
    return float(r[np.argmax(u - u.min() <= max(1.0, attraction(u)))])


def root_mean_square(r: _Array, u: _Array, n_axes: int) -> float:
    """Root mean square distance of a pair on its own."""
    with np.errstate(under="ignore"):
        weights = np.exp(n_axes * np.log(r / r[np.argmin(u)]) - (u - u.min()))  # r^D: steps of r go with r
    finite = np.where(np.isfinite(weights), weights, 0.0)
    return float(np.sqrt(np.average(np.square(r), weights=finite)))
