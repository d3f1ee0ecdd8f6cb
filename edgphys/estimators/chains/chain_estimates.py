# SPDX-License-Identifier: MIT
"""Estimates from Markov chains: means, errors by the Gamma method, and whether to believe them.

Assumes chains of equal length that share one stationary law, started independently. Errors of derived
quantities come from the series projected on the gradient of the quantity (linear propagation), so
cross-correlations between the columns and their autocorrelation are both in. Linear propagation makes
the bars of strongly skewed quantities too short on short chains: at n = 50 (2 tau_int) they cover 64 to 69 %
for a specific heat, but 54 to 60 % for the Binder cumulant of a Gaussian, which needs 1000 (2 tau_int)
(studies/mcmc_reference). The O(1/n) bias of nonlinear quantities is removed by a jackknife over blocks of at
least 40 tau_int, when the chains are long enough for eight such blocks. Chains give no log_z.

converged = 1 when r_hat < 1.01, n > 50 (2 tau_int) over all chains, every window closed, and halves agree.
R-hat is the strictest of these: chains that agree stay above 1.01 until each of the parts it compares (two
per chain, four of a single chain) holds 50 to 75 (2 tau_int) draws; `enough_draws` says how many that are.
Chains much shorter that pass by luck do so because their tau_int came out small; their bars are too short.

The slowest of the primary observables counts. With Z2 symmetry the sign of m is left out: no estimate depends
on it (<m> = 0 is exact), and a local algorithm may take forever to flip it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from edgphys.estimators.chains.autocorrelation import MIN_DRAWS, GammaResult, gamma_method
from edgphys.estimators.chains.convergence import R_HAT_LIMIT, halves_limit, halves_z, n_parts, r_hat
from edgphys.estimators.derived import Primaries, derived, errors_unknown, gradient, read_primaries
from edgphys.estimators.fluctuations import carriers, fluctuation_reasons
from edgphys.estimators.resampling import block_sums, jackknife

__all__ = ["enough_draws", "estimate_chains", "means_only", "project", "unbiased"]

MIN_N_EFF = 50.0  # independent draws over all chains, below which error bars and R-hat mean little
N_EFF_OF_A_PART = 75.0  # with which four of five runs pass R-hat < 1.01, measured on AR(1) series
BLOCK_TAU = 20.0  # bias blocks of 20 (2 tau_int): neighbouring block means correlate at the per cent level


def estimate_chains(samples: xr.Dataset) -> tuple[dict[str, float], dict[str, str]]:
    """Values and errors of everything that chains can give.

    Parameters
    ----------
    samples : Dataset
        Dims ``chain`` and ``draw``; observables per draw; attrs as for
        `edgphys.estimators.derived.read_primaries`.

    Returns
    -------
    values : dict of name -> float
        ``<name>`` and ``<name>_err``, ``tau_int`` (largest over the primary observables, in draws) and
        ``tau_int_err``, ``n_eff`` (= n / (2 tau_int)), ``r_hat`` (largest), ``converged``, ``n_draws``.
    notes : dict of str
        ``warning`` (why not converged, empty if it is), ``tau_int_of`` and ``r_hat_of`` (the observables they
        belong to), ``tau_int_by_name`` (JSON, all primary observables and the quantities derived from them;
        with errors: `edgphys.estimators.autocorrelation_times`).

    Raises
    ------
    ShortChainError
        If a chain has fewer than 16 draws; without a partial result, see `means_only`.
    ValueError
        If an observable is missing or not finite.
    """
    primaries = read_primaries(samples, ("chain", "draw"))
    results = {
        name: gamma_method(primaries.columns[k])
        for k, name in enumerate(primaries.names)
        if name in samples  # measured, not made up here
    }
    still, slow = primaries.still(), primaries.tracked()
    moving = [name for name in slow if name not in still]
    slowest = max(moving, key=lambda name: results[name].tau_int, default=slow[0])
    values, of_derived = _derived_values(primaries, results[slowest].tau_int, still)
    values |= {
        "n_draws": float(primaries.columns[0].size),
        "tau_int": results[slowest].tau_int,
        "tau_int_err": results[slowest].tau_int_err,
        "n_eff": primaries.columns[0].size / (2.0 * results[slowest].tau_int),
    }
    r_hats = {
        name: r_hat(primaries.columns[primaries.names.index(name)])
        for name in slow
        if name in primaries.judged()
    }
    # NaN, of an observable that does not move, is no R-hat
    worst = max(r_hats, key=lambda name: np.nan_to_num(r_hats[name], nan=0.0, posinf=np.inf), default=slow[0])
    values["r_hat"] = r_hats.get(worst, float("nan"))
    reasons = _stillness(samples.attrs, primaries, results, still)
    reasons += _reasons(primaries, {name: results[name] for name in moving}, values)
    values["converged"] = float(not reasons)
    by_name = {
        name: round(result.tau_int, 3)
        for name, result in (of_derived | results).items()
        if np.isfinite(result.tau_int)
    }
    return values, {
        "warning": "; ".join(reasons),
        "tau_int_of": slowest,
        "r_hat_of": worst,
        "tau_int_by_name": json.dumps(by_name),
    }


def means_only(samples: xr.Dataset) -> tuple[dict[str, float], dict[str, str]]:
    """What chains of fewer than 16 draws give: plain values, no errors, and the reason.

    Parameters
    ----------
    samples : Dataset
        As for `estimate_chains`, with at least one draw.

    Returns
    -------
    values, notes : dicts
        ``<name>``, ``n_draws``, ``converged`` = 0; ``warning``.
    """
    primaries = read_primaries(samples, ("chain", "draw"))
    means = primaries.columns.mean(axis=(1, 2))
    values = {name: float(value) for name, value in derived(primaries, primaries.means(means)).items()}
    n_draws = samples.sizes["draw"]
    return values | {"n_draws": float(primaries.columns[0].size), "converged": 0.0}, {
        "warning": f"{n_draws} draws per chain are fewer than {MIN_DRAWS}: no errors"
    }


def enough_draws(n_chains: int, tau_int: float) -> int:
    """Draws over all chains with which a run passes all limits in four of five cases, if tau_int is right.

    75 (2 tau_int) for each part of a chain that R-hat compares. Chains that agree have an R-hat near
    1 + 1/(2 n_eff of a part), which is 1.01 at 50; the larger of bulk and tail needs half as much again.

    References
    ----------
    A. Vehtari et al., Bayesian Analysis 16 (2021) 667, section 4: an effective sample size of 50 for each
    half of a chain.

    Examples
    --------
    >>> enough_draws(8, 0.5), enough_draws(1, 10.0)
    (1200, 6000)
    """
    return int(np.ceil(N_EFF_OF_A_PART * n_parts(n_chains) * 2.0 * max(0.5, tau_int)))


def project(primaries: Primaries) -> tuple[dict[str, float], dict[str, np.ndarray | None]]:
    """Every estimate at the means of the columns, and the series whose mean fluctuates as the estimate does.

    The series of f(<a_1>, ...) is sum_k (df/da_k) (a_k - <a_k>): to linear order, error and autocorrelation
    of f are those of its mean.

    Parameters
    ----------
    primaries : Primaries
        Columns of shape (n_columns, n_chains, n_draws).

    Returns
    -------
    values : dict of name -> float
        Plain estimates, with their O(1/n) bias.
    series : dict of name -> float64 array, shape (n_chains, n_draws), or None
        None where estimate or gradient is not finite.

    References
    ----------
    U. Wolff, Comput. Phys. Commun. 156 (2004) 143, hep-lat/0306017, section 3.1.
    """
    means = primaries.columns.mean(axis=(1, 2))
    values, gradients = gradient(primaries, means)
    deviations = primaries.columns - means[:, None, None]
    series = {}
    for name, slope in gradients.items():
        finite = np.isfinite(values[name]) and np.isfinite(slope).all()
        used = np.flatnonzero(slope)
        series[name] = np.tensordot(slope[used], deviations[used], axes=1) if finite else None
    return values, series


def _derived_values(
    primaries: Primaries, tau_int: float, still: set[str]
) -> tuple[dict[str, float], dict[str, GammaResult]]:
    """Estimates, bias-corrected where blocks allow it, their errors, and the Gamma method behind these."""
    plain, series = project(primaries)
    corrected = unbiased(primaries, tau_int)
    results = {name: gamma_method(one) for name, one in series.items() if one is not None}
    unknown = errors_unknown(primaries, gradient(primaries, primaries.columns.mean(axis=(1, 2)))[1], still)
    values = {}
    for name, value in plain.items():
        values[name] = corrected.get(name, value)
        values[f"{name}_err"] = results[name].err if name in results else float("nan")
        if name in unknown:
            values[f"{name}_err"] = float("nan") if unknown[name] else 0.0
    return values, results


def unbiased(primaries: Primaries, tau_int: float) -> dict[str, float]:
    """Jackknife-corrected estimates from blocks within chains; empty if there is no room for eight blocks."""
    _, n_chains, n_draws = primaries.columns.shape
    means = primaries.columns.mean(axis=(1, 2))
    block = max(1.0, np.ceil(2.0 * tau_int * BLOCK_TAU))  # 1 where nothing moves: tau_int is NaN
    per_chain = min(int(n_draws / block), max(1, 512 // n_chains))
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


def _stillness(
    attrs: Mapping[str, Any], primaries: Primaries, results: dict[str, GammaResult], still: set[str]
) -> list[str]:
    """Fluctuations that are missing, or that few independent draws carry."""
    counts = {}
    for name in primaries.judged():
        if name not in still:
            column = primaries.columns[primaries.names.index(name)]
            counts[name] = carriers(column - column.mean()) / (2.0 * results[name].tau_int)
    reasons = fluctuation_reasons([name for name in primaries.judged() if name in still], counts)
    if acceptance(attrs) == 0.0:
        reasons.append("no proposal was accepted")
    return reasons


def acceptance(attrs: Mapping[str, Any]) -> float:
    """Share of accepted proposals that the attrs of chains record; NaN if they record none."""
    measured = json.loads(attrs.get("settings", "{}")).get("measured", {})
    return float(attrs.get("acceptance", measured.get("acceptance", float("nan"))))


def _reasons(primaries: Primaries, results: dict[str, GammaResult], values: dict[str, float]) -> list[str]:
    """Why the chains are not converged; none if the list is empty."""
    reasons = []
    if values["r_hat"] >= R_HAT_LIMIT:
        reasons.append(f"r_hat {values['r_hat']:.4g} is not below {R_HAT_LIMIT}")
    if values["n_eff"] <= MIN_N_EFF:
        reasons.append(
            f"{values['n_draws']:.0f} draws are not more than {MIN_N_EFF:.0f} x 2 tau_int = "
            f"{MIN_N_EFF * 2 * values['tau_int']:.0f}"
        )
    still_open = [name for name, result in results.items() if not result.closed]
    if still_open:
        reasons.append(f"no window for tau_int of {', '.join(still_open)}: the chain is too short")
    limit = halves_limit(max(1, len(results)))
    for name in results:
        z = halves_z(primaries.columns[primaries.names.index(name)])
        if abs(z) > limit:
            reasons.append(
                f"halves of the chains differ in {name} by {z:.1f} standard errors (limit {limit:.1f})"
            )
    return reasons
