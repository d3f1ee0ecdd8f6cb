# SPDX-License-Identifier: MIT
"""Estimates from Markov chains: means, errors by the Gamma method, and whether to believe them.

Assumes chains, of any lengths, that share one stationary law, started independently. Errors of derived
quantities come from the series projected on the gradient of the quantity (linear propagation), so
cross-correlations between the columns and their autocorrelation are both in. Linear propagation makes
the bars of strongly skewed quantities too short on short chains: at n = 50 (2 tau_int) they cover 64 to 69 %
for a specific heat, but 54 to 60 % for the Binder cumulant of a Gaussian, which needs 1000 (2 tau_int)
(studies/mcmc_reference). The O(1/n) bias of nonlinear quantities is removed by a jackknife over blocks of at
least 40 tau_int, when the chains are long enough for eight such blocks. Chains give no log_z.

Whether to believe them is judged in `edgphys.estimators.chains.verdict`.

The slowest of the primary observables counts. With Z2 symmetry the sign of m is left out: no estimate depends
on it (<m> = 0 is exact), and a local algorithm may take forever to flip it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr

from edgphys.dataset.padding import lengths, mean_draw
from edgphys.estimators.chains.autocorrelation import MIN_DRAWS, GammaResult, gamma_method
from edgphys.estimators.chains.convergence import n_parts
from edgphys.estimators.chains.verdict import ChainVerdict, acceptance_of, judge_chains
from edgphys.estimators.derived import Primaries, derived, errors_unknown, gradient, read_primaries
from edgphys.estimators.draws import warning_of
from edgphys.estimators.fluctuations import same_rank
from edgphys.estimators.limits import ranges, undetermined
from edgphys.estimators.resampling import block_sums, jackknife

__all__ = ["enough_draws", "estimate_chains", "means_only", "project", "unbiased"]

N_EFF_OF_A_PART = 75.0  # with which four of five runs pass R-hat < 1.01, measured on AR(1) series
BLOCK_TAU = 20.0  # bias blocks of 20 (2 tau_int): neighbouring block means correlate at the per cent level


def estimate_chains(
    samples: xr.Dataset, *, blank_unseen: bool = False
) -> tuple[dict[str, float], dict[str, str]]:
    """Values and errors of everything that chains can give.

    Parameters
    ----------
    samples : Dataset
        Dims ``chain`` and ``draw``; observables per draw; attrs as for
        `edgphys.estimators.derived.read_primaries`.
    blank_unseen : bool
        For chains beside which something else is estimated and judged, as log_z along a ladder: where all
        that speaks against them are observables whose fluctuation they have not seen, the estimates made of
        these are NaN, the note ``blank`` says why, and the rest is converged.

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
    verdict = judge_chains(primaries.tracked_columns(), acceptance_of(samples.attrs))
    results = {
        name: verdict.results.get(name) or gamma_method(primaries.columns[k])
        for k, name in enumerate(primaries.names)
        if name in samples  # measured, not made up here
    }
    values, of_derived = _derived_values(primaries, verdict.values["tau_int"])
    means = {name: result.mean for name, result in results.items()}
    errors = {name: result.err for name, result in results.items()}
    for name in values.keys() & set(undetermined(primaries, means, errors)):
        values[name] = values[f"{name}_err"] = float("nan")
    by_name = {
        name: round(result.tau_int, 3)
        for name, result in (of_derived | results).items()
        if np.isfinite(result.tau_int)
    }
    notes = verdict.notes | {"tau_int_by_name": json.dumps(by_name)}
    if blank_unseen and verdict.unseen and verdict.reasons == verdict.unseen_reasons:
        values |= verdict.values | {"converged": 1.0}
        return _blanked(primaries, values, verdict), notes | {
            "warning": warning_of(samples, []),
            "blank": "; ".join(verdict.unseen_reasons),
        }
    return values | verdict.values, notes | {"warning": warning_of(samples, verdict.reasons)}


