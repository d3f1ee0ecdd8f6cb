# SPDX-License-Identifier: MIT
r"""Whether exp(-E/T) can have a finite integral: what the energy does far away, at some hundred points.

Let E_min(r) be the least energy among points at the distance r. The integral over a cone around a ray is
finite only if E_min(r) / T grows faster than d log r, that over a tube of constant width around a line only
if it grows faster than log r. Cones are probed along random directions, tubes along the coordinates and along
translations of all particles at once (of one, two or three coordinates each). The growth is taken between
1e6 and 1e12 times the width of the system, where every energy of practice has its asymptotic form. A limit
that lies 745 T above the lowest energy is a wall: exp(-745) is 0 in float64. So is an energy that is not a
number, or a function that fails there.

This suspects: it sees flat, periodic, saturating and unbounded energies, and does not see a divergence in a
corner that no probe enters, or one at a finite distance.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["why_infinite"]

_NEAR, _FAR, _DECADE = 1e6, 1e12, 10.0
_WALL = 745.0
_N_CONES, _N_LINES = 16, 64
# Offsets of the points of a tube from its line, in widths: from what is stiff to what is soft.
_OFFSETS = np.array([1e-3, 1e-2, 0.1, 1.0])
_N_RADII = len(_OFFSETS)
# Numbers in all probes together.
_MOST_NUMBERS = 1 << 18

_Energies = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def why_infinite(
    energies: _Energies,
    starts: NDArray[np.float64],
    temperature: float,
    width: float,
    is_open: NDArray[np.bool_] | None = None,
) -> str | None:
    """Why the integral of exp(-E/T) seems to be infinite; None if nothing speaks for it.

    Parameters
    ----------
    energies : callable
        E of float64 points (n_points, n_dims), shape (n_points,).
    starts : float64 array, shape (n_starts, n_dims)
        Points where the system is; the lowest is the origin of all rays.
    temperature, width : float
        T, in the units of E, and the length over which the density varies.
    is_open : bool array, shape (n_dims,), optional
        Coordinates that reach far away; all by default.
    """
    rng = np.random.default_rng(0)
    heights = _safe(energies, starts)
    centre, lowest = starts[np.argmin(heights)], float(heights.min())
    if lowest == -math.inf:
        return f"E is -inf at {np.round(centre[:4], 3).tolist()}"
    axes = np.eye(starts.shape[1]) if is_open is None else np.eye(starts.shape[1])[is_open]
    n_dims = len(axes)
    if n_dims == 0:
        return None
    cones = rng.standard_normal((_fitting(_N_CONES, n_dims), n_dims))
    cones /= np.linalg.norm(cones, axis=1, keepdims=True)
    lines = _lines(n_dims, rng)
    probes = [(cones, float(n_dims), "along a random ray")] if n_dims > 1 else []
    probes.append((lines, 1.0, "along a coordinate or a translation"))
    for within, least, words in probes:
        directions = within @ axes
        near, far = (
            _least_energy(energies, centre, directions, r * width, width, rng) for r in (_NEAR, _FAR)
        )
        with np.errstate(invalid="ignore"):
            rise = np.where(np.isinf(far), far, far - near) / temperature
            above = (far - lowest) / temperature
        suspect = (rise <= least * math.log(_FAR / _NEAR)) & (above < _WALL)
        if suspect.any():
            k = int(suspect.argmax())
            ends = " to ".join(f"{energy / temperature:.4g}" for energy in (near[k], far[k]))
            at = f"between {_NEAR:.0e} and {_FAR:.0e} widths away"
            return f"E/T from {ends} {at}, {words}, and {lowest / temperature:.4g} at the centre"
    return None


def _least_energy(energies, centre, directions, radius, width, rng) -> NDArray[np.float64]:
    """The least energy around each ray within a decade of `radius`, shape (n_directions,)."""
    radii = radius * _DECADE ** rng.random((len(directions), _N_RADII, 1))
    offsets = width * _OFFSETS[:, None]
    points = centre + radii * directions[:, None] + offsets * rng.standard_normal((1, _N_RADII, centre.size))
    return _safe(energies, points.reshape(-1, centre.size)).reshape(len(directions), _N_RADII).min(axis=1)


def _lines(n_dims: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Both directions of coordinates, and of translations of bodies of one, two or three coordinates."""
    n_lines = min(n_dims, _fitting(_N_LINES, n_dims))
    chosen = rng.choice(n_dims, n_lines, replace=False)
    rows = [np.eye(1, n_dims, int(k))[0] for k in chosen]
    for size in (1, 2, 3):
        if n_dims % size == 0 and n_dims > size:
            rows += [(np.arange(n_dims) % size == axis).astype(np.float64) for axis in range(size)]
    return np.concatenate([rows, np.negative(rows)])


def _fitting(n: int, n_dims: int) -> int:
    return max(1, min(n, _MOST_NUMBERS // (_N_RADII * n_dims)))


def _safe(energies: _Energies, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energies, +inf where there is none."""
    try:
        with np.errstate(all="ignore"):
            values = np.asarray(energies(points), dtype=np.float64)
    except Exception:  # whatever a user's function raises far away is a wall
        return np.full(len(points), math.inf)
    return np.where(np.isnan(values), math.inf, values)
