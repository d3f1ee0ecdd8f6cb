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

The mean of a over the trials is the normaliser of exp(-e) rho(r) / r^{D-1}, without bias and noisy.

References
----------
Rosenbluth, Rosenbluth, J. Chem. Phys. 23, 356 (1955) (weights of chains grown from trials).
Frenkel, Smit, Understanding Molecular Simulation, 2nd ed. (2002), chapter 13 (configurational bias).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.random.xoshiro import uniform
from edgphys.systems.particles.mean_free import ANY_ORDER

__all__ = ["UNIFORM_SHARE", "draw_trials"]

# Of directions that know of no contact: large enough that no weight of a trial is large.
UNIFORM_SHARE = 0.2
# Trials so far below the best in log a do not change a sum of float64.
_NEGLIGIBLE = 45.0
_LEAST_MASS = 1e-6


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _law(table, per_length, r):
    """w(r) of the pair law, linear between knots and beyond the last."""
    t = r * per_length
    i = min(int(t), len(table) - 2)
    return table[i] + (t - i) * (table[i + 1] - table[i])


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _cumulative(contact, low, per_length, d):
    """H(d), from the cumulative values at the edges of the bins."""
    n = len(contact) - 1
    t = min(max((d - low) * per_length, 0.0), float(n))
    i = min(int(t), n - 1)
    return contact[i] + (t - i) * (contact[i + 1] - contact[i])


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _bin_of(cumulative, u):
    """Largest i with cumulative[i] <= u, at most the last bin; `cumulative` starts at 0."""
    low, high = 0, len(cumulative) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if cumulative[middle] <= u:
            low = middle
        else:
            high = middle
    return low


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _radius(cumulative, log_density, edges, previous, rng):
    """r_k plus a step from the law of a row: log-linear between edges, exponential beyond the last."""
    u = uniform(rng)
    if u >= cumulative[-1]:
        return previous + edges[-1] - 0.25 * edges[-1] * math.log(1.0 - uniform(rng))
    b = _bin_of(cumulative, u)
    slope, t = log_density[b + 1] - log_density[b], uniform(rng)
    if abs(slope) > 1e-6:
        t = math.log1p(t * math.expm1(slope)) / slope
    return previous + edges[b] + (edges[b + 1] - edges[b]) * t


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _normal_pair(rng):
    size = math.sqrt(-2.0 * math.log(1.0 - uniform(rng)))
    angle = 2.0 * math.pi * uniform(rng)
    return size * math.cos(angle), size * math.sin(angle)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _uniform_direction(direction, rng):
    n_axes = len(direction)
    if n_axes == 1:
        direction[0] = 1.0 if uniform(rng) < 0.5 else -1.0
    elif n_axes == 2:
        angle = 2.0 * math.pi * uniform(rng)
        direction[0], direction[1] = math.cos(angle), math.sin(angle)
    else:
        angle, height = 2.0 * math.pi * uniform(rng), 2.0 * uniform(rng) - 1.0
        across = math.sqrt(max(0.0, 1.0 - height * height))
        direction[0], direction[1], direction[2] = across * math.cos(angle), across * math.sin(angle), height


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _around(direction, axis, length, cosine, rng):
    """A direction at a given angle from `axis`, of norm `length`, uniform otherwise."""
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    if len(direction) == 2:
        if uniform(rng) < 0.5:
            sine = -sine
        x, y = axis[0] / length, axis[1] / length
        direction[0], direction[1] = cosine * x - sine * y, cosine * y + sine * x
        return
    x, y, z = axis[0] / length, axis[1] / length, axis[2] / length
    a, b = _normal_pair(rng)
    c, _ = _normal_pair(rng)
    along = a * x + b * y + c * z
    a, b, c = a - along * x, b - along * y, c - along * z
    norm = sine / max(math.sqrt(a * a + b * b + c * c), 1e-300)
    direction[0], direction[1], direction[2] = (
        cosine * x + a * norm,
        cosine * y + b * norm,
        cosine * z + c * norm,
    )


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _masses(r, radii, n_placed, contact, low, per_length, lows, masses):
    """H(r + r_j) - H(|r - r_j|) of the placed ones but the centre; their sum."""
    total = 0.0
    for j in range(1, n_placed):
        below = _cumulative(contact, low, per_length, abs(r - radii[j]))
        mass = _cumulative(contact, low, per_length, r + radii[j]) - below
        lows[j], masses[j] = below, mass
        total += mass
    return total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _touch(direction, r, placed, p, radii, n_placed, contact, low, per_length, lows, masses, total, rng):
    """A direction by contact."""
    u, j = uniform(rng) * total, 1
    while j < n_placed - 1 and u >= masses[j]:
        u -= masses[j]
        j += 1
    h = lows[j] + min(u, masses[j])
    b = _bin_of(contact, h)
    d = low + (b + min(1.0, (h - contact[b]) / max(contact[b + 1] - contact[b], 1e-300))) / per_length
    cosine = (r * r + radii[j] * radii[j] - d * d) / (2.0 * r * radii[j])
    _around(direction, placed[p, j], radii[j], min(1.0, max(-1.0, cosine)), rng)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def _log_a(
    points, m, r, placed, p, radii, n_placed, law, per_length, least, contact, low, per_width, total, enough
):
    """(log a, e) of a trial; (-inf, .) of one whose log a is certain to lie below `enough`."""
    n_axes = points.shape[1]
    solid = 2.0 if n_axes == 1 else (2.0 * math.pi if n_axes == 2 else 4.0 * math.pi)
    touching = total > _LEAST_MASS and n_axes > 1
    # The largest log a that is still possible, given the energies that are yet to come.
    hope = (math.log(solid / UNIFORM_SHARE) if touching else math.log(solid)) - least * n_placed
    n_bins = len(contact) - 1
    energy, met = 0.0, 0.0
    for back in range(n_placed):
        j = n_placed - 1 - back  # the outermost first: they are the likeliest to be in the way
        square, along = 0.0, 0.0
        for a in range(n_axes):
            step = points[m, a] - placed[p, j, a]
            square += step * step
            along += points[m, a] * placed[p, j, a]
        d = math.sqrt(square)
        value = _law(law, per_length, d)
        energy += value
        hope -= value - least
        if hope < enough:
            return -np.inf, energy
        t = (d - low) * per_width
        if touching and j > 0 and 0.0 <= t < n_bins:
            i = int(t)
            density = (contact[i + 1] - contact[i]) * radii[j] / d
            if n_axes == 2:
                cosine = along / (r * radii[j])
                density *= math.sqrt(max(0.0, 1.0 - cosine * cosine))
            met += density
    if not touching:
        return math.log(solid) - energy, energy
    met *= (1.0 - UNIFORM_SHARE) * per_width * r / total / (2.0 * math.pi if n_axes == 3 else 2.0)
    return -energy - math.log(met + UNIFORM_SHARE / solid), energy


