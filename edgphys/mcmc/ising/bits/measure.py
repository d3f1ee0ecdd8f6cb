# SPDX-License-Identifier: MIT
"""Energy, magnetization and lowest-momentum correlators of replicas that are bits of words.

Bits are counted in all replicas at once: carry-save adders turn eight words into one carry, and the carries
go into a counter whose digits are words (a vertical counter). Only its digits are then turned, bit by bit,
into one integer per replica. Broken bonds give the energy. The waves sum_x s_x exp(i k x) need one count for
each value of the phase, of which there are as many as the lattice is long. Energy and magnetization are
counted exactly; sums over phases are rounded as floats are.

References
----------
Warren, Hacker's Delight, Addison-Wesley (2012), ch. 5 (carry-save counting, after Harley and Seal).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from edgphys.mcmc.core.layout import Layout
from edgphys.mcmc.ising.bits.simd import load, splat, store

__all__ = ["Probe", "make_probe", "measure"]

_ZERO = np.uint64(0)


class Probe(NamedTuple):
    """What `measure` needs to know of the system.

    Attributes
    ----------
    bonds : uint32, shape (n_bonds, 2)
    sites : uint32, shape (max(1, n_axes), n_sites, 2)
        Sites sorted by their phase along each axis, each paired with the word that is always zero.
    first : int64, shape (max(1, n_axes), n_groups + 1)
        Where in `sites` each phase begins.
    phases : complex128, shape (n_axes, n_groups)
    turns : uint64, shape (n_sites,)
        All bits set where eps_x = -1, of what is staggered; empty if nothing is.
    n_correlators : int
        0, 1 or 1 + n_axes.
    coupling, field : float
    """

    bonds: np.ndarray
    sites: np.ndarray
    first: np.ndarray
    phases: np.ndarray
    turns: np.ndarray
    n_correlators: int
    coupling: float
    field: float


def make_probe(
    layout: Layout, coupling: float, field: float, n_correlators: int, signs: np.ndarray | None = None
) -> Probe:
    """Tables of `measure` for sites in the order of the layout, as are the `signs` of what is staggered."""
    n, n_axes = layout.n_sites, len(layout.cosines)
    members, starts, phases = [np.arange(n)], [np.array([0, n])], []
    if n_axes:
        members, starts = [], []
    for wave in layout.cosines + 1j * layout.sines:
        values, group = np.unique(np.round(wave, 9), return_inverse=True)
        members.append(np.argsort(group, kind="stable"))
        starts.append(np.concatenate([[0], np.cumsum(np.bincount(group, minlength=len(values)))]))
        # The phase of a group is that of its first member, not rounded.
        phases.append(wave[members[-1][starts[-1][:-1]]])
    n_groups = max(len(s) for s in starts) - 1
    return Probe(
        bonds=layout.bonds.copy(),
        sites=np.stack([np.stack([m, np.full(n, n)], axis=1) for m in members]).astype(np.uint32),
        first=np.stack([np.pad(s, (0, n_groups + 1 - len(s)), mode="edge") for s in starts]).astype(np.int64),
        phases=np.array([np.pad(p, (0, n_groups - len(p))) for p in phases], complex).reshape(-1, n_groups),
        turns=np.empty(0, np.uint64) if signs is None else np.where(signs < 0, ~_ZERO, _ZERO),
        n_correlators=n_correlators,
        coupling=float(coupling),
        field=float(field),
    )


@njit(nogil=True, cache=True, inline="always")
def _add(a, b, c):
    """Digits of the sum of three bits, the lower one first."""
    half = a ^ b
    return half ^ c, (a & b) | (half & c)


@njit(nogil=True, cache=True, inline="always")
def _unequal(words, pairs, i, n, lanes):
    return load(words, np.uint64(pairs[i, 0]) * n, lanes) ^ load(words, np.uint64(pairs[i, 1]) * n, lanes)


@njit(nogil=True, cache=True)
def _count(words, pairs, begin, end, lanes, counts):
    """In how many of ``pairs[begin:end]`` the bits of each replica differ, into `counts`, (64 n_lanes,)."""
    n, zero = np.uint64(len(lanes)), splat(_ZERO, lanes)
    n_planes = 3
    while (1 << n_planes) <= end - begin:
        n_planes += 1
    planes = np.zeros(n_planes * len(lanes), np.uint64)
    ones, twos, fours = zero, zero, zero
    whole = end - (end - begin) % 8
    for i in range(begin, whole, 8):
        carry = zero
        twos_before, fours_before = twos, fours
        ones, a = _add(ones, _unequal(words, pairs, i, n, lanes), _unequal(words, pairs, i + 1, n, lanes))
        ones, b = _add(ones, _unequal(words, pairs, i + 2, n, lanes), _unequal(words, pairs, i + 3, n, lanes))
        twos, c = _add(twos_before, a, b)
        ones, a = _add(ones, _unequal(words, pairs, i + 4, n, lanes), _unequal(words, pairs, i + 5, n, lanes))
        ones, b = _add(ones, _unequal(words, pairs, i + 6, n, lanes), _unequal(words, pairs, i + 7, n, lanes))
        twos, d = _add(twos, a, b)
        fours, carry = _add(fours_before, c, d)
        _ripple(planes, carry, n_planes, n, lanes)
    for i in range(whole, end):
        bit = _unequal(words, pairs, i, n, lanes)
        ones, bit = ones ^ bit, ones & bit
        twos, bit = twos ^ bit, twos & bit
        fours, bit = fours ^ bit, fours & bit
        _ripple(planes, bit, n_planes, n, lanes)
    store(planes, _ZERO, ones)
    store(planes, n, twos)
    store(planes, n + n, fours)
    for m in range(counts.size):
        counts[m] = 0
    for p in range(n_planes):
        for lane in range(len(lanes)):
            word = planes[p * len(lanes) + lane]
            for bit in range(64):
                counts[64 * lane + bit] += np.int64((word >> np.uint64(bit)) & np.uint64(1)) << p


@njit(nogil=True, cache=True, inline="always")
def _ripple(planes, carry, n_planes, n, lanes):
    place = n + n + n
    for _ in range(3, n_planes):
        digit = load(planes, place, lanes)
        store(planes, place, digit ^ carry)
        carry = digit & carry
        place += n


@njit(nogil=True, cache=True)
def measure(snapshots, probe, lanes, rows):
    """Energy, magnetization per site, correlators, and what is staggered, of each replica.

    Parameters
    ----------
    snapshots : uint64, shape (n_draws, (n_sites + 1) * n_lanes)
    probe : Probe
    lanes : static(n_lanes)
    rows : float64, shape (n_draws, n_columns, 64 * n_lanes)
        Overwritten; the last 1 + n_correlators are staggered, or are not there.
    """
    for draw in range(rows.shape[0]):
        _measure(snapshots[draw], probe, lanes, rows[draw])


@njit(nogil=True, cache=True, inline="always")
def _measure(words, probe, lanes, rows):
    bonds, coupling, field = probe.bonds, probe.coupling, probe.field
    n_sites, n_members, staggered = probe.sites.shape[1], rows.shape[1], 2 + probe.n_correlators
    _order(words, probe, lanes, rows[1:staggered])
    if rows.shape[0] > staggered:
        turned, n = words.copy(), len(lanes)
        for i in range(probe.turns.size * n):
            turned[i] ^= probe.turns[i // n]
        _order(turned, probe, lanes, rows[staggered:])
    counts = np.empty(n_members, np.int64)
    _count(words, bonds, np.int64(0), bonds.shape[0], lanes, counts)
    for m in range(n_members):
        total = rows[1, m] * n_sites
        rows[0, m] = -coupling * (bonds.shape[0] - 2 * counts[m]) - field * np.rint(total)


@njit(nogil=True, cache=True)
def _order(words, probe, lanes, rows):
    """Magnetization per site and correlators of each replica, as `AbstractLatticeSampler` has them."""
    sites, first, phases = probe.sites, probe.first, probe.phases
    n_sites, n_members, n_axes = sites.shape[1], rows.shape[1], phases.shape[0]
    counts = np.empty(n_members, np.int64)
    up = np.zeros(n_members, np.int64)
    wave = np.empty(n_members, np.complex128)
    rows[1:] = 0.0
    for axis in range(max(1, n_axes)):
        for m in range(n_members):
            wave[m] = 0.0
        for group in range(first.shape[1] - 1):
            begin, end = first[axis, group], first[axis, group + 1]
            if end > begin:
                _count(words, sites[axis], begin, end, lanes, counts)
                for m in range(n_members):
                    if axis == 0:
                        up[m] += counts[m]
                    if n_axes > 0:
                        wave[m] += phases[axis, group] * (2 * counts[m] - (end - begin))
        if n_axes > 0:
            for m in range(n_members):
                square = wave[m].real ** 2 + wave[m].imag ** 2
                rows[1, m] += square / (n_axes * n_sites)
                if rows.shape[0] > 2:
                    rows[2 + axis, m] = square / n_sites
    for m in range(n_members):
        rows[0, m] = (2 * up[m] - n_sites) / n_sites
