# SPDX-License-Identifier: MIT
"""Estimates from Markov chains: means, errors by the Gamma method, and whether to believe them.

Assumes chains of equal length that share one stationary law, started independently. Errors of derived
quantities come from the series projected on the gradient of the quantity (linear propagation), so
cross-correlations between the columns and their autocorrelation are both in. The O(1/n) bias of nonlinear
quantities is removed by a jackknife over blocks of at least 40 tau_int, when the chains are long enough for
eight such blocks. Chains give no log_z.

converged = 1 when r_hat < 1.01, n > 50 (2 tau_int) over all chains, every window closed, and halves agree.

The slowest of the primary observables counts. With Z2 symmetry the sign of m is left out: no estimate depends
on it (<m> = 0 is exact), and a local algorithm may take forever to flip it.
"""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from edgphys.estimators.autocorrelation import GammaResult, gamma_method
from edgphys.estimators.convergence import R_HAT_LIMIT, halves_limit, halves_z, r_hat
from edgphys.estimators.observables import Primaries, derived, gradient, read_primaries
from edgphys.estimators.resampling import block_sums, jackknife

__all__ = ["estimate_chains"]

MIN_N_EFF = 50.0  # independent draws over all chains, below which error bars and R-hat mean little
BLOCK_TAU = 20.0  # bias blocks of 20 (2 tau_int): neighbouring block means correlate at the per cent level
# These rank the draws as |m| does (m^2, m^4), so their R-hat is that of |m| up to its tail half
_SAME_RANKS = ("magnetization_2", "magnetization_4")


def estimate_chains(samples: xr.Dataset) -> tuple[dict[str, float], dict[str, str]]:
    """Values and errors of everything that chains can give.

    Parameters
    ----------
    samples : Dataset
        Dims ``chain`` and ``draw``; observables per draw; attrs as for
        `edgphys.estimators.observables.read_primaries`.

    Returns
    -------
    values : dict of name -> float
        ``<name>`` and ``<name>_err``, ``tau_int`` (largest over the primary observables, in draws) and
        ``tau_int_err``, ``n_eff`` (= n / (2 tau_int)), ``r_hat`` (largest), ``converged``, ``n_draws``.
    notes : dict of str
        ``warning`` (why not converged, empty if it is), ``tau_int_of`` and ``r_hat_of`` (the observables they
        belong to), ``tau_int_by_name`` (JSON, all primary observables).

    Raises
    ------
    ShortChainError
        If a chain has fewer than 16 draws.
    ValueError
        If an observable is missing or not finite.
    """
    primaries = read_primaries(samples, ("chain", "draw"))
    results = {
        name: gamma_method(primaries.columns[k])
        for k, name in enumerate(primaries.names)
        if name in samples  # measured, not made up here
    }
    slow = primaries.tracked()
    slowest = max(slow, key=lambda name: results[name].tau_int)
    values = _derived_values(primaries, results[slowest].tau_int)
    values |= {
        "n_draws": float(primaries.columns[0].size),
        "tau_int": results[slowest].tau_int,
        "tau_int_err": results[slowest].tau_int_err,
        "n_eff": primaries.columns[0].size / (2.0 * results[slowest].tau_int),
    }
    r_hats = {
        name: r_hat(primaries.columns[primaries.names.index(name)])
        for name in slow
        if name not in _SAME_RANKS or "abs_magnetization" not in slow
    }
    worst = max(r_hats, key=r_hats.__getitem__)
    values["r_hat"] = r_hats[worst]
    reasons = _reasons(primaries, {name: results[name] for name in slow}, values)
    values["converged"] = float(not reasons)
    by_name = {name: round(result.tau_int, 3) for name, result in results.items()}
    return values, {
        "warning": "; ".join(reasons),
        "tau_int_of": slowest,
        "r_hat_of": worst,
        "tau_int_by_name": json.dumps(by_name),
    }


def _derived_values(primaries: Primaries, tau_int: float) -> dict[str, float]:
    """Estimates with Gamma-method errors, bias-corrected where blocks allow it."""
    means = primaries.columns.mean(axis=(1, 2))
    plain, gradients = gradient(primaries, means)
    corrected = _unbiased(primaries, means, tau_int)
    deviations = primaries.columns - means[:, None, None]
    values = {}
    for name, value in plain.items():
        values[name] = corrected.get(name, value)
        slope = gradients[name]
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            values[f"{name}_err"] = float("nan")
        else:
            used = np.flatnonzero(slope)
            projected = np.tensordot(slope[used], deviations[used], axes=1)
            values[f"{name}_err"] = gamma_method(projected).err
    return values


def _unbiased(primaries: Primaries, means: np.ndarray, tau_int: float) -> dict[str, float]:
    """Jackknife-corrected estimates from blocks within chains; empty if there is no room for eight blocks."""
    _, n_chains, n_draws = primaries.columns.shape
    per_chain = min(int(n_draws / max(np.ceil(2.0 * tau_int * BLOCK_TAU), 1.0)), max(1, 512 // n_chains))
    if per_chain * n_chains < 8:
        return {}
    centred = np.concatenate([np.ones((1, n_chains, n_draws)), primaries.columns - means[:, None, None]])
    sums = np.concatenate([block_sums(centred[:, chain], per_chain) for chain in range(n_chains)])
    names = list(derived(primaries, primaries.means(means)))

    def statistic(total: np.ndarray) -> np.ndarray:
        averages = total[..., 1:] / total[..., :1] + means
        parts = list(derived(primaries, primaries.means(averages)).values())
        return np.stack(parts, axis=-1)

    estimates, _ = jackknife(sums, sums[:, 0], statistic)
    return {name: float(value) for name, value in zip(names, estimates, strict=True)}


def _reasons(primaries: Primaries, results: dict[str, GammaResult], values: dict[str, float]) -> list[str]:
    """Why the chains are not converged; none if the list is empty."""
    reasons = []
    if not values["r_hat"] < R_HAT_LIMIT:
        reasons.append(f"r_hat {values['r_hat']:.4g} is not below {R_HAT_LIMIT}")
    if values["n_eff"] <= MIN_N_EFF:
        reasons.append(
            f"{values['n_draws']:.0f} draws are not more than {MIN_N_EFF:.0f} x 2 tau_int = "
            f"{MIN_N_EFF * 2 * values['tau_int']:.0f}"
        )
    still_open = [name for name, result in results.items() if not result.closed]
    if still_open:
        reasons.append(f"no window for tau_int of {', '.join(still_open)}: the chain is too short")
    limit = halves_limit(len(results))
    for name in results:
        z = halves_z(primaries.columns[primaries.names.index(name)])
        if abs(z) > limit:
            reasons.append(
                f"halves of the chains differ in {name} by {z:.1f} standard errors (limit {limit:.1f})"
            )
    return reasons
