# SPDX-License-Identifier: MIT
r"""Independent sites, exactly, on any lattice: the Ising model without coupling, phi^4 without hopping.

The sum over sites has the cumulants of one site times n_sites, kappa_1 .. kappa_4, and with S = n_sites m

    <S^2> = kappa_2 + kappa_1^2,
    <S^4> = kappa_4 + 4 kappa_3 kappa_1 + 3 kappa_2^2 + 6 kappa_2 kappa_1^2 + kappa_1^4 .

Connected correlations vanish, and with them the correlation length.
"""

from __future__ import annotations

import math

import numpy as np
import scipy

from edgphys._checks import count, finite, positive
from edgphys.errors import NotExactError
from edgphys.exact.quadrature import field_grid
from edgphys.exact.ratios import binder_cumulant

__all__ = ["free_fields", "free_spins"]


def free_spins(n: int, temperature: float, field: float = 0.0) -> dict[str, float]:
    """All estimates of n Ising spins with ``H = -h sum_i s_i``.

    Parameters
    ----------
    n : int
        Sites, at least 1.
    temperature : float
        Positive, k_B = 1.
    field : float
        h, of either sign.

    Returns
    -------
    dict of float
        Names as in `edgphys.exact.enumeration.ising`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    Examples
    --------
    >>> exact = free_spins(10, temperature=1.0, field=0.5)
    >>> round(exact["log_z"] / 10 - math.log(2.0 * math.cosh(0.5)), 12), round(exact["magnetization"], 6)
    (0.0, 0.462117)
    """
    n, temperature, field = count(n, "n", 1), positive(temperature, "temperature"), finite(field, "field")
    local = field / temperature
    mean, tail = math.tanh(local), math.exp(-2.0 * abs(local))
    variance = 4.0 * tail / (1.0 + tail) ** 2  # 1 - tanh^2 without cancellation
    log_z = n * (abs(local) + math.log1p(tail))
    k1, k2, k3, k4 = (
        n * k for k in (mean, variance, -2.0 * mean * variance, variance * (6.0 * mean**2 - 2.0))
    )
    ups = np.arange(n + 1)
    up, down = scipy.special.log_expit(2.0 * local), scipy.special.log_expit(-2.0 * local)
    choices = (
        scipy.special.gammaln(n + 1) - scipy.special.gammaln(ups + 1) - scipy.special.gammaln(n - ups + 1)
    )
    shares = np.exp(choices + ups * up + (n - ups) * down)
    return {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": 0.0 - field * k1,
        "specific_heat": local**2 * variance,
        "magnetization": mean,
        "abs_magnetization": float(shares @ np.abs(2 * ups - n)) / float(shares.sum()) / n,
        "susceptibility": variance / temperature,
        "binder_cumulant": binder_cumulant(
            (k2 + k1**2) / n**2, (k4 + 4.0 * k3 * k1 + 3.0 * k2**2 + 6.0 * k2 * k1**2 + k1**4) / n**4
        ),
        "correlation_length": 0.0,
    }


def free_fields(n: int, quadratic: float, quartic: float) -> dict[str, float]:
    """All estimates but <|m|> of n real fields with ``S = sum_i (quadratic phi_i^2 + quartic phi_i^4)``.

    Parameters
    ----------
    n : int
        Sites, at least 1.
    quadratic, quartic : float
        quartic > 0, or zero with a positive quadratic.

    Returns
    -------
    dict of float
        Names as in `edgphys.exact.transfer.phi4_chain`, without ``accuracy``: quadrature to rounding.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, or exp(-S) cannot be normalised.
    NotExactError
        If 4001 nodes do not resolve the density of a site.

    Examples
    --------
    >>> exact = free_fields(5, quadratic=0.5, quartic=0.0)
    >>> abs(exact["log_z"] / 5 - 0.5 * math.log(2.0 * math.pi)) < 1e-12, round(exact["phi2"], 12)
    (True, 1.0)
    """
    n, quadratic, quartic = count(n, "n", 1), finite(quadratic, "quadratic"), finite(quartic, "quartic")
    if quartic < 0 or (quartic == 0 and quadratic <= 0):
        raise ValueError(f"quartic must be positive, or 0 with quadratic > 0, got {quartic} and {quadratic}")
    coarse, fine = (_site_moments(quadratic, quartic, n_nodes) for n_nodes in (2001, 4001))
    if not np.allclose(coarse, fine, rtol=1e-9, atol=1e-9):
        raise NotExactError(
            f"quadratic and quartic must leave a density of a site that 4001 nodes resolve, got {quadratic} "
            f"and {quartic}"
        )
    log_site, second, fourth, eighth = (float(value) for value in fine)
    return {
        "log_z": n * log_site,
        "free_energy": -n * log_site,
        "energy": n * (0.5 - quartic * fourth),
        "specific_heat": 0.5 - 2.0 * quartic * fourth + quartic**2 * (eighth - fourth**2),
        "magnetization": 0.0,
        "susceptibility": second,
        "binder_cumulant": binder_cumulant(
            second / n, ((fourth - 3.0 * second**2) / n + 3.0 * second**2) / n**2
        ),
        "correlation_length": 0.0,
        "phi2": second,
    }


def _site_moments(quadratic: float, quartic: float, n_nodes: int) -> np.ndarray:
    """log of the integral over one site, <phi^2>, <phi^4>, <phi^8>, by the trapezoidal rule."""
    x, spacing = field_grid(quadratic, quartic, n_nodes)
    exponents = -(x**2) * (quadratic + quartic * x**2)
    top = float(exponents.max())
    weights = np.exp(exponents - top)
    total = weights.sum()
    return np.array([top + math.log(total * spacing), *(weights @ x**k / total for k in (2, 4, 8))])
