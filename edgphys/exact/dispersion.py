# SPDX-License-Identifier: MIT
r"""Fermion modes of the square-lattice Ising transfer matrix, with two derivatives in K.

The modes of Onsager and Kaufman are, with ``K = |J| / T``,

    cosh gamma(theta) = sinh 2K + 1/sinh 2K - cos theta.

Written with ``u = min(sinh 2K, 1/sinh 2K)``, which lies in (0, 1] and takes the same value at dual
temperatures, they become

    e^gamma = r / u,    r = a + w,    w^2 = a^2 - u^2 = b (b + 2u),
    a = 1 + u^2 - u cos theta = b + u,    b = (1 - u)^2 + 2 u sin^2(theta/2),

where nothing cancels near T_c (u = 1, small theta) and nothing overflows at either end of the temperature
scale. Every function returns a *jet*: a float64 array whose first axis holds the value, the first and the
second derivative in K.

References
----------
B. Kaufman, Phys. Rev. 76, 1232 (1949), doi:10.1103/PhysRev.76.1232, eq. (77).
L. Onsager, Phys. Rev. 65, 117 (1944), doi:10.1103/PhysRev.65.117.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["is_ordered", "log_mode", "log_shift", "mode_energy", "modulus"]


def is_ordered(k: float) -> bool:
    """Whether ``sinh 2K > 1``: below the critical temperature."""
    return k > 0.5 * math.asinh(1.0)


def modulus(k: float) -> np.ndarray:
    """Jet of ``u = min(sinh 2K, 1/sinh 2K)``, shape (3,); at T_c the branch above T_c is taken."""
    if is_ordered(k):
        u = -2.0 * math.exp(-2.0 * k) / math.expm1(-4.0 * k)
        return np.array([u, -2.0 * u * math.sqrt(1.0 + u * u), 4.0 * u * (1.0 + 2.0 * u * u)])
    u = math.sinh(2.0 * k)
    return np.array([u, 2.0 * math.cosh(2.0 * k), 4.0 * u])


def log_shift(k: float) -> np.ndarray:
    """Jet of ``ln sinh 2K`` below T_c and of 0 above it, shape (3,): what `log_mode` leaves out."""
    if not is_ordered(k):
        return np.zeros(3)
    u = modulus(k)[0]
    value = 2.0 * k + math.log1p(-math.exp(-4.0 * k)) - math.log(2.0)
    return np.array([value, 2.0 * math.sqrt(1.0 + u * u), -4.0 * u * u])


def _root(u: float, half_sine_squared: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``b``, ``a`` and ``w`` of the module docstring at every angle."""
    b = (1.0 - u) ** 2 + 2.0 * u * half_sine_squared
    return b, b + u, np.sqrt(b * (b + 2.0 * u))


def log_mode(k: float, half_sine_squared: np.ndarray) -> np.ndarray:
    """Jet of ``ln(2 r)``, i.e. of ``ln(2 sinh(2K) e^gamma)`` less twice `log_shift`.

    Parameters
    ----------
    k : float
        Positive reduced coupling.
    half_sine_squared : float64 array, shape (n_modes,)
        ``sin^2(theta / 2)``; zero is allowed away from T_c only.

    Returns
    -------
    float64 array, shape (3, n_modes)
    """
    u, u_k, u_kk = modulus(k)
    b, a, w = _root(u, half_sine_squared)
    b_u = 2.0 * half_sine_squared - 2.0 * (1.0 - u)
    d_u = b_u * (b + 2.0 * u) + b * (b_u + 2.0)
    d_uu = 2.0 * (b + 2.0 * u) + 2.0 * b_u * (b_u + 2.0) + 2.0 * b
    w_u = 0.5 * d_u / w
    w_uu = (0.5 * d_uu - w_u**2) / w
    rho_u = (b_u + 1.0 + w_u) / (a + w)
    rho_uu = (2.0 + w_uu) / (a + w) - rho_u**2
    return np.stack([np.log(2.0 * (a + w)), rho_u * u_k, rho_uu * u_k**2 + rho_u * u_kk])


def mode_energy(k: float, half_sine_squared: np.ndarray) -> np.ndarray:
    """Jet of ``gamma(theta) > 0``, shape (3, n_modes); arguments as for `log_mode`, theta not zero."""
    u = modulus(k)[0]
    b, a, w = _root(u, half_sine_squared)
    ordered = is_ordered(k)
    # Near T_c gamma is small and log1p keeps its digits; for small u the logarithm of u cannot underflow.
    gamma = np.log1p((b + w) / u) if u > 0.1 else np.log(a + w) - _log_modulus(k)
    slope = 2.0 * math.sqrt(1.0 + u * u) * (1.0 - u) * (1.0 + u) / w
    if ordered:
        return np.stack([gamma, slope, (4.0 + 4.0 * u**2 + 8.0 * u**4 - a * slope**2) / w])
    slope = -slope / u
    return np.stack([gamma, slope, (4.0 + 4.0 * u**2 + 8.0 / u**2 - a * slope**2) / w])


def _log_modulus(k: float) -> float:
    return -float(log_shift(k)[0]) if is_ordered(k) else math.log(math.sinh(2.0 * k))