def _blanked(primaries: Primaries, values: dict[str, float], verdict: ChainVerdict) -> dict[str, float]:
    """Without the estimates made of columns that have not been seen to fluctuate."""
    _, gradients = gradient(primaries, mean_draw(primaries.columns))
    unseen = primaries.still().union(*map(same_rank, verdict.unseen))
    for name, slope in gradients.items():
        if unseen & {primaries.names[k] for k in np.flatnonzero(slope)}:
            values[name] = values[f"{name}_err"] = float("nan")
    return values


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
    means = mean_draw(primaries.columns)
    values = {name: float(value) for name, value in derived(primaries, primaries.means(means)).items()}
    counts = lengths(primaries.columns[0])
    n_draws = counts.min()
    return values | {"n_draws": float(counts.sum()), "converged": 0.0}, {
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
        Columns of shape (n_columns, n_chains, n_draws), NaN beyond the end of a shorter chain.

    Returns
    -------
    values : dict of name -> float
        Plain estimates, with their O(1/n) bias.
    series : dict of name -> float64 array, shape (n_chains, n_draws), or None
        Padded as the columns; None where estimate or gradient is not finite.

    References
    ----------
    U. Wolff, Comput. Phys. Commun. 156 (2004) 143, hep-lat/0306017, section 3.1.
    """
    means = mean_draw(primaries.columns)
    values, gradients = gradient(primaries, means)
    return values, _projected(primaries, means, values, gradients)


def _projected(
    primaries: Primaries,
    means: np.ndarray,
    values: Mapping[str, float],
    gradients: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray | None]:
    """The series of `project`."""
    deviations = primaries.columns - means[:, None, None]
    series = {}
    for name, slope in gradients.items():
        finite = np.isfinite(values[name]) and np.isfinite(slope).all()
        used = np.flatnonzero(slope)
        series[name] = np.tensordot(slope[used], deviations[used], axes=1) if finite else None
    return series


def _derived_values(primaries: Primaries, tau_int: float) -> tuple[dict[str, float], dict[str, GammaResult]]:
    """Estimates, bias-corrected where blocks allow it, their errors, and the Gamma method behind these."""
    means = mean_draw(primaries.columns)
    plain, gradients = gradient(primaries, means)
    series = _projected(primaries, means, plain, gradients)
    corrected = unbiased(primaries, tau_int)
    results = {name: gamma_method(one) for name, one in series.items() if one is not None}
    unknown = errors_unknown(primaries, gradients, primaries.still())
    values = {}
    for name, value in plain.items():
        values[name] = corrected.get(name, value)
        values[f"{name}_err"] = results[name].err if name in results else float("nan")
        if name in unknown:
            values[f"{name}_err"] = float("nan") if unknown[name] or np.isnan(value) else 0.0
    return values, results


def unbiased(primaries: Primaries, tau_int: float) -> dict[str, float]:
    """Jackknife-corrected estimates from blocks within chains; empty if there is no room for eight blocks."""
    counts = lengths(primaries.columns[0])
    means = mean_draw(primaries.columns)
    block = max(1.0, np.ceil(2.0 * tau_int * BLOCK_TAU))  # 1 where nothing moves: tau_int is NaN
    fit = (counts / block).astype(int)
    if np.minimum(fit, n_blocks := np.maximum(1, 512 * counts // counts.sum())).sum() < 8:
        return {}
    ones = np.ones((1, *primaries.columns.shape[1:]))
    centred = np.concatenate([ones, primaries.columns - means[:, None, None]])
    # A chain shorter than a block is one: it is independent of all others.
    per_chain = np.maximum(1, np.minimum(fit, n_blocks))
    chains = zip(counts, per_chain, range(len(counts)), strict=True)
    sums = np.concatenate([block_sums(centred[:, chain, :n], parts) for n, parts, chain in chains])
    names = list(derived(primaries, primaries.means(means)))

    def statistic(total: np.ndarray) -> np.ndarray:
        averages = total[..., 1:] / total[..., :1] + means
        parts = list(derived(primaries, primaries.means(averages)).values())
        return np.stack(parts, axis=-1)

    estimates, _ = jackknife(sums, sums[:, 0], statistic, *ranges(primaries, names))
    return {name: float(value) for name, value in zip(names, estimates, strict=True)}
