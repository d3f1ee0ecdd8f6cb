# SPDX-License-Identifier: MIT
r"""Improved estimators: averages over the signs of clusters in place of the signs that were drawn.

Given the bonds, the clusters of a Swendsen-Wang sweep take their signs independently, +1 and -1 alike
(without a field). With M_c = sum_{x in c} s_x and A_c(k) = sum_{x in c} s_x exp(i k.r_x), the conditional
expectations of the observables of a draw are, on N sites,

    m^2                sum_c M_c^2 / N^2
    m^4                (3 (sum_c M_c^2)^2 - 2 sum_c M_c^4) / N^4
    N m^2              sum_c M_c^2 / N
    correlator_min     mean over axes of sum_c |A_c(k)|^2 / N, and the sum for each axis
    s_x s_y            s_x s_y if x and y are in one cluster, else 0

where s_x s_y is fixed within a cluster: 1 for J > 0, the product of the sublattice signs for J < 0. So they
have the same means as the plain ones, with no larger variance of the single draw. A Wolff cluster is cluster
c with probability |c|/N; its M_c^2 / (N |c|), |A_c|^2 / |c| and (pairs in c) / |c| have the same means.

References
----------
U. Wolff, Nucl. Phys. B 300, 501 (1988), doi:10.1016/0550-3213(88)90611-0. Sweeny, Phys. Rev. B 27, 4445
(1983), doi:10.1103/PhysRevB.27.4445.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = [
    "add_wave_power",
    "axis_blocks",
    "correlate",
    "label_sums",
    "member_sums",
    "n_distances",
    "pairs_in_cluster",
    "wave_table",
]


def n_distances(lattice) -> int:
    """Distances 0 .. L/2 along the shortest axis."""
    return min(lattice.extent) // 2 + 1


def axis_blocks(lattice) -> np.ndarray:
    """``(L, stride)`` of each axis, int64, shape (n_axes, 2): one cell further is `stride` sites further."""
    strides = [math.prod(lattice.extent[a + 1 :]) * lattice.n_sites_per_cell for a in range(lattice.n_axes)]
    return np.array(list(zip(lattice.extent, strides, strict=True)), np.int64)


def wave_table(layout) -> np.ndarray:
    """1, then cos(k x) and then sin(k x) for each axis, shape (n_sites, 1 + 2 n_axes)."""
    return np.vstack([np.ones(layout.n_sites), layout.cosines, layout.sines]).T.copy()


@njit(nogil=True, cache=True)
def member_sums(spins, members, waves):
    """M_c, then Re A_c and Im A_c of each axis, of the cluster with these members."""
    sums = np.zeros(waves.shape[1])
    for i in members:
        for k in range(sums.size):
            sums[k] += spins[i] * waves[i, k]
    return sums


@njit(nogil=True, cache=True)
def label_sums(spins, labels, n_clusters, waves):
    """`member_sums` of all clusters, shape (n_clusters, 1 + 2 n_axes); site i is in cluster ``labels[i]``."""
    sums = np.zeros((n_clusters, waves.shape[1]))
    for i in range(labels.size):
        for k in range(waves.shape[1]):
            sums[labels[i], k] += spins[i] * waves[i, k]
    return sums


@njit(nogil=True, cache=True)
def add_wave_power(sums, size, out):
    """Add to `out` |A_c|^2 / size from the sums of one cluster: the mean over axes, then each if asked for.

    `out` has length 0, 1 or 1 + n_axes.
    """
    if out.size == 0:
        return
    power = 0.0
    for k in range(1, sums.size):
        power += sums[k] ** 2
    out[0] += 2.0 * power / (sums.size - 1) / size
    n_axes = sums.size // 2
    for axis in range(out.size - 1):
        out[1 + axis] += (sums[1 + axis] ** 2 + sums[1 + n_axes + axis] ** 2) / size


@njit(nogil=True, cache=True)
def correlate(labels, blocks, out):
    """Mean over sites and axes of [labels equal] - [labels opposite], at distances 0 .. out.size - 1.

    `labels`, int32, shape (n_sites,), in the order of the lattice: number of the cluster, from 1, times the
    spin for the improved estimator, the spin for the plain one; 0 counts as equal to nothing.
    """
    n_sites = labels.size
    for r in range(out.size):
        total = 0
        for axis in range(blocks.shape[0]):
            length, shift = blocks[axis, 0] * blocks[axis, 1], r * blocks[axis, 1]
            for first in range(0, n_sites, length):
                block = labels[first : first + length]
                total += _agreement(block[: length - shift], block[shift:])
                total += _agreement(block[length - shift :], block[:shift])
        out[r] = total / (blocks.shape[0] * n_sites)


@njit(nogil=True, cache=True)
def _agreement(a, b):
    total = np.int32(0)
    for i in range(a.size):
        total += np.int32(a[i] == b[i]) - np.int32(a[i] == -b[i])
    return total


@njit(nogil=True, cache=True)
def pairs_in_cluster(inside, members, blocks, out):
    """Mean over axes of the sum of s_x s_y / |c| over pairs in the cluster, at distances 0 .. out.size - 1.

    `inside`, int32, shape (n_sites,), holds the spins of the members and 0 elsewhere.
    """
    if 8 * members.size > inside.size:  # then it is faster to go through the whole lattice in order
        correlate(inside, blocks, out)
        out *= inside.size / members.size
        return
    out[:] = 0.0
    scale = 1.0 / (blocks.shape[0] * members.size)
    for axis in range(blocks.shape[0]):
        extent, stride = blocks[axis, 0], blocks[axis, 1]
        for m in members:
            site = np.int64(m)
            beyond = extent - (site // stride) % extent  # steps after which the axis closes
            for r in range(out.size):
                other = site + (r if r < beyond else r - extent) * stride
                out[r] += scale * (inside[site] * inside[other])
