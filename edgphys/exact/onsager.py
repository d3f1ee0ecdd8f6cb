# SPDX-License-Identifier: MIT
r"""Ising model on the infinite square lattice: Onsager's free energy per site and Yang's magnetization.

``H = -J sum_<ij> s_i s_j``, ``K = |J| / T``, ``k_B = 1``; everything per site. With the modes gamma of
`edgphys.exact.dispersion`,

    lim ln Z / N = 1/2 int_0^pi (dtheta/pi) ln[ 2 sinh(2K) e^{gamma(theta)} ] .

The integral and its two derivatives in K are done with panels graded towards theta = 0, where the integrand
is singular at T_c; this keeps full precision at both ends of the temperature scale, where the closed form in
elliptic integrals cancels. The square lattice is bipartite: thermal quantities depend on ``|J|`` only.

References
----------
L. Onsager, Phys. Rev. 65, 117 (1944), doi:10.1103/PhysRev.65.117.
C. N. Yang, Phys. Rev. 85, 808 (1952), doi:10.1103/PhysRev.85.808.
"""

from __future__ import annotations

import math

import numpy as np

from edgphys._checks import finite, positive
from edgphys.exact.dispersion import is_ordered, log_mode, log_shift, modulus
from edgphys.exact.quadrature import graded_rule

__all__ = [
    "critical_temperature",
    "energy_density",
    "free_energy_density",
    "specific_heat",
    "spontaneous_magnetization",
]


def critical_temperature(coupling: float = 1.0) -> float:
    """``2 |J| / ln(1 + sqrt 2)``.

    Examples
    --------
    >>> round(critical_temperature(), 12)
    2.269185314213
    """
    return 2.0 * abs(finite(coupling, "coupling")) / math.asinh(1.0)


def free_energy_density(temperature: float, coupling: float = 1.0) -> float:
    """Free energy per site, ``-T lim ln Z / N``, in units of the coupling.

    Parameters
    ----------
    temperature : float
        Positive, in units where k_B = 1.
    coupling : float
        J, of either sign.

    Returns
    -------
    float
        Rounding error near 1e-15 relative.

    Raises
    ------
    ValueError, TypeError
        If an argument is not a finite number, or the temperature is not positive.

    References
    ----------
    Onsager (1944), eq. (106).

    Examples
    --------
    >>> round(free_energy_density(critical_temperature()), 12)
    -2.109651144608
    """
    k = _reduced_coupling(temperature, coupling)
    return -temperature * (float(_log_z_density(k)[0]) if k else math.log(2.0))


def energy_density(temperature: float, coupling: float = 1.0) -> float:
    """Energy per site ``<H>/N`` in units of the coupling; arguments and errors as for `free_energy_density`.

    Examples
    --------
    >>> round(energy_density(critical_temperature()) + math.sqrt(2.0), 8)
    0.0
    """
    k = _reduced_coupling(temperature, coupling)
    return -abs(coupling) * float(_log_z_density(k)[1]) if k else 0.0


def specific_heat(temperature: float, coupling: float = 1.0) -> float:
    """Specific heat per site in units of k_B; arguments and errors as for `free_energy_density`.

    Diverges logarithmically: ``inf`` is returned when the temperature is T_c to machine precision.

    Examples
    --------
    >>> round(specific_heat(2.0), 10)
    0.7248714486
    """
    k = _reduced_coupling(temperature, coupling)
    if k and abs(1.0 - modulus(k)[0]) < 1e-15:
        return math.inf
    return max(k * k * float(_log_z_density(k)[2]), 0.0) if k else 0.0


def spontaneous_magnetization(temperature: float, coupling: float = 1.0) -> float:
    """Magnetization per site in a vanishing positive field: ``(1 - sinh(2K)^-4)^(1/8)`` below T_c, else 0.

    For J < 0 the uniform magnetization is zero at all temperatures (the staggered one is that of ``|J|``).

    Examples
    --------
    >>> round(spontaneous_magnetization(2.0), 12), spontaneous_magnetization(2.5)
    (0.911319377877, 0.0)
    """
    k = _reduced_coupling(temperature, coupling)
    if coupling <= 0 or not is_ordered(k):
        return 0.0
    u = float(modulus(k)[0])
    return ((1.0 - u) * (1.0 + u) * (1.0 + u * u)) ** 0.125


def _reduced_coupling(temperature: float, coupling: float) -> float:
    k = abs(finite(coupling, "coupling")) / positive(temperature, "temperature")
    if not math.isfinite(2.0 * k):
        raise ValueError(f"coupling / temperature must be finite, got {coupling} / {temperature}")
    return k


def _log_z_density(k: float) -> np.ndarray:
    """Jet (3,) in K of ``lim ln Z / N``."""
    theta, weights = graded_rule(math.pi)
    modes = log_mode(k, np.sin(0.5 * theta) ** 2)
    return 0.5 * (modes @ weights) / math.pi + log_shift(k)
