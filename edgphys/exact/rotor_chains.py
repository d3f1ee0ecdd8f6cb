# SPDX-License-Identifier: MIT
r"""Chains of spins with two and three components, exactly, by expansion in waves.

A bond with K = beta J is diagonal in the waves of the sphere, a site with b = beta h in a field is not:

    exp(K cos f) = sum_k I_k(K) e^{ikf}                 eigenvalues 2 pi I_k(K), k any integer
    exp(K S.S')  = sum_l (2 l + 1) i_l(K) P_l(S.S')     eigenvalues 4 pi i_l(K), each 2 l + 1 times

with I_k the modified Bessel functions and i_l the modified spherical ones. So without a field

    ring    Z = sum_k prod_b 2 pi I_k(K_b),     Z = sum_l (2 l + 1) prod_b 4 pi i_l(K_b)
    open    Z = 2 pi prod_b 2 pi I_0(K_b),      Z = 4 pi prod_b 4 pi i_0(K_b)

and in a field Z is the trace of (D F)^N, or an element of F (D F)^{N-1}, with D the eigenvalues and F the
matrix of exp(b S^a) between the waves, which conserves m for three components. A twist of the ring by an
angle d for each bond gives each wave the factor e^{ikNd}, or of its 2 l + 1 partners sum_m e^{imNd}, from
which the helicity modulus (`edgphys.systems.lattice.rotors.measurements`) follows:

    Y = N T <k^2>,     Y = N T <l (l + 1) / 3>.

Energies are derivatives in beta, carried along as power series.

References
----------
Joyce, Phys. Rev. 155, 478 (1967), doi:10.1103/PhysRev.155.478 (the closed chain).
Fisher, Am. J. Phys. 32, 343 (1964), doi:10.1119/1.1970340 (the open chain).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import scipy.special
from numpy.typing import NDArray

from edgphys.errors import NotExactError
from edgphys.exact.matrix_series import series_power, series_product

__all__ = ["MAX_WAVES", "chain", "cylinder_waves", "free", "n_waves"]

# Equal partners, the waves, and the series of the matrix between them.
_Block = tuple[float, NDArray, NDArray]
# Largest wave number: what a matrix in a field, and a table without one, hold.
MAX_WAVES = 200
# A sum of terms of both signs that has lost so many of its digits is not exact.
_MOST_LOST = 1e4


def n_waves(strength: float) -> int:
    """Wave number from which on I_k(K) / I_0(K), about exp(-k^2 / 2K), is below rounding, K <= strength."""
    return int(10 + math.sqrt(90.0 * strength) + 0.1 * strength**0.5)


def chain(
    n_components: int,
    temperature: float,
    couplings: NDArray[np.float64],
    field: float = 0.0,
    *,
    is_ring: bool,
) -> dict[str, float]:
    """Results of a chain of rotors.

    Parameters
    ----------
    n_components : int
        2 or 3.
    temperature : float
        Positive, k_B = 1.
    couplings : float64 array, shape (n_bonds,)
        J of the bonds along the chain; all alike where there is a field.
    field : float
        h.
    is_ring : bool
        Whether the last bond closes the chain.

    Returns
    -------
    dict of float
        ``log_z``, ``free_energy``, ``energy``, ``specific_heat`` and ``magnetization``; on a ring without
        field ``helicity_modulus``.

    Raises
    ------
    NotExactError
        If the temperature is too low for the waves, or the signs of a frustrated ring cancel.

    Examples
    --------
    >>> exact = chain(2, 1.0, np.ones(3), is_ring=False)      # four spins in a row
    >>> abs(exact["log_z"] - math.log(2 * math.pi * (2 * math.pi * scipy.special.iv(0, 1.0)) ** 3)) < 1e-12
    True
    """
    beta = 1.0 / temperature
    n_sites = len(couplings) + (0 if is_ring else 1)
    strongest = beta * float(np.abs(couplings).max(initial=0.0)) + beta * abs(field)
    if n_waves(strongest) > MAX_WAVES:
        raise NotExactError(f"temperature must be higher for {MAX_WAVES} waves, got {temperature:g}")
    if field == 0.0:
        log_z, series, waves = _without_field(n_components, beta, couplings, is_ring)
        magnetization = 0.0
    else:
        about = n_components, n_sites, is_ring, beta * float(couplings[0]), beta * field
        log_z, series = _in_field(*about, float(couplings[0]), field)
        magnetization = _in_field(*about, 0.0, 1.0)[1][1] / n_sites
        waves = None
    first, second = series[1], 2.0 * series[2]
    results = {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": -first,
        "specific_heat": beta**2 * (second - first**2) / n_sites,
        "magnetization": magnetization,
    }
    if waves is not None and is_ring:
        results["helicity_modulus"] = n_sites * temperature * waves
    return {name: float(value) for name, value in results.items()}


def free(n_components: int, temperature: float, fields: NDArray[np.float64]) -> dict[str, float]:
    """Results of spins without couplings, each in a field of its own, shape (n_sites,)."""
    beta, total = 1.0 / temperature, np.zeros(4)
    for field, n in zip(*np.unique(fields, return_counts=True), strict=True):
        if field != 0.0:
            about = n_components, 1, False, 0.0, beta * field, 0.0
            log_z, (_, first, half_second) = _in_field(*about, field)
            mean = _in_field(*about, 1.0)[1][1]
            total += n * np.array([log_z, -first, 2.0 * half_second - first**2, mean])
        else:
            total[0] += n * math.log(_area(n_components))
    log_z, energy, variance, moment = total.tolist()
    return {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": 0.0 + energy,
        "specific_heat": beta**2 * variance / len(fields),
        "magnetization": moment / len(fields),
    }


def cylinder_waves(strength: float, slope: float, n: int) -> NDArray[np.float64]:
    """Series of exp(-|K|) I_k(K + slope t) to second order in t, k = -n .. n, shape (3, 2 n + 1)."""
    k = np.abs(np.arange(-n - 2, n + 3))
    value = scipy.special.ive(k, abs(strength)) * np.where(strength < 0.0, (-1.0) ** k, 1.0)
    first = 0.5 * (value[:-2] + value[2:])
    second = 0.5 * (first[:-2] + first[2:])
    return np.stack([value[2:-2], slope * first[1:-1], 0.5 * slope**2 * second])


def _sphere_waves(strength: float, slope: float, n: int) -> NDArray[np.float64]:
    """Series of exp(-|K|) i_l(K + slope t) to second order in t, l = 0 .. n, shape (3, n + 1)."""
    degree, k = np.arange(n + 3), abs(strength)
    if k > 0.0:
        value = math.sqrt(0.5 * math.pi / k) * scipy.special.ive(degree + 0.5, k)
    else:
        value = (degree == 0).astype(float)
    value = value * np.where(strength < 0.0, (-1.0) ** degree, 1.0)

    def derivative(of: NDArray) -> NDArray:
        degrees = np.arange(len(of) - 1)
        before = np.concatenate([[0.0], of[:-2]])
        return (degrees * before + (degrees + 1) * of[1:]) / (2 * degrees + 1)

    first = derivative(value)
    second = derivative(first)
    return np.stack([value[: n + 1], slope * first[: n + 1], 0.5 * slope**2 * second[: n + 1]])


def _area(n_components: int) -> float:
    return {2: 2.0 * math.pi, 3: 4.0 * math.pi}[n_components]


_WAVES = {2: cylinder_waves, 3: _sphere_waves}


def _log_series(series: NDArray, log_scale: float) -> tuple[float, NDArray]:
    """log of the scaled Z, and the series over its value: 1, log derivative, half the second moment."""
    if not series[0] > 0.0:
        raise NotExactError("temperature must be higher: the signs of a frustrated ring cancel")
    return log_scale + math.log(series[0]), series / series[0]


def _without_field(
    n_components: int, beta: float, couplings: NDArray, is_ring: bool
) -> tuple[float, NDArray, float]:
    """log Z, its series, and the mean of k^2 or l (l + 1) / 3."""
    n = n_waves(beta * float(np.abs(couplings).max(initial=0.0)))
    waves = _WAVES[n_components]
    zero = n if n_components == 2 else 0
    log_scale = 0.0
    total = np.stack([np.ones_like(waves(0.0, 0.0, n)[0]), *np.zeros((2, *waves(0.0, 0.0, n)[0].shape))])
    for coupling, count in zip(*np.unique(couplings, return_counts=True), strict=True):
        one = waves(beta * coupling, coupling, n)
        top = np.abs(one[0]).max()
        log_scale += count * (beta * abs(coupling) + math.log(_area(n_components) * top))
        total = np.stack(series_product(total, _power(one / top, int(count))))
    if not is_ring:
        log_z, series = _log_series(total[:, zero], log_scale + math.log(_area(n_components)))
        return log_z, series, 0.0
    k = np.arange(-n, n + 1) if n_components == 2 else np.arange(n + 1)
    partners, square = (1.0, k**2.0) if n_components == 2 else (2.0 * k + 1.0, k * (k + 1.0) / 3.0)
    terms = partners * total
    if np.abs(terms[0]).sum() > _MOST_LOST * terms[0].sum():
        raise NotExactError("temperature must be higher: the signs of a frustrated ring cancel")
    log_z, series = _log_series(terms.sum(axis=1), log_scale)
    return log_z, series, float((square * terms[0]).sum() / terms[0].sum())


def _power(series: NDArray, n: int) -> NDArray:
    """The n-th power, n >= 1, elementwise."""
    if n == 1:
        return series
    half = _power(series, n // 2)
    square = series_product(half, half)
    return np.stack(series_product(square, series) if n % 2 else square)


def _in_field(
    n_components: int, n_sites: int, is_ring: bool, strength: float, local: float, *slopes: float
) -> tuple[float, NDArray]:
    """log Z for K + slopes[0] t and b + slopes[1] t to the second order in t."""
    n = n_waves(abs(strength) + abs(local))
    log_scale = n_sites * abs(local) + (n_sites if is_ring else n_sites - 1) * (
        abs(strength) + math.log(_area(n_components))
    )
    diagonal = _WAVES[n_components](strength, slopes[0], n)
    total = np.zeros(3)
    for partners, kept, matrix in _FIELDS[n_components](local, slopes[1], n, not is_ring):
        # The waves of this block, and between them exp(b S^a).
        steps = series_product(diagonal[:, kept, None], matrix)
        if is_ring:
            total += partners * np.array([np.trace(one) for one in series_power(steps, n_sites)])
            continue
        power = list(matrix)
        if n_sites > 1:
            power = series_product(power, series_power(steps, n_sites - 1), np.matmul)
        zero = int(np.argmax(diagonal[0][kept]))
        total += [one[zero, zero] for one in power]
    return _log_series(total, log_scale + (0.0 if is_ring else math.log(_area(n_components))))


def _fields_of_circle(local: float, slope: float, n: int, is_open: bool) -> Iterator[_Block]:
    """The one block of waves: all."""
    k = np.arange(-n, n + 1)
    waves = cylinder_waves(local, slope, 2 * n)
    yield 1.0, np.arange(2 * n + 1), waves[:, 2 * n + k[:, None] - k[None, :]]


def _fields_of_sphere(local: float, slope: float, n: int, is_open: bool) -> Iterator[_Block]:
    """A block for each m: l = m .. n, twice where m > 0; of an open chain m = 0 alone."""
    z, weights = np.polynomial.legendre.leggauss(n + 40)
    boltzmann = np.exp(local * z - abs(local)) * weights
    for m in range(1 if is_open else n + 1):
        waves = _legendre(m, n, z)
        powers = [(slope * z) ** k / math.factorial(k) for k in range(3)]
        matrix = np.stack([(waves * (boltzmann * power)) @ waves.T for power in powers])
        yield (1.0 if m == 0 else 2.0), np.arange(m, n + 1), matrix


_FIELDS = {2: _fields_of_circle, 3: _fields_of_sphere}


def _legendre(m: int, n: int, z: NDArray) -> NDArray:
    """Associated Legendre functions with int P^2 dz = 1, l = m .. n, shape (n - m + 1, len(z))."""
    log_top = 0.5 * sum(math.log((2 * k + 1) / (2 * k)) for k in range(1, m + 1))
    rows = [math.sqrt(0.5) * np.exp(log_top + 0.5 * m * np.log1p(-(z**2)))]
    if n > m:
        rows.append(math.sqrt(2 * m + 3) * z * rows[0])
    for k in range(m + 2, n + 1):
        a = math.sqrt((4 * k * k - 1) / (k * k - m * m))
        b = math.sqrt(((k - 1) ** 2 - m * m) / (4 * (k - 1) ** 2 - 1))
        rows.append(a * (z * rows[-1] - b * rows[-2]))
    return np.array(rows)
