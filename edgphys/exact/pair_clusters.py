# SPDX-License-Identifier: MIT
r"""Few particles with a pair law, mean position removed: everything by quadrature of one pair distance.

    E = sum_{i<j} w(r_ij),      Z = int exp(-E / T) over the mean-free subspace, orthonormal coordinates

With r_i = x_i - x_1 the measure is n^{-D/2} d^D r_2 ... d^D r_n. Particle 2 is put on an axis at the distance
d, which leaves, with K(r) = exp(-w(|r|)/T) and f(r) = K(r) K(r - d e),

    Z = n^{-D/2} S_D int d^{D-1} K(d) I(d) dd
    I = 1,   int f(r),   int int f(r) K(r - r') f(r')       for n = 2, 3, 4

and S_D the surface of the unit sphere. The inner integrals are trapezoidal sums on a plane (D = 2), the last
one a convolution by FFT. Where K vanishes when particles meet, integrands are smooth, and the sums converge
faster than any power. On a line (D = 1, n = 3) the sums are Gaussian between the particles. All pairs being
alike, <E> = n_pairs <w(d)> and <E^2> = n_pairs <w(d) E>.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from edgphys.errors import NotExactError

__all__ = ["MOST_POINTS", "PairMoments", "can_integrate", "pair_moments"]

_CUTOFF = 80.0  # reduced energy of a pair, above its lowest, beyond which nothing is left
_REFINEMENTS = 7
MOST_POINTS = 1500  # along an axis of the plane

PairLaw = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class PairMoments:
    """Exact results of a small cluster.

    Attributes
    ----------
    log_z : float
        log of Z, mean-free convention.
    energy, variance : float
        <E> and the variance of E.
    distance : float
        Mean distance of a pair.
    distances, density, weights : float64 arrays, shape (n_points,)
        Nodes, the probability density of the distance of a pair there, and the weights of the quadrature: the
        average of f(r) is ``sum(weights * density * f(distances))``.
    """

    log_z: float
    energy: float
    variance: float
    distance: float
    distances: np.ndarray
    density: np.ndarray
    weights: np.ndarray


def can_integrate(n_particles: int, n_axes: int) -> bool:
    """Whether `pair_moments` has a formula.

    Examples
    --------
    >>> can_integrate(4, 2), can_integrate(2, 3), can_integrate(3, 3)
    (True, True, False)
    """
    return n_particles == 2 or (n_particles, n_axes) in ((3, 1), (3, 2), (4, 2))


def pair_moments(
    law: PairLaw,
    n_particles: int,
    n_axes: int,
    temperature: float,
    rtol: float = 1e-9,
    most_points: int = MOST_POINTS,
) -> PairMoments:
    """Exact moments of n particles in D dimensions with the pair energy `law`.

    Parameters
    ----------
    law : callable
        w(r) of a float64 array of distances; it must grow without bound at large r, and to many T at r = 0
        when there are more than two particles.
    n_particles, n_axes : int
        n and D: two particles in any D, three on a line, or three or four in the plane.
    temperature : float
        Positive, in units of the energy.
    rtol : float
        Largest change between the last two grids of Z, relative, and of <E>, its variance and the distance.
    most_points : int
        Along an axis; the time of a grid goes with the third power in the plane, with the second on a line.

    Returns
    -------
    PairMoments

    Raises
    ------
    NotExactError
        If there is no formula, the weight does not fall off, or no grid is fine enough.

    Examples
    --------
    >>> result = pair_moments(lambda r: r * r / 4, 2, 3, 1.0)      # y = (x_1 - x_2) / sqrt 2: E = |y|^2 / 2
    >>> round(result.log_z, 8), round(result.energy, 10), round(result.variance, 8)
    (2.7568156, 1.5, 1.5)
    """
    if not can_integrate(n_particles, n_axes):
        raise NotExactError(
            "exact results need 2 particles, 3 in one dimension, or 3 or 4 in two, got "
            f"{n_particles} in {n_axes} dimensions"
        )
    # On a line not all pairs can be at their best distance.
    low, near, far = _reach(law, temperature * (5.0 if (n_particles, n_axes) == (3, 1) else 1.0))
    spacing, before = (far - near) / 32.0, None
    for _ in range(_REFINEMENTS if n_particles > 2 and n_axes > 1 else 4 * _REFINEMENTS):
        if n_particles > 2 and 2.0 * far / spacing > most_points:
            break
        now = _moments(lambda r: (law(r) - low) / temperature, n_particles, n_axes, near, far, spacing)
        numbers = np.array([now.log_z, now.energy, now.variance, now.distance])
        if before is not None and np.all(np.abs(numbers - before) < rtol * np.maximum(1.0, np.abs(numbers))):
            n_pairs = n_particles * (n_particles - 1) // 2
            return PairMoments(
                now.log_z - n_pairs * low / temperature,
                n_pairs * low + temperature * now.energy,
                temperature**2 * now.variance,
                now.distance,
                now.distances,
                now.density,
                now.weights,
            )
        before, spacing = numbers, spacing / 1.5
    raise NotExactError(f"quadrature of the pair law did not converge to {rtol:g}")


def _reach(law: PairLaw, temperature: float) -> tuple[float, float, float]:
    """Lowest pair energy, and the smallest and largest distance that count."""
    r = np.geomspace(1e-4, 1e4, 20001)
    with np.errstate(all="ignore"):
        energies = np.nan_to_num(law(r), nan=np.inf)
    low = float(energies.min())
    counts = np.flatnonzero(energies < low + _CUTOFF * temperature)
    first, last = int(counts[0]), int(counts[-1])
    if last == len(r) - 1:
        raise NotExactError("exp(-E/T) does not fall off at large distances: it cannot be normalised")
    return low, 0.0 if first == 0 else float(r[first - 1]), float(r[last + 1])


def _moments(law, n_particles, n_axes, near, far, spacing) -> PairMoments:
    """Moments of the reduced pair law; sums over d on panels."""
    # The sum over d may have an edge at d = 0: panels of eight spacings.
    distances, weights = _panels(near, far, 8.0 * spacing)
    if n_particles == 2:
        inner, slope = np.ones_like(distances), np.zeros_like(distances)
    elif n_axes == 1:
        inner, slope = _line_integrals(law, distances, far, 8.0 * spacing)
    else:
        inner, slope = _plane_integrals(law, n_particles, distances, far, spacing)
    n_pairs = n_particles * (n_particles - 1) // 2
    sphere = 2.0 * math.pi ** (n_axes / 2) / math.gamma(n_axes / 2)
    pair = law(distances)
    density = weights * sphere * distances ** (n_axes - 1) * np.exp(-pair)
    z = float((density * inner).sum())
    energy = n_pairs * float((density * inner * pair).sum()) / z
    # <E w>: E = w(d) + the rest, whose average at fixed d is slope / inner
    square = n_pairs * float((density * pair * (pair * inner + slope)).sum()) / z
    return PairMoments(
        math.log(z) - 0.5 * n_axes * math.log(n_particles),
        energy,
        square - energy**2,
        float((density * inner * distances).sum()) / z,
        distances,
        density * inner / (z * weights),
        weights,
    )


def _panels(start: float, end: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian nodes and weights on panels of at most this width."""
    x, w = np.polynomial.legendre.leggauss(14)
    edges = np.linspace(start, end, math.ceil((end - start) / width) + 1)
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (1.0 + x)).ravel(), (half * w).ravel()


