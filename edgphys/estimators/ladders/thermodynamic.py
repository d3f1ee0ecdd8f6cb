# SPDX-License-Identifier: MIT
r"""Thermodynamic integration along a ladder: log Z from averages of the action.

Between neighbouring rungs, a(s) = a_k + s (a_{k+1} - a_k) with s from 0 to 1, let V = (a_{k+1} - a_k) . X.

    g(s) = d log Z / ds = -<V>_s,     g'(s) = <V^2>_c,     g''(s) = -<V^3>_c,
    log Z_{k+1} - log Z_k = int_0^1 g ds

The cumulants at both ends are known from the draws, so the integrand is interpolated through its values and
first two derivatives (quintic Hermite polynomial):

    int_0^1 g ds = (g_0 + g_1)/2 + (g'_0 - g'_1)/10 + (g''_0 + g''_1)/120 + O(7th cumulant / 100800).

``log_z_quadrature`` is the distance to the cubic interpolation, (g_0 + g_1)/2 + (g'_0 - g'_1)/12, whose own
error, 5th cumulant / 720, is larger: a bound in practice on what the quadrature leaves out.

log Z is a potential: the path between the rungs may be any, and so may that of the rungs themselves.

The error is that of the sum of all influences: each draw moves the estimate by a known linear function, whose
sum over the rungs is one series in time for each chain, and its mean has the error that the Gamma method
finds. Correlations in time, and between rungs that exchange configurations, are both in.

Assumes stationary draws at every rung; their sum at each time over the rungs of one chain must be meaningful,
as it is for tempered and for independent rungs.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from edgphys.estimators.ladders.reading import Ladder, read_ladder, rung_dataset, spread

__all__ = ["thermodynamic_integration"]

_DEFINITIONS = {
    "log_z": "log of the partition function by thermodynamic integration, quintic Hermite quadrature",
    "log_z_err": "one standard error of log_z, statistical alone",
    "log_z_quadrature": "distance of log_z to that of the cubic Hermite quadrature, a systematic error",
    "log_z_trapezoid": "log of the partition function by the trapezoidal rule, for comparison",
}


def thermodynamic_integration(
    ladder: xr.Dataset, log_z_reference: float = 0.0, reference: int = 0
) -> xr.Dataset:
    """log Z of every rung by integrating averages of the action from a rung where it is known.

    Parameters
    ----------
    ladder : Dataset
        ``action_terms`` (rung, chain, draw, term) and ``action_coefficients`` (rung, term), as
        `edgphys.mcmc.temper` gives them; at least 16 draws per chain.
    log_z_reference : float
        log Z of the rung `reference`.
    reference : int
        A rung; negative numbers count from the end.

    Returns
    -------
    Dataset
        Dim of the rungs: ``log_z``, ``log_z_err``, ``log_z_quadrature``, ``log_z_trapezoid``. At `reference`
        all errors are 0. attrs: ``warning``, empty or why not to trust it.

    Raises
    ------
    ValueError
        If the dataset is not as above.
    ShortChainError
        If a chain has fewer than 16 draws.

    References
    ----------
    Kirkwood, J. Chem. Phys. 3, 300 (1935), doi:10.1063/1.1749657. Hermite quadrature: Davis and Rabinowitz,
    Methods of Numerical Integration, 2nd ed. (1984), section 2.9.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((3, 4, 1000, 1))    # X ~ N(0, 1) + shift
    >>> a = np.array([[0.0], [0.5], [1.0]])
    >>> terms = x - a[:, None, None]                                     # weight exp(-a X) N(X; 0, 1)
    >>> ladder = xr.Dataset({
    ...     "action_terms": (("rung", "chain", "draw", "term"), terms),
    ...     "action_coefficients": (("rung", "term"), a),
    ... })
    >>> result = thermodynamic_integration(ladder)                       # log Z = a^2 / 2
    >>> bool(abs(result.log_z[-1] - 0.5) < 3 * result.log_z_err[-1])
    True
    """
    data = read_ladder(ladder, log_z_reference, reference)
    pieces = [_piece(data, pair) for pair in range(data.n_rungs - 1)]
    quintic, cubic, trapezoid = (np.array([piece[i] for piece in pieces]) for i in range(3))
    log_z = data.log_z_reference + _run(quintic, data.reference)
    errors, warning = _errors([piece[3] for piece in pieces], data)
    values = {
        "log_z": log_z,
        "log_z_err": errors,
        "log_z_quadrature": np.abs(_run(quintic - cubic, data.reference)),
        "log_z_trapezoid": data.log_z_reference + _run(trapezoid, data.reference),
    }
    return rung_dataset(ladder, data, values, _DEFINITIONS, {"method": "ti", "warning": warning})


def _piece(data: Ladder, pair: int) -> tuple[float, float, float, np.ndarray]:
    """The integral over one step by the three rules, and the influence of each draw on the first."""
    quintic = cubic = trapezoid = 0.0
    influence = np.zeros(data.terms.shape[1:3])
    for end, sign in ((pair, 1.0), (pair + 1, -1.0)):
        v = data.terms[end] @ data.step(pair)
        mean = v.mean()
        d = v - mean
        second, third = (d**2).mean(), (d**3).mean()
        quintic += -mean / 2 + sign * second / 10 - third / 120
        cubic += -mean / 2 + sign * second / 12
        trapezoid += -mean / 2
        # The influence of one draw on a cumulant: d, d^2 - k2, d^3 - k3 - 3 k2 d.
        influence += -d / 2 + sign * (d**2 - second) / 10 - (d**3 - third - 3 * second * d) / 120
    return quintic, cubic, trapezoid, influence


def _run(steps: np.ndarray, reference: int) -> np.ndarray:
    """Running sum over steps that is 0 at the reference."""
    total = np.concatenate([[0.0], np.cumsum(steps)])
    return total - total[reference]


def _errors(influences: list[np.ndarray], data: Ladder) -> tuple[np.ndarray, str]:
    errors, unsettled = np.zeros(data.n_rungs), []
    for direction in (range(data.reference + 1, data.n_rungs), range(data.reference - 1, -1, -1)):
        total = np.zeros(data.terms.shape[1:3])
        for k in direction:
            total = total + influences[k - 1 if k > data.reference else k]
            errors[k], closed = spread(total)
            if not closed:
                unsettled.append(str(k))
    if unsettled:
        return errors, f"no window for the error of log_z at rungs {', '.join(unsettled)}: too few draws"
    return errors, ""
