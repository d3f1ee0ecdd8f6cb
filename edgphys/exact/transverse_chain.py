# SPDX-License-Identifier: MIT
r"""The Ising chain in a transverse field, of any length and at any temperature, by free fermions.

    H = -J sum_i sz_i sz_{i+1} - Gamma sum_i sx_i

Open chain: modes of energies e_k, the singular values of the matrix with 2 Gamma on the diagonal and 2 J
above it; Z = prod_k 2 cosh(beta e_k / 2).

Ring: the parity P = prod_i sx_i = +1 or -1 is conserved. With e(q) = 2 sqrt(J^2 + Gamma^2 - 2 J Gamma cos q),

    Z_P = [ prod_q 2 cosh(beta e(q) / 2)  +  P prod_q 2 sinh(beta e(q) / 2) ] / 2,     Z = Z_+ + Z_-

over q = (2 m + 1) pi / N for P = +1 and q = 2 m pi / N for P = -1, where e(0) = 2 (Gamma - J) and e(pi) =
2 (Gamma + J) keep their signs.

At a time step tau = beta / n the same with tau e replaced by g, cosh g = cosh 2 tau J cosh 2 tau Gamma -
sinh 2 tau J sinh 2 tau Gamma cos q: the trace of (exp(tau J sum sz sz) exp(tau Gamma sum sx))^n, exactly.

References
----------
Lieb, Schultz and Mattis, Ann. Phys. 16, 407 (1961), doi:10.1016/0003-4916(61)90115-4. Katsura, Phys. Rev.
127, 1508 (1962), doi:10.1103/PhysRev.127.1508. Pfeuty, Ann. Phys. 57, 79 (1970),
doi:10.1016/0003-4916(70)90270-8.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_SITES", "estimates", "log_z"]

MOST_SITES = 4096
_STEP = 1e-30  # of complex derivatives: exact to rounding
_DIFFERENCE = 1e-4  # of the second derivative, relative to beta; errors of order four


def log_z(
    n_sites: int,
    temperature: float,
    field: float,
    coupling: float,
    *,
    ring: bool,
    n_slices: int | None = None,
) -> float:
    """log of Z, natural logarithm.

    Parameters
    ----------
    n_sites : int
        From 2, or 3 on a ring, to `MOST_SITES`.
    temperature, field, coupling : float
        T (k_B = 1), Gamma > 0 and J, of either sign.
    ring : bool
        Periodic or open.
    n_slices : int, optional
        Of a path integral of ``1 / (temperature n_slices)`` a step, a ring only; default: no time step.

    Examples
    --------
    >>> round(log_z(2, 1.0, 0.5, 0.0, ring=False), 12) == round(2 * math.log(2 * math.cosh(0.5)), 12)
    True
    """
    return float(_log_z(n_sites, 1.0 / temperature, field, coupling, ring, n_slices).real)


def estimates(
    n_sites: int, temperature: float, field: float, coupling: float, *, ring: bool
) -> dict[str, float]:
    """log_z, free_energy, energy, specific_heat (per site) and transverse_magnetization, without a time step.

    Derivatives of log Z: by complex steps, the second one by differences of the first.
    """
    of_beta = functools.partial(_log_z, n_sites, gamma=field, j=coupling, ring=ring, n_slices=None)
    beta = 1.0 / temperature

    def energy(b: float) -> float:
        return -of_beta(b + 1j * _STEP).imag / _STEP

    h = _DIFFERENCE * beta
    slope = (8 * (energy(beta + h) - energy(beta - h)) - energy(beta + 2 * h) + energy(beta - 2 * h)) / (
        12 * h
    )
    value = float(of_beta(beta).real)
    tilted = _log_z(n_sites, beta, field + 1j * _STEP, coupling, ring, None)
    return {
        "log_z": value,
        "free_energy": -temperature * value,
        "energy": energy(beta),
        "specific_heat": -(beta**2) * slope / n_sites,
        "transverse_magnetization": tilted.imag / (_STEP * n_sites * beta),
    }


def _log_z(n: int, beta, gamma, j: float, ring: bool, n_slices: int | None) -> complex:
    """log Z at complex beta or Gamma."""
    if not ring:
        modes = _open_modes(n, gamma, j)
        return complex(np.sum(_log_2cosh(0.5 * beta * modes)))
    even, odd = ((np.arange(n) + shift) * (2.0 * math.pi / n) for shift in (0.5, 0.0))
    logs, signs = [], []
    for parity, q in ((1.0, even), (-1.0, odd)):
        half = _half_modes(q, beta, gamma, j, n_slices)
        logs += [np.sum(_log_2cosh(half)), np.sum(_log_2cosh(half) + _log_tanh(half))]
        signs += [1.0, parity * np.prod(np.where(np.real(half) < 0.0, -1.0, 1.0))]
    terms = np.array(logs)
    top = np.max(np.real(terms))
    return complex(top + np.log(np.sum(np.array(signs) * np.exp(terms - top))) - math.log(2.0))


def _half_modes(q: NDArray, beta, gamma, j: float, n_slices: int | None) -> NDArray:
    """beta e(q) / 2, or n g / 2, with the signs of the modes 0 and pi."""
    alone = {0.0: gamma - j, math.pi: gamma + j}
    if n_slices is None:
        modes = 2.0 * np.sqrt(np.asarray(j**2 + gamma**2 - 2.0 * j * gamma * np.cos(q), complex))
        scale = 0.5 * beta
    else:
        a, b = 2.0 * beta * j / n_slices, 2.0 * beta * gamma / n_slices
        # sinh^2(g / 2) = sinh^2((a - b) / 2) + sinh a sinh b sin^2(q / 2): no cosh of nearly 1
        square = np.sinh(0.5 * (a - b)) ** 2 + np.sinh(a) * np.sinh(b) * np.sin(0.5 * q) ** 2
        modes, scale = 2.0 * np.arcsinh(np.sqrt(np.asarray(square, complex))), 0.5 * n_slices
        alone = {one: 2.0 * beta / n_slices * value for one, value in alone.items()}
    for at, value in alone.items():
        signed = 2.0 * value if n_slices is None else value
        modes = np.where(np.abs(q - at) < 1e-9, signed, modes)
    return scale * modes


def _open_modes(n: int, gamma, j: float) -> NDArray:
    """Singular values; with their derivatives by Gamma where it has an imaginary part."""
    left, values, right = np.linalg.svd(2.0 * (gamma.real * np.eye(n) + j * np.eye(n, k=1)))
    slopes = 2.0 * np.einsum("ik,ki->k", left, right)
    return values + 1j * gamma.imag * slopes


def _log_2cosh(x: NDArray) -> NDArray:
    size = np.where(np.real(x) < 0.0, -x, x)
    return size + np.log1p(np.exp(-2.0 * size))


def _log_tanh(x: NDArray) -> NDArray:
    """log tanh |x|; -inf at 0."""
    with np.errstate(divide="ignore"):
        return np.log(np.tanh(np.where(np.real(x) < 0.0, -x, x)))