def _line_integrals(law, distances, far, width) -> tuple[np.ndarray, np.ndarray]:
    """As `_plane_integrals`: the third particle is beyond one of the two, or between them."""
    beyond, weights = _panels(0.0, far, width)
    inner, slope = np.empty(len(distances)), np.empty(len(distances))
    for k, d in enumerate(distances):
        share, between = d / far, beyond * d / far
        outside = _bounded(law, beyond) + _bounded(law, beyond + d)
        inside = _bounded(law, between) + _bounded(law, d - between)
        f, g = 2.0 * weights * np.exp(-outside), share * weights * np.exp(-inside)
        inner[k], slope[k] = f.sum() + g.sum(), f @ outside + g @ inside
    return inner, slope


def _plane_integrals(law, n_particles, distances, far, spacing) -> tuple[np.ndarray, np.ndarray]:
    """I(d), and the same with the energy of all pairs but (1, 2) under the integral."""
    n_u = 2 * math.ceil((far - distances[0] / 2.0) / spacing) + 1
    n_v = 2 * math.ceil(far / spacing) + 1
    u = (np.arange(n_u) - n_u // 2)[:, None] * spacing
    v = (np.arange(n_v) - n_v // 2)[None, :] * spacing
    shape = [scipy.fft.next_fast_len(2 * n - 1, real=True) for n in (n_u, n_v)]
    kernel = slope_kernel = None
    if n_particles == 4:
        near_u, near_v = (spacing * np.minimum(np.arange(n), n - np.arange(n)) for n in shape)
        energy = _bounded(law, np.hypot(near_u[:, None], near_v[None, :]))
        weight = np.exp(-energy)
        kernel, slope_kernel = scipy.fft.rfft2(weight), scipy.fft.rfft2(energy * weight)
    inner, slope = np.empty(len(distances)), np.empty(len(distances))
    for k, d in enumerate(distances):
        both = _bounded(law, np.hypot(u - d / 2, v)) + _bounded(law, np.hypot(u + d / 2, v))
        f = np.exp(-both)
        if n_particles == 3:
            inner[k], slope[k] = spacing**2 * f.sum(), spacing**2 * (both * f).sum()
            continue
        transformed = scipy.fft.rfft2(f, shape)
        around, energy_around = (
            scipy.fft.irfft2(transformed * one, shape)[:n_u, :n_v] for one in (kernel, slope_kernel)
        )
        inner[k] = spacing**4 * (f * around).sum()
        slope[k] = spacing**4 * (2.0 * both * f * around + f * energy_around).sum()
    return inner, slope


def _bounded(law, r: np.ndarray) -> np.ndarray:
    """The law, at most 600: its weight is zero there, and infinity times zero is avoided."""
    with np.errstate(all="ignore"):
        return np.minimum(np.nan_to_num(law(r), nan=600.0), 600.0)
