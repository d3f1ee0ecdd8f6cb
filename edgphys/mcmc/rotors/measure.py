# SPDX-License-Identifier: MIT
"""The observables of a draw of rotors, measured inside the kernels.

The numbers are those of `edgphys.systems.lattice.rotors.measurements`, where their definitions stand.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.core.spectrum import lowest_correlators

__all__ = ["measure_rotors"]

_TURN = 2.0 * math.pi


@njit(nogil=True, cache=True)
def measure_rotors(spins, probe, row, kept):
    """All columns into `row`; the configuration of the system into `kept`, unless that is empty."""
    order, energies, (n_twists, lengths), (plaquettes, phases), waves = probe
    row[0] = _energy_and_twists(spins, energies, lengths, row[1 : 1 + 2 * n_twists])
    (begin, staggered, end), cosines, sines, signs = waves
    axis = energies[3]
    measured = row[begin:staggered]
    _order(spins, np.empty(0), axis, cosines, sines, measured)
    if end > staggered:
        _order(spins, signs, axis, cosines, sines, row[staggered:end])
    angles = np.empty(0)
    if spins.shape[1] == 2 and (kept.size > 0 or plaquettes.shape[0] > 0):
        angles = _angles(spins)
    if plaquettes.shape[0] > 0:
        row[1 + 2 * n_twists] = _vorticity(angles, plaquettes, phases)
    if kept.size > 0:
        _keep(spins, angles, order, kept)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # sums of finite numbers: reordering is safe
def _energy_and_twists(spins, energies, lengths, out):
    """The energy; C and Q into `out`: means over the axes, then of each axis if asked for."""
    bonds, couplings, fields, axis = energies
    n_sites, n = fields.size, spins.shape[1]
    n_axes = lengths.shape[0]
    cosine, sines = np.zeros(n_axes), np.zeros((n_axes, 3))
    energy = 0.0
    for b in range(bonds.shape[0]):
        i, j = bonds[b, 0], bonds[b, 1]
        dot = spins[i, 0] * spins[j, 0] + spins[i, 1] * spins[j, 1]
        cross = spins[i, 0] * spins[j, 1] - spins[i, 1] * spins[j, 0]
        if n == 3:
            dot += spins[i, 2] * spins[j, 2]
        energy -= couplings[b] * dot
        for a in range(n_axes):
            turning = couplings[b] * lengths[a, b]
            if turning != 0.0:
                cosine[a] += turning * lengths[a, b] * dot
                sines[a, 0] += turning * cross
                if n == 3:
                    sines[a, 1] += turning * (spins[i, 1] * spins[j, 2] - spins[i, 2] * spins[j, 1])
                    sines[a, 2] += turning * (spins[i, 2] * spins[j, 0] - spins[i, 0] * spins[j, 2])
    for i in range(n_sites):
        energy -= fields[i] * spins[i, axis]
    for k in range(out.size):
        out[k] = 0.0
    for a in range(n_axes):
        of_axis = 2.0 * cosine[a] / (n * n_sites)
        square = sines[a, 0] ** 2 + sines[a, 1] ** 2 + sines[a, 2] ** 2
        square *= 2.0 / (n * (n - 1) * n_sites)
        out[0] += of_axis / n_axes
        out[1] += square / n_axes
        if out.size > 2:
            out[2 + 2 * a], out[3 + 2 * a] = of_axis, square
    return energy


@njit(nogil=True, cache=True)
def _order(spins, signs, axis, cosines, sines, out):
    """The component along the field, |m|, m^2, m^4, N m^2 and the correlators, of the spins times `signs`."""
    n_sites, n = spins.shape[0] - 1, spins.shape[1]
    waves, component = np.empty(out.size - 5), np.empty(n_sites)
    for k in range(out.size):
        out[k] = 0.0
    for c in range(n):
        total = 0.0
        for i in range(n_sites):
            component[i] = spins[i, c] * signs[i] if signs.size > 0 else spins[i, c]
            total += component[i]
        mean = total / n_sites
        if c == axis:
            out[0] = mean
        out[2] += mean * mean
        lowest_correlators(component, cosines, sines, waves)
        for k in range(waves.size):
            out[5 + k] += waves[k]
    out[1] = math.sqrt(out[2])
    out[3] = out[2] * out[2]
    out[4] = n_sites * out[2]


@njit(nogil=True, cache=True)
def _angles(spins):
    """Angles in [-pi, pi) of spins with two components."""
    angles = np.empty(spins.shape[0] - 1)
    for i in range(angles.size):
        angle = math.atan2(spins[i, 1], spins[i, 0])
        angles[i] = angle if angle < math.pi else -math.pi
    return angles


@njit(nogil=True, cache=True)
def _vorticity(angles, plaquettes, phases):
    """Mean over the plaquettes of the size of the winding number."""
    total = 0.0
    for p in range(plaquettes.shape[0]):
        turns = 0.0
        for k in range(4):
            step = angles[plaquettes[p, (k + 1) % 4]] - angles[plaquettes[p, k]] - phases[p, k]
            turns += step - _TURN * math.floor(step / _TURN + 0.5)
        total += abs(turns)
    return total / (_TURN * plaquettes.shape[0])


@njit(nogil=True, cache=True)
def _keep(spins, angles, order, kept):
    n = spins.shape[1]
    for i in range(order.size):
        if n == 2:
            kept[order[i]] = angles[i]
        else:
            for c in range(n):
                kept[n * order[i] + c] = spins[i, c]
