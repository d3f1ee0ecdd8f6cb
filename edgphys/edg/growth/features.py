# SPDX-License-Identifier: MIT
r"""Invariants of a position among placed particles, as a network sees them.

All are unchanged by rotations, reflections and permutations of the placed particles. phi_b are quadratic
B-splines of a distance or a cosine, psi_b fewer and wider ones, u_j the direction from the position to
particle j, n that from the centre; near_ij falls from 1 to 0 around the first shell, far_j lies beyond it.

    sum_j phi_b(d_j),  sum_j phi_b(d_j) c_j         c_j = sum_i near_ij, neighbours of j; not of the centre
    |m_b|^2,  m_b . n,  |Q_b|^2,  n . Q_b n         m_b = sum_j psi_b u_j,  Q_b = sum_j psi_b (u_j u_j - 1/D)
    sum_j psi_b s_j . u_j,  sum_j psi_b u_j . S_j u_j
                                                    s_j = sum_i near_ij u_ij,  S_j = sum_i near_ij u_ij u_ij
    sum_{i<j} near_i near_j phi_b(u_i . u_j),  sum_ij near_i far_j phi_b(u_i . u_j)
    sum_j phi_b(cos of the angle at the centre)
    phi_b(r),  phi_b(r - r_k),  e                   of the position alone
    sum_j phi_b(r_j),  sum_{i<j} phi_b(d_ij)        of what is placed, for context
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.systems.particles.mean_free import ANY_ORDER

__all__ = ["N_FEATURES", "fill_features"]

_N_RADIAL, _N_ANGULAR, _N_OWN, _N_COSINE = 28, 8, 24, 10
N_FEATURES = 2 * _N_RADIAL + 6 * _N_ANGULAR + 3 * _N_COSINE + 4 * _N_OWN + 1
# Energies beyond which a network does not tell positions apart.
_LOWEST, _HIGHEST = -60.0, 20.0


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _mapped(table, x, largest):
    """From 0 to 1, linear between knots."""
    t = min(max(x / largest, 0.0), 1.0) * (len(table) - 1)
    i = min(int(t), len(table) - 2)
    return table[i] + (t - i) * (table[i + 1] - table[i])


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _spline(t, n_basis):
    """First index and values of the three quadratic B-splines of n_basis on [0, 1] that t meets."""
    t = min(max(t, 0.0), 1.0) * (n_basis - 2)
    i = min(int(t), n_basis - 3)
    f = t - i
    return i, 0.5 * (1.0 - f) * (1.0 - f), 0.5 + f * (1.0 - f), 0.5 * f * f


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _add_spline(row, t, n_basis, factor):
    i, a, b, c = _spline(t, n_basis)
    row[i] += factor * a
    row[i + 1] += factor * b
    row[i + 2] += factor * c


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _context(placed, n_placed, ranges, maps, around, row):
    """c_j, s_j and S_j of the placed ones, a row of `around` each, and invariants of all of them."""
    largest, first_shell = ranges[1], ranges[2]
    n_axes = placed.shape[1]
    around[:n_placed] = 0.0
    towards = np.empty(n_axes)
    for i in range(n_placed):
        for j in range(i):
            square = 0.0
            for a in range(n_axes):
                towards[a] = placed[i, a] - placed[j, a]
                square += towards[a] * towards[a]
            d = math.sqrt(square)
            near = min(max((1.15 * first_shell - d) / (0.3 * first_shell), 0.0), 1.0)
            if near > 0.0:
                around[i, 0] += near
                around[j, 0] += near
                for a in range(n_axes):
                    around[i, 1 + a] -= near * towards[a] / d
                    around[j, 1 + a] += near * towards[a] / d
                    for c in range(n_axes):
                        part = near * towards[a] * towards[c] / square
                        around[i, 1 + n_axes + a * n_axes + c] += part
                        around[j, 1 + n_axes + a * n_axes + c] += part
            if j == 0:
                _add_spline(row[:_N_OWN], _mapped(maps[1], d, largest), _N_OWN, 1.0)
            else:
                _add_spline(row[_N_OWN:], _mapped(maps[0], d, largest), _N_OWN, 0.25)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _angular(moments, row):
    """|m|^2, m . n, |Q|^2, n . Q n of every basis function; moments hold 1, then m, then sum of u u."""
    direction = moments[_N_ANGULAR, : moments.shape[1]]
    n_axes = int(direction[0])
    for b in range(_N_ANGULAR):
        size, along, square, twice = 0.0, 0.0, 0.0, 0.0
        for a in range(n_axes):
            m = moments[b, 1 + a]
            size += m * m
            along += m * direction[1 + a]
            for c in range(n_axes):
                q = moments[b, 1 + n_axes + a * n_axes + c]
                if a == c:
                    q -= moments[b, 0] / n_axes
                square += q * q
                twice += q * direction[1 + a] * direction[1 + c]
        row[4 * b], row[4 * b + 1], row[4 * b + 2], row[4 * b + 3] = 0.25 * size, along, 0.25 * square, twice


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _angles(directions, shells, n_placed, point, r, placed, row):
    """Angles between pairs of directions from a position, and at the centre."""
    n_axes = len(point)
    for i in range(1, n_placed):
        near = shells[i, 0]
        if near > 0.0:
            for j in range(1, n_placed):
                first = near * shells[j, 0] if j < i else 0.0
                second = 0.25 * near * shells[j, 1]
                if first > 0.0 or second > 0.0:
                    cosine = 0.0
                    for a in range(n_axes):
                        cosine += directions[i, a] * directions[j, a]
                    if first > 0.0:
                        _add_spline(row[:_N_COSINE], 0.5 + 0.5 * cosine, _N_COSINE, first)
                    if second > 0.0:
                        _add_spline(row[_N_COSINE : 2 * _N_COSINE], 0.5 + 0.5 * cosine, _N_COSINE, second)
        cosine, square = 0.0, 0.0
        for a in range(n_axes):
            cosine += point[a] * placed[i, a]
            square += placed[i, a] * placed[i, a]
        cosine /= r * math.sqrt(square)
        _add_spline(row[2 * _N_COSINE :], 0.5 + 0.5 * cosine, _N_COSINE, 0.5)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def fill_features(placed, n_placed, previous, points, energies, ranges, maps, out):
    """Invariants of every position of every row.

    Parameters
    ----------
    placed, n_placed, previous
        As for `edgphys.edg.growth.trials.draw_trials`.
    points : float64 array, shape (n_rows, n_points, n_axes)
    energies : float64 array, shape (n_rows, n_points)
        e of each.
    ranges, maps : float64 array
        See `edgphys.edg.growth.scales.Scales`.
    out : float32 array, shape (n_rows, n_points, N_FEATURES)
    """
    n_rows, n_points, n_axes = points.shape
    low, largest, first_shell = ranges
    reach = min(largest, 2.5 * first_shell) - low
    width = 1 + n_axes + n_axes * n_axes
    around, shared = np.zeros((placed.shape[1], width)), np.zeros(2 * _N_OWN)
    moments = np.zeros((_N_ANGULAR + 1, width))
    towards = np.zeros(n_axes)
    row = np.zeros(N_FEATURES)
    second, angular = _N_RADIAL, 2 * _N_RADIAL
    sides = angular + 4 * _N_ANGULAR
    cosines = sides + 2 * _N_ANGULAR
    own = cosines + 3 * _N_COSINE
    directions, shells = np.zeros((placed.shape[1], n_axes)), np.zeros((placed.shape[1], 2))
    for p in range(n_rows):
        shared[:] = 0.0
        _context(placed[p], n_placed[p], ranges, maps, around, shared)
        for m in range(n_points):
            point = points[p, m]
            row[:] = 0.0
            moments[:] = 0.0
            for j in range(1, n_placed[p]):
                square = 0.0
                for a in range(n_axes):
                    towards[a] = placed[p, j, a] - point[a]
                    square += towards[a] * towards[a]
                d = math.sqrt(square)
                i, x, y, z = _spline(_mapped(maps[0], d, largest), _N_RADIAL)
                near = min(max((1.15 * first_shell - d) / (0.3 * first_shell), 0.0), 1.0)
                beyond = min(max((2.1 * first_shell - d) / (0.3 * first_shell), 0.0), 1.0)
                shells[j, 0], shells[j, 1] = near, beyond - near
                about = 0.25 * around[j, 0]
                row[i] += x
                row[i + 1] += y
                row[i + 2] += z
                row[second + i] += about * x
                row[second + i + 1] += about * y
                row[second + i + 2] += about * z
                side, across = 0.0, 0.0
                for a in range(n_axes):
                    towards[a] /= max(d, 1e-300)
                    directions[j, a] = towards[a]
                    side += towards[a] * around[j, 1 + a]
                for a in range(n_axes):
                    for c in range(n_axes):
                        across += towards[a] * towards[c] * around[j, 1 + n_axes + a * n_axes + c]
                i, x, y, z = _spline((d - low) / reach, _N_ANGULAR)
                for b in range(3):
                    psi = x if b == 0 else (y if b == 1 else z)
                    part = moments[i + b]
                    part[0] += psi
                    row[sides + i + b] += 0.25 * psi * side
                    row[sides + _N_ANGULAR + i + b] += 0.25 * psi * across
                    for a in range(n_axes):
                        part[1 + a] += psi * towards[a]
                        for c in range(n_axes):
                            part[1 + n_axes + a * n_axes + c] += psi * towards[a] * towards[c]
            r = math.sqrt((point * point).sum())
            moments[_N_ANGULAR, 0] = n_axes
            for a in range(n_axes):
                moments[_N_ANGULAR, 1 + a] = point[a] / r
            _angles(directions, shells, n_placed[p], point, r, placed[p], row[cosines:own])
            _angular(moments, row[angular:sides])
            _add_spline(row[own : own + _N_OWN], _mapped(maps[1], r, largest), _N_OWN, 1.0)
            step = _mapped(maps[2], r - previous[p], largest)
            _add_spline(row[own + _N_OWN : own + 2 * _N_OWN], step, _N_OWN, 1.0)
            row[own + 2 * _N_OWN : own + 4 * _N_OWN] = shared
            row[-1] = 0.1 * min(max(energies[p, m], _LOWEST), _HIGHEST)
            for f in range(N_FEATURES):
                out[p, m, f] = row[f]
