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

from edgphys.edg.growth.trials import coordinates
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
def _add_context(i, at, ranges, maps, around, row):
    """Add placed particle i to c_j, s_j and S_j of those before it, and to invariants of all of them.

    A column of `around` holds c, s (three axes), and xx, xy, xz, yy, yz, zz of S.
    """
    largest, first_shell = ranges[1], ranges[2]
    around[:, i] = 0.0
    for j in range(i):
        x, y, z = at[0, i] - at[0, j], at[1, i] - at[1, j], at[2, i] - at[2, j]
        d = math.sqrt(x * x + y * y + z * z)
        near = min(max((1.15 * first_shell - d) / (0.3 * first_shell), 0.0), 1.0)
        if near > 0.0:
            x, y, z = x / d, y / d, z / d
            around[0, i] += near
            around[0, j] += near
            for a, part in enumerate((x, y, z)):
                around[1 + a, i] -= near * part
                around[1 + a, j] += near * part
            for a, part in enumerate((x * x, x * y, x * z, y * y, y * z, z * z)):
                around[4 + a, i] += near * part
                around[4 + a, j] += near * part
        if j == 0:
            _add_spline(row[:_N_OWN], _mapped(maps[1], d, largest), _N_OWN, 1.0)
        else:
            _add_spline(row[_N_OWN:], _mapped(maps[0], d, largest), _N_OWN, 0.25)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _angular(moments, x, y, z, n_axes, row):
    """|m|^2, m . n, |Q|^2, n . Q n of every basis function; moments hold 1, then m, then sum of u u."""
    for b in range(_N_ANGULAR):
        count, a, c, d, xx, xy, xz, yy, yz, zz = moments[b]
        third = count / n_axes
        xx -= third
        if n_axes > 1:
            yy -= third
        if n_axes > 2:
            zz -= third
        row[4 * b] = 0.25 * (a * a + c * c + d * d)
        row[4 * b + 1] = a * x + c * y + d * z
        row[4 * b + 2] = 0.25 * (xx * xx + yy * yy + zz * zz + 2.0 * (xy * xy + xz * xz + yz * yz))
        row[4 * b + 3] = xx * x * x + yy * y * y + zz * z * z + 2.0 * (xy * x * y + xz * x * z + yz * y * z)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _angles(near, n_near, far, n_far, row):
    """Angles between pairs of directions from a position; (factor, direction) of each in a column."""
    for i in range(n_near):
        factor, x, y, z = near[0, i], near[1, i], near[2, i], near[3, i]
        for j in range(i):
            cosine = x * near[1, j] + y * near[2, j] + z * near[3, j]
            _add_spline(row[:_N_COSINE], 0.5 + 0.5 * cosine, _N_COSINE, factor * near[0, j])
        factor *= 0.25
        for j in range(n_far):
            cosine = x * far[1, j] + y * far[2, j] + z * far[3, j]
            _add_spline(row[_N_COSINE : 2 * _N_COSINE], 0.5 + 0.5 * cosine, _N_COSINE, factor * far[0, j])


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def fill_features(placed, n_placed, previous, points, energies, ranges, maps, middle, scale, out):
    """Invariants of every position of every row, less their middle, times a scale.

    Rows that add one particle to the row before share the sums over what is placed.

    Parameters
    ----------
    placed, n_placed, previous
        As for `edgphys.edg.growth.trials.draw_trials`.
    points : float64 array, shape (n_rows, n_points, n_axes)
    energies : float64 array, shape (n_rows, n_points)
        e of each.
    ranges, maps : float64 array
        See `edgphys.edg.growth.scales.Scales`.
    middle, scale : float32 array, shape (n_particles - 1, N_FEATURES)
        By the number of those placed but one.
    out : float32 array, shape (n_rows, n_points, N_FEATURES)
    """
    n_rows, n_points, n_axes = points.shape
    n_particles = placed.shape[1]
    low, largest, first_shell = ranges
    reach = min(largest, 2.5 * first_shell) - low
    at, radii, n_before = np.zeros((3, n_particles)), np.zeros(n_particles), 0
    around, shared = np.zeros((10, n_particles)), np.zeros(2 * _N_OWN)
    moments, row, towards = np.zeros((_N_ANGULAR, 10)), np.zeros(N_FEATURES), np.zeros(10)
    second, angular = _N_RADIAL, 2 * _N_RADIAL
    sides = angular + 4 * _N_ANGULAR
    cosines = sides + 2 * _N_ANGULAR
    centre = cosines + 2 * _N_COSINE
    own = cosines + 3 * _N_COSINE
    near, far = np.zeros((4, n_particles)), np.zeros((4, n_particles))
    towards[0] = 1.0
    for p in range(n_rows):
        n_here = n_placed[p]
        same = n_before if n_before <= n_here else 0
        for i in range(same):
            for a in range(n_axes):
                if at[a, i] != placed[p, i, a]:
                    same = 0
        if same == 0:
            shared[:] = 0.0
        for i in range(same, n_here):
            x, y, z = coordinates(placed[p, i])
            at[0, i], at[1, i], at[2, i] = x, y, z
            radii[i] = math.sqrt(x * x + y * y + z * z)
            _add_context(i, at, ranges, maps, around, shared)
        n_before = n_here
        for m in range(n_points):
            px, py, pz = coordinates(points[p, m])
            r = math.sqrt(px * px + py * py + pz * pz)
            row[:] = 0.0
            moments[:] = 0.0
            n_near, n_far = 0, 0
            for j in range(1, n_here):
                x, y, z = at[0, j] - px, at[1, j] - py, at[2, j] - pz
                d = math.sqrt(x * x + y * y + z * z)
                per = 1.0 / max(d, 1e-300)
                x, y, z = x * per, y * per, z * per
                i, a, b, c = _spline(_mapped(maps[0], d, largest), _N_RADIAL)
                about = 0.25 * around[0, j]
                row[i] += a
                row[i + 1] += b
                row[i + 2] += c
                row[second + i] += about * a
                row[second + i + 1] += about * b
                row[second + i + 2] += about * c
                inner = min(max((1.15 * first_shell - d) / (0.3 * first_shell), 0.0), 1.0)
                beyond = min(max((2.1 * first_shell - d) / (0.3 * first_shell), 0.0), 1.0) - inner
                if inner > 0.0:
                    near[0, n_near], near[1, n_near], near[2, n_near], near[3, n_near] = inner, x, y, z
                    n_near += 1
                if beyond > 0.0:
                    far[0, n_far], far[1, n_far], far[2, n_far], far[3, n_far] = beyond, x, y, z
                    n_far += 1
                xx, xy, xz, yy, yz, zz = x * x, x * y, x * z, y * y, y * z, z * z
                towards[1], towards[2], towards[3] = x, y, z
                towards[4], towards[5], towards[6] = xx, xy, xz
                towards[7], towards[8], towards[9] = yy, yz, zz
                side = 0.25 * (x * around[1, j] + y * around[2, j] + z * around[3, j])
                across = xx * around[4, j] + yy * around[7, j] + zz * around[9, j]
                across = 0.25 * across + 0.5 * (xy * around[5, j] + xz * around[6, j] + yz * around[8, j])
                i, a, b, c = _spline((d - low) / reach, _N_ANGULAR)
                for k in range(10):
                    moments[i, k] += a * towards[k]
                    moments[i + 1, k] += b * towards[k]
                    moments[i + 2, k] += c * towards[k]
                row[sides + i] += a * side
                row[sides + i + 1] += b * side
                row[sides + i + 2] += c * side
                row[sides + _N_ANGULAR + i] += a * across
                row[sides + _N_ANGULAR + i + 1] += b * across
                row[sides + _N_ANGULAR + i + 2] += c * across
                cosine = (px * at[0, j] + py * at[1, j] + pz * at[2, j]) / (r * radii[j])
                _add_spline(row[centre:own], 0.5 + 0.5 * cosine, _N_COSINE, 0.5)
            _angles(near, n_near, far, n_far, row[cosines:centre])
            _angular(moments, px / r, py / r, pz / r, n_axes, row[angular:sides])
            _add_spline(row[own : own + _N_OWN], _mapped(maps[1], r, largest), _N_OWN, 1.0)
            step = _mapped(maps[2], r - previous[p], largest)
            _add_spline(row[own + _N_OWN : own + 2 * _N_OWN], step, _N_OWN, 1.0)
            row[own + 2 * _N_OWN : own + 4 * _N_OWN] = shared
            row[-1] = 0.1 * min(max(energies[p, m], _LOWEST), _HIGHEST)
            for f in range(N_FEATURES):
                out[p, m, f] = (row[f] - middle[n_here - 1, f]) * scale[n_here - 1, f]
