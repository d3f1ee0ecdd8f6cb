# SPDX-License-Identifier: MIT
r"""Thermodynamic integration along a ladder: log Z from averages of the action.

Between neighbouring rungs, a(s) = a_k + s (a_{k+1} - a_k) with s from 0 to 1, let V = (a_{k+1} - a_k) . X.

    g(s) = d log Z / ds = -<V>_s,     g'(s) = <V^2>_c,     g''(s) = -<V^3>_c,
    log Z_{k+1} - log Z_k = int_0^1 g ds

The cumulants at both ends are known from the draws, so the integrand is interpolated through its values and
first two derivatives (quintic Hermite polynomial):

    int_0^1 g ds = (g_0 + g_1)/2 + (g'_0 - g'_1)/10 + (g''_0 + g''_1)/120 + O(7th cumulant / 100800).

The distance to the cubic interpolation, (g_0 + g_1)/2 + (g'_0 - g'_1)/12, whose own error, 5th cumulant /
720, is larger, is a bound in practice on what the quadrature leaves out. log Z is convex along the step, so
that g does not fall and the integral lies between g_0 and g_1. Where one of the two rules leaves this range,
the step is too long for derivatives at its ends to say what is in between, and the integral is taken for
(g_0 + g_1)/2 with the error (g_1 - g_0)/2; where g_1 - g_0 is so large that rungs share no configurations,
the error is the whole distance to (g_0 + g_1)/2. ``log_z_quadrature`` is the sum of errors over the steps;
where it exceeds the statistical error, ``warning`` says so.

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

from edgphys.estimators.ladders.entropy import DEFINITIONS, entropy_error, reduced_energies
from edgphys.estimators.ladders.quadrature import Step, integrate
from edgphys.estimators.ladders.reading import Ladder, read_ladder, rung_dataset, spread
from edgphys.recording.record import recorded

__all__ = ["thermodynamic_integration"]

_DEFINITIONS = {
    "log_z": "log of the partition function by thermodynamic integration, quintic Hermite quadrature",
    "log_z_err": "one standard error of log_z, statistical alone",
    "log_z_quadrature": "systematic error of log_z: distance of quintic and cubic Hermite rule, or half the "
    "change of the integrand where they leave its range, summed over steps",
    "log_z_trapezoid": "log of the partition function by the trapezoidal rule, for comparison",
}


@recorded("estimators.thermodynamic_integration")
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
        Dim of the rungs: ``log_z``, ``log_z_err``, ``log_z_quadrature``, ``log_z_trapezoid``, all errors 0 at
        `reference`; ``entropy``, ``entropy_err``. attrs: ``warning``, empty or why not to trust it.

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
    steps, influences = zip(*(_piece(data, pair) for pair in range(data.n_rungs - 1)), strict=True)
    energies = reduced_energies(data)
    errors, entropy_errors, reasons = _errors(list(influences), energies, data)
    quadrature = np.abs(_run(np.array([step.error for step in steps]), data.reference))
    reasons += _too_long(quadrature, errors)
    log_z = data.log_z_reference + _run(np.array([step.integral for step in steps]), data.reference)
    values = {
        "log_z": log_z,
        "log_z_err": errors,
        "log_z_quadrature": quadrature,
        "entropy": log_z + [u.mean() for u in energies],
        "entropy_err": entropy_errors,
        "log_z_trapezoid": data.log_z_reference
        + _run(np.array([step.trapezoid for step in steps]), data.reference),
    }
    notes = {"method": "ti", "warning": "; ".join(reasons)}
    return rung_dataset(ladder, data, values, _DEFINITIONS | DEFINITIONS, notes)


def _piece(data: Ladder, pair: int) -> tuple[Step, np.ndarray]:
    """The integral over one step, and the influence of each draw on it."""
    deviations, cumulants = [], []
    for end in (pair, pair + 1):
        v = data.terms[end] @ data.step(pair)
        d = v - v.mean()
        deviations.append(d)
        cumulants.append((float(v.mean()), float((d**2).mean()), float((d**3).mean())))
    step = integrate(*cumulants)
    influence = np.zeros(data.terms.shape[1:3])
    for d, (_, second, third), sign in zip(deviations, cumulants, (1.0, -1.0), strict=True):
        influence -= d / 2
        if step.is_short:  # of one draw on a cumulant: d, d^2 - k2, d^3 - k3 - 3 k2 d
            influence += sign * (d**2 - second) / 10 - (d**3 - third - 3 * second * d) / 120
    return step, influence


def _too_long(quadrature: np.ndarray, errors: np.ndarray) -> list[str]:
    """Why not to trust the quadrature; none if the list is empty."""
    if not (quadrature > errors).any():
        return []
    worst = int(np.argmax(quadrature - errors))
    return [
        f"quadrature error {quadrature[worst]:.2g} of log_z at rung {worst} exceeds the statistical one, "
        f"{errors[worst]:.2g}: too few rungs"
    ]


def _run(steps: np.ndarray, reference: int) -> np.ndarray:
    """Running sum over steps that is 0 at the reference."""
    total = np.concatenate([[0.0], np.cumsum(steps)])
    return total - total[reference]


def _errors(
    influences: list[np.ndarray], energies: list[np.ndarray], data: Ladder
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Statistical errors of log_z and of the entropy, and whether one could not be found."""
    errors, unsettled = np.zeros(data.n_rungs), []
    of_entropy = np.zeros(data.n_rungs)
    of_entropy[data.reference] = entropy_error(energies[data.reference], np.zeros(data.terms.shape[1:3]))
    for direction in (range(data.reference + 1, data.n_rungs), range(data.reference - 1, -1, -1)):
        total = np.zeros(data.terms.shape[1:3])
        for k in direction:
            total = total + influences[k - 1 if k > data.reference else k]
            errors[k], closed = spread(total)
            of_entropy[k] = entropy_error(energies[k], total)
            if not closed:
                unsettled.append(str(k))
    note = f"no window for the error of log_z at rungs {', '.join(unsettled)}: too few draws"
    return errors, of_entropy, [note] if unsettled else []
