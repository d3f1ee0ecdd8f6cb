# SPDX-License-Identifier: MIT
r"""Trial positions of the next particle of a cluster, where it would touch those that are placed.

With the centre particle at the origin and the others placed at R_1, .., R_k in the order of their distances,
a trial t = r n has a radius r of a given law rho on r > r_k, and its direction n by contact: a placed one
j chosen by the mass of the law h of contact distances that r allows, the distance from it from h within
|r - r_j| < d < r + r_j, the rest uniform; a share of directions is uniform. Per solid angle in D dimensions

    g(n) = (1 - eps) sum_j h(d_j) J_j / sum_j [H(r + r_j) - H(|r - r_j|)] + eps / S_D,
    J_j = r r_j / d_j  times  1 / 2 pi (D = 3)  or  |sin theta_j| / 2 (D = 2),

and uniform where nothing is in reach, or D = 1. With the energy e(t) of the trial and the placed ones,

    a(t) = exp(-e(t)) / g(n),      picks: t_m chosen from all trials with probability a / sum a .

The mean of a over the trials is the normaliser of exp(-e) rho(r) / r^{D-1}, without bias and noisy. Less so
in strata: the radius of trial m of M lies in the m-th of M equally likely parts of rho, and pick l of L in
the l-th of L equal parts of the sums of a. A given position is then the trial of the stratum its radius lies
in, and a pick of the parts its own share of the sums overlaps.

References
----------
Rosenbluth, Rosenbluth, J. Chem. Phys. 23, 356 (1955) (weights of chains grown from trials).
Frenkel, Smit, Understanding Molecular Simulation, 2nd ed. (2002), chapter 13 (configurational bias).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.edg.growth.radial_law import TAIL
from edgphys.mcmc.random.xoshiro import uniform
from edgphys.systems.particles.mean_free import ANY_ORDER

__all__ = ["UNIFORM_SHARE", "coordinates", "draw_trials"]

# Of directions that know of no contact: large enough that no weight of a trial is large.
UNIFORM_SHARE = 0.2
# Trials so far below the best in log a do not change a sum of float64.
_NEGLIGIBLE = 45.0
_LEAST_MASS = 1e-6
# Placed particles whose energies are summed before it is looked whether a trial still counts.
_BLOCK = 16
_N_GUIDE = 256


@njit(nogil=True, cache=True, error_model="numpy")
def _padded(contact):
    """H at the edges of bins and its rise in each, with one more bin, where it is even, on either side."""
    n = len(contact) - 1
    padded = np.zeros((2, n + 2))
    padded[0, 1 : n + 2] = contact
    padded[1, 1 : n + 1] = np.diff(contact)
    return padded


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _cumulative(padded, before, per_length, d):
    """H(d); `before` is the first edge of the bin that was added."""
    t = (d - before) * per_length
    i = min(max(np.int32(t), np.int32(0)), np.int32(padded.shape[1] - 1))
    return padded[0, i] + (t - i) * padded[1, i]


@njit(nogil=True, cache=True, error_model="numpy")
def _guide(contact):
    """The bin of evenly spaced values of H, from which one goes up to that of a value."""
    n, guide = len(contact) - 1, np.empty(_N_GUIDE, dtype=np.int32)
    i = 0
    for g in range(_N_GUIDE):
        while i < n - 1 and contact[i + 1] <= g / _N_GUIDE:
            i += 1
        guide[g] = i
    return guide


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _bin_of(cumulative, u):
    """Largest i with cumulative[i] <= u, at most the last bin; `cumulative` starts at 0."""
    low, n = 0, len(cumulative) - 1
    while n > 1:  # without a branch that depends on u
        half = n // 2
        low += half * (cumulative[low + half] <= u)
        n -= half
    return low


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _radius(cumulative, log_density, edges, previous, u):
    """r_k plus the step below which a part u of a row lies: log-linear, exponential beyond the last edge."""
    if u >= cumulative[-1]:
        beyond = max((1.0 - u) / (1.0 - cumulative[-1]), 1e-300)
        return previous + edges[-1] - TAIL * edges[-1] * math.log(beyond)
    b = _bin_of(cumulative, u)
    slope = log_density[b + 1] - log_density[b]
    t = (u - cumulative[b]) / max(cumulative[b + 1] - cumulative[b], 1e-300)
    if abs(slope) > 1e-6:
        t = math.log1p(t * math.expm1(slope)) / slope
    return previous + edges[b] + (edges[b + 1] - edges[b]) * t


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _part_below(cumulative, log_density, edges, step):
    """The part of a row below a step: inverse of `_radius`."""
    if step >= edges[-1]:
        return 1.0 - (1.0 - cumulative[-1]) * math.exp((edges[-1] - step) / (TAIL * edges[-1]))
    b = _bin_of(edges, step)
    slope = log_density[b + 1] - log_density[b]
    t = max(step - edges[b], 0.0) / (edges[b + 1] - edges[b])
    if abs(slope) > 1e-6:
        t = math.expm1(slope * t) / math.expm1(slope)
    return cumulative[b] + (cumulative[b + 1] - cumulative[b]) * t


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _uniform_direction(n_axes, rng):
    u = uniform(rng)
    if n_axes == 1:
        return (1.0 if u < 0.5 else -1.0), 0.0, 0.0
    angle = 2.0 * math.pi * u
    if n_axes == 2:
        return math.cos(angle), math.sin(angle), 0.0
    height = 2.0 * uniform(rng) - 1.0
    across = math.sqrt(max(0.0, 1.0 - height * height))
    return across * math.cos(angle), across * math.sin(angle), height


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _around(x, y, z, cosine, n_axes, rng):
    """A direction at a given angle from the direction (x, y, z), uniform otherwise."""
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    if n_axes == 2:
        if uniform(rng) < 0.5:
            sine = -sine
        return cosine * x - sine * y, cosine * y + sine * x, 0.0
    # Two directions across, of a basis that is smooth but at one pole.
    sign = 1.0 if z >= 0.0 else -1.0
    a = -1.0 / (sign + z)
    b = x * y * a
    angle = 2.0 * math.pi * uniform(rng)
    first, second = sine * math.cos(angle), sine * math.sin(angle)
    return (
        cosine * x + first * (1.0 + sign * x * x * a) + second * b,
        cosine * y + first * sign * b + second * (sign + y * y * a),
        cosine * z - first * sign * x - second * y,
    )


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _masses(r, near, contact):
    """H(r + r_j) - H(|r - r_j|) of those in reach; their sum."""
    _, radii, lows, masses, n_reach = near
    _, padded, _, low, per_length = contact
    before, total = low - 1.0 / per_length, 0.0
    for j in range(n_reach):
        below = _cumulative(padded, before, per_length, abs(r - radii[j]))
        mass = _cumulative(padded, before, per_length, r + radii[j]) - below
        lows[j], masses[j] = below, mass
        total += mass
    return total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _touch(r, near, contact, total, n_axes, rng):
    """A direction by contact."""
    towards, radii, lows, masses, n_reach = near
    edges, _, guide, low, per_length = contact
    u, j = uniform(rng) * total, 0
    while j < n_reach - 1 and u >= masses[j]:
        u -= masses[j]
        j += 1
    h = lows[j] + min(u, masses[j])
    b = guide[min(max(int(h * _N_GUIDE), 0), _N_GUIDE - 1)]
    while b < len(edges) - 2 and edges[b + 1] <= h:
        b += 1
    d = low + (b + min(1.0, (h - edges[b]) / max(edges[b + 1] - edges[b], 1e-300))) / per_length
    r_j = radii[j]
    cosine = min(1.0, max(-1.0, (r * r + r_j * r_j - d * d) / (2.0 * r * r_j)))
    return _around(towards[0, j], towards[1, j], towards[2, j], cosine, n_axes, rng)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _energy(x, y, z, at, n_placed, law, allowed, distances):
    """Pair energies of a position, whose distances are kept; inf where they are certain to pass `allowed`."""
    table, per_length, least = law
    last, energy, start = np.int32(len(table) - 2), 0.0, 0
    while start < n_placed:
        stop = min(start + _BLOCK, n_placed)
        for j in range(start, stop):
            a, b, c = x - at[0, j], y - at[1, j], z - at[2, j]
            d = math.sqrt(a * a + b * b + c * c)
            distances[j] = d
            t = d * per_length
            i = min(np.int32(t), last)
            energy += table[i] + (t - i) * (table[i + 1] - table[i])
        if energy + least * (n_placed - stop) > allowed:
            return np.inf
        start = stop
    return energy


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _met(r, near, distances, contact, n_axes):
    """sum_j h(d_j) r_j / d_j of those in reach, in a plane times |sin theta_j|."""
    _, radii, _, _, n_reach = near
    edges, _, _, low, per_length = contact
    n_bins, met = np.int32(len(edges) - 1), 0.0
    for j in range(n_reach):
        d, r_j = distances[j], radii[j]
        t = (d - low) * per_length
        i = min(max(np.int32(t), np.int32(0)), n_bins - np.int32(1))
        density = (edges[i + 1] - edges[i]) * r_j / d
        if n_axes == 2:
            cosine = (r * r + r_j * r_j - d * d) / (2.0 * r * r_j)
            density *= math.sqrt(max(0.0, 1.0 - cosine * cosine))
        met += density if 0.0 <= t < n_bins else 0.0
    return met * per_length


@njit(nogil=True, cache=True, error_model="numpy")
def coordinates(point):
    """Three of them, the missing ones 0."""
    n_axes = len(point)
    return point[0], point[1] if n_axes > 1 else 0.0, point[2] if n_axes > 2 else 0.0


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _pick(points, all_energies, sums, given, rng, picks, energies):
    """Picks, one in each part of the sums of a; that of a trial that is given, or -1, is the first."""
    n, n_picks, own = len(sums), len(picks), -1
    if given >= 0:
        below = sums[given - 1] if given > 0 else 0.0
        u = below + uniform(rng) * (sums[given] - below)
        own = min(int(u / sums[-1] * n_picks), n_picks - 1)
    chosen = 0
    for m in range(n_picks):
        if m == own:
            energies[0] = all_energies[given]
            continue
        u = (m + uniform(rng)) / n_picks * sums[-1]
        while chosen < n - 1 and sums[chosen] <= u:
            chosen += 1
        to = m + 1 if m < own else m
        for a in range(picks.shape[1]):
            picks[to, a] = points[chosen, a]
        energies[to] = all_energies[chosen]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def draw_trials(
    placed, n_placed, previous, radial, edges, n_trials, law, contact, given, rng, picks, energies
):
    """Trials of every row, and picks among them; returns log of the mean of a, shape (n_rows,).

    Parameters
    ----------
    placed : float64 array, shape (n_rows, n_particles, n_axes)
        The centre, at the origin, first, the others in the order of their distances.
    n_placed, n_trials : int64 array, shape (n_rows,)
        Particles placed, the centre among them, and trials.
    previous : float64 array, shape (n_rows,)
        r_k; 0 before the first.
    radial : tuple of float64 arrays, shape (n_rows, n_edges)
        Cumulative law of r - r_k at `edges`, and log of its density there; see `_radius`.
    edges : float64 array, shape (n_particles - 1, n_edges)
        By the number of those placed but one.
    law : tuple of (float64 array, float, float)
        Pair law at equidistant distances from 0, their number per length, and its least value.
    contact : tuple of (float64 array, float, float)
        Cumulative law of contact distances at the edges of bins, the first edge, and bins per length.
    given : bool
        Whether the first pick of every row is a position that is given: it is then one of the trials too.
    rng : uint64 array, shape (4,)
    picks : float64 array, shape (n_rows, n_picks, n_axes)
        Overwritten but for what is given.
    energies : float64 array, shape (n_rows, n_picks)
        e of the picks; overwritten.
    """
    n_rows, _, n_axes = picks.shape
    most, n_particles = n_trials.max(), placed.shape[1]
    edges_of_contact, low, per_width = contact
    contact_law = edges_of_contact, _padded(edges_of_contact), _guide(edges_of_contact), low, per_width
    reach = low + (len(edges_of_contact) - 1) / per_width
    cumulative, log_density = radial
    points, log_a, all_energies = np.empty((most, 3)), np.empty(most), np.empty(most)
    sums, log_means, at = np.empty(most), np.empty(n_rows), np.zeros((3, n_particles))
    radii, distances = np.empty(n_particles), np.empty(n_particles)
    lows, masses, towards = np.empty(n_particles), np.empty(n_particles), np.zeros((3, n_particles))
    solid = 2.0 if n_axes == 1 else (2.0 * math.pi if n_axes == 2 else 4.0 * math.pi)
    most_hope = math.log(solid / UNIFORM_SHARE) + _NEGLIGIBLE
    across = (1.0 - UNIFORM_SHARE) / (2.0 * math.pi if n_axes == 3 else 2.0)
    for p in range(n_rows):
        n, n_here, best, n_reach = n_trials[p], n_placed[p], -np.inf, 0
        # The outermost first: they are the likeliest to be in the way, and in reach of contacts.
        for j in range(n_here):
            x, y, z = coordinates(placed[p, n_here - 1 - j])
            at[0, j], at[1, j], at[2, j] = x, y, z
            radii[j] = math.sqrt(x * x + y * y + z * z)
            if j < n_here - 1:
                towards[:, j] = at[:, j] / radii[j]
                n_reach += radii[j] + reach > previous[p]
        near = towards, radii, lows, masses, n_reach
        row = cumulative[p], log_density[p], edges[n_here - 1]
        own, own_r = -1, 0.0
        if given:
            x, y, z = coordinates(picks[p, 0])
            own_r = math.sqrt(x * x + y * y + z * z)
            own = min(int(n * _part_below(*row, own_r - previous[p])), n - 1)
        for m in range(n):
            if m == own:
                x, y, z = coordinates(picks[p, 0])
                r = own_r
            else:
                r = _radius(*row, previous[p], (m + uniform(rng)) / n)
            total = _masses(r, near, contact_law)
            touching = total > _LEAST_MASS and n_axes > 1
            if m != own:
                if touching and uniform(rng) >= UNIFORM_SHARE:
                    x, y, z = _touch(r, near, contact_law, total, n_axes, rng)
                else:
                    x, y, z = _uniform_direction(n_axes, rng)
                x, y, z = r * x, r * y, r * z
            # The largest e that still gives a share of the sum.
            allowed = most_hope - best if m != own else np.inf
            energy = _energy(x, y, z, at, n_here, law, allowed, distances)
            density = 1.0 / solid
            if touching and energy < np.inf:
                met = _met(r, near, distances, contact_law, n_axes)
                density = across * met * r / total + UNIFORM_SHARE / solid
            points[m, 0], points[m, 1], points[m, 2] = x, y, z
            log_a[m], all_energies[m] = -energy - math.log(density), energy
            best = max(best, log_a[m])
        running = 0.0
        for m in range(n):
            running += math.exp(log_a[m] - best)
            sums[m] = running
        log_means[p] = best + math.log(running / n)
        _pick(points, all_energies, sums[:n], own, rng, picks[p], energies[p])
    return log_means