@njit(nogil=True, cache=True, error_model="numpy", fastmath=ANY_ORDER)
def draw_trials(
    placed, n_placed, previous, radial, edges, n_trials, law, contact, given, rng, picks, energies
):
    """Trials of every row, and picks among them; returns log of the mean of a, shape (n_rows,).

    Parameters
    ----------
    placed : float64 array, shape (n_rows, n_particles, n_axes)
        The centre, at the origin, first.
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
        Whether the first pick of every row is a position that is given: it is then the first trial too.
    rng : uint64 array, shape (4,)
    picks : float64 array, shape (n_rows, n_picks, n_axes)
        Overwritten but for what is given.
    energies : float64 array, shape (n_rows, n_picks)
        e of the picks; overwritten.
    """
    n_rows, n_picks, n_axes = picks.shape
    most = n_trials.max()
    table, per_length, least = law
    contacts, low, per_width = contact
    cumulative, log_density = radial
    points, log_a, all_energies = np.empty((most, n_axes)), np.empty(most), np.empty(most)
    sums, log_means, direction = np.empty(most), np.empty(n_rows), np.empty(n_axes)
    n_particles = placed.shape[1]
    radii, lows, masses = np.empty(n_particles), np.empty(n_particles), np.empty(n_particles)
    for p in range(n_rows):
        n, n_here, best = n_trials[p], n_placed[p], -np.inf
        for j in range(n_here):
            radii[j] = math.sqrt((placed[p, j] * placed[p, j]).sum())
        for m in range(n):
            is_given = given and m == 0
            if is_given:
                square = 0.0
                for a in range(n_axes):
                    points[0, a] = picks[p, 0, a]
                    square += points[0, a] * points[0, a]
                r = math.sqrt(square)
            else:
                r = _radius(cumulative[p], log_density[p], edges[n_here - 1], previous[p], rng)
            total = _masses(r, radii, n_here, contacts, low, per_width, lows, masses)
            if not is_given:
                if total > _LEAST_MASS and n_axes > 1 and uniform(rng) >= UNIFORM_SHARE:
                    _touch(
                        direction,
                        r,
                        placed,
                        p,
                        radii,
                        n_here,
                        contacts,
                        low,
                        per_width,
                        lows,
                        masses,
                        total,
                        rng,
                    )
                else:
                    _uniform_direction(direction, rng)
                for a in range(n_axes):
                    points[m, a] = r * direction[a]
            enough = -np.inf if is_given else best - _NEGLIGIBLE
            log_a[m], all_energies[m] = _log_a(
                points,
                m,
                r,
                placed,
                p,
                radii,
                n_here,
                table,
                per_length,
                least,
                contacts,
                low,
                per_width,
                total,
                enough,
            )
            best = max(best, log_a[m])
        running = 0.0
        for m in range(n):
            running += math.exp(log_a[m] - best)
            sums[m] = running
        log_means[p] = best + math.log(running / n)
        for m in range(n_picks):
            chosen = 0
            if m > 0 or not given:
                u = uniform(rng) * running
                chosen = min(np.searchsorted(sums[:n], u, side="right"), n - 1)
            picks[p, m], energies[p, m] = points[chosen], all_energies[chosen]
    return log_means
