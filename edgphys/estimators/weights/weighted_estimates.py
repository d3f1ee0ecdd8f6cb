# SPDX-License-Identifier: MIT
"""Estimates from independent weighted draws: log Z, its bound, and self-normalised expectations.

    log_z = log( 1/n sum_i w_i ) ,   elbo = 1/n sum_i log w_i ,   <a> = sum_i w_i a_i / sum_i w_i ,

and the entropy log_z + beta <E>, one statistic of the weights, so that its error knows their covariance.

Assumes independent draws with E[w] = Z exactly (then the mean of w is unbiased for Z at any n). The logarithm
and the ratio have an O(1/n) bias, removed by the delete-block jackknife that also gives the errors; numerator
and denominator are resampled together, over all draws. elbo is a lower bound on log Z, not an estimate. The
weights are those of the joint space of configurations and latents, and so is the effective sample size.

Draws of `edgphys.EDG.sample` come with the number of them that were sent back through the encoder, and of
those that it sent outside of what the decoder reaches: ``unseen_share``, by which log_z is too low.

What no diagnostic here can see: a region of configurations with large weight that no draw has reached.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from edgphys.estimators.derived import Primaries, derived, read_primaries
from edgphys.estimators.draws import log_weights_of, warning_of
from edgphys.estimators.limits import ranges
from edgphys.estimators.resampling import N_BLOCKS, block_sums, bootstrap, jackknife
from edgphys.estimators.weights.fluctuations_seen import judge_fluctuations
from edgphys.estimators.weights.pareto import pareto_k, pareto_k_limit

__all__ = ["estimate_weighted", "judge_weights", "reliability", "unseen_share", "weight_diagnostics"]

N_RESAMPLES = 500
MIN_ESS_COUNT = 100.0  # below, the error bar itself is uncertain by more than 1/sqrt(200) = 7 %
MAX_VARIANCE_SHARE = 0.5  # one draw that makes up over half of sum w^2: the error bar rests on a single draw
MAX_UNSEEN = 0.005  # part of Z that the draws may miss, if their error bar does not show it
_ROUNDING = 1e-5  # of networks in float32
_TOLD = ("unseen_by_chance", "log_weight_step_change")  # by the draws, for the judgement alone
MAX_WEIGHT = 0.1  # leaving out one draw with this share of all weight moves log_z by 0.1


def estimate_weighted(
    samples: xr.Dataset, rng: np.random.Generator
) -> tuple[dict[str, float], dict[str, str]]:
    """Values and errors of everything that weighted draws can give.

    Parameters
    ----------
    samples : Dataset
        Dim ``draw``; ``log_weight_joint`` and observables per draw; attrs ``temperature`` and those of
        `edgphys.estimators.derived.read_primaries`.
    rng : numpy Generator
        For the bootstrap interval of log_z.

    Returns
    -------
    values : dict of name -> float
        ``<name>`` and ``<name>_err`` of the estimates, ``log_z_low`` and ``log_z_high`` (bootstrap 16 % and
        84 % quantiles), and the weight diagnostics.
    notes : dict of str
        ``warning``: why the estimate is not to be trusted, empty if it is.

    Raises
    ------
    ValueError
        If there are fewer than two draws, or a log weight is NaN or +inf, or none is finite.
    NotExactError
        If the log weights are noisy (Hutchinson probes).
    """
    log_weights = log_weights_of(samples)
    primaries = read_primaries(_outside_walls(samples, log_weights), ("draw",))
    shift = float(log_weights.max())
    weights = np.exp(log_weights - shift)
    # relative to the heaviest draw: an observable that does not vary gets no rounding error for an error bar
    origin = primaries.columns[:, np.argmax(weights)]
    relative = primaries.columns - origin[:, None]
    columns = np.vstack([np.ones_like(weights), weights, log_weights - shift, weights * relative])
    sums = block_sums(columns, min(len(weights), N_BLOCKS))
    names, statistic = _statistic(primaries, origin)
    estimates, errors = jackknife(sums, sums[:, 0], statistic, *ranges(primaries, names))
    values = {name: float(value) for name, value in zip(names, estimates, strict=True)}
    values |= {f"{name}_err": float(err) for name, err in zip(names, errors, strict=True)}
    copies = np.sort(bootstrap(sums[:, :2], _log_mean_weight, N_RESAMPLES, rng))
    for name, level in (("log_z_low", 0.16), ("log_z_high", 0.84)):
        values[name] = float(copies[round(level * (N_RESAMPLES - 1))])
    for name in {"log_z", "log_z_low", "log_z_high", "elbo", "entropy"} & values.keys():
        values[name] += shift
    temperature = float(samples.attrs["temperature"])
    values["free_energy"] = -temperature * values["log_z"]
    values["free_energy_err"] = temperature * values["log_z_err"]
    diagnostics, reasons = judge_weights(samples, log_weights, values["log_z_err"])
    values |= diagnostics
    reasons += judge_fluctuations(primaries, weights, values, temperature)
    values["reliable"] = float(not reasons)
    return values, {"warning": warning_of(samples, reasons)}


def _outside_walls(samples: xr.Dataset, log_weights: np.ndarray) -> xr.Dataset:
    """With the heaviest draw in place of those of weight zero, whose energy may be infinite."""
    lost = np.isneginf(log_weights)
    rows = np.where(lost, np.argmax(log_weights), np.arange(len(lost)))
    return samples.isel(draw=rows) if lost.any() else samples


def judge_weights(
    samples: xr.Dataset, log_weights: np.ndarray, log_z_err: float | None = None
) -> tuple[dict[str, float], list[str]]:
    """Diagnostics of weighted draws, and the reasons not to trust what is made from them.

    Parameters
    ----------
    samples : Dataset
        Whose attributes say what part of the target the draws may miss.
    log_weights : array, shape (n_draws,)
        Its log weights, as `edgphys.estimators.draws.log_weights_of` gives them.
    log_z_err : float, optional
        The error of log_z, by the jackknife, where it is known already.

    Returns
    -------
    diagnostics : dict of name -> float
        Those of `weight_diagnostics`, of `unseen_share`, and ``reliable``.
    reasons : list of str
        As `reliability` gives them; none if the list is empty.
    """
    if log_z_err is None:
        weights = np.exp(log_weights - log_weights.max())
        sums = block_sums(np.vstack([np.ones_like(weights), weights]), min(len(weights), N_BLOCKS))
        log_z_err = float(jackknife(sums, sums[:, 0], lambda s: _log_mean_weight(s)[..., None])[1][0])
    diagnostics = weight_diagnostics(log_weights) | unseen_share(samples)
    told = {name: float(samples.attrs[name]) for name in _TOLD if name in samples.attrs}
    reasons = reliability(diagnostics | {"log_z_err": log_z_err} | told)
    return diagnostics | {"reliable": float(not reasons)}, reasons


def weight_diagnostics(log_weights: np.ndarray) -> dict[str, float]:
    """Kish effective sample size, largest share and tail index of the weights.

    ess_count = (sum w)^2 / sum w^2 ,   ess = ess_count / n_draws ,   max_weight = max w / sum w .

    Parameters
    ----------
    log_weights : array, shape (n_draws,)
        Finite or -inf, at least one finite.

    Returns
    -------
    dict of name -> float
        ``n_draws``, ``ess`` (0 to 1), ``ess_count`` (1 to n_draws), ``max_weight`` (0 to 1), ``pareto_k``.

    References
    ----------
    L. Kish, Survey Sampling, Wiley (1965).

    Examples
    --------
    >>> {k: float(v) for k, v in weight_diagnostics(np.log([1.0, 1.0, 2.0])).items() if k != "pareto_k"}
    {'n_draws': 3.0, 'ess': 0.8888888888888888, 'ess_count': 2.6666666666666665, 'max_weight': 0.5}
    """
    weights = np.exp(log_weights - log_weights.max())
    total = weights.sum()
    ess_count = float(total**2 / (weights**2).sum())
    return {
        "n_draws": float(len(weights)),
        "ess": ess_count / len(weights),
        "ess_count": ess_count,
        "max_weight": float(1.0 / total),
        "pareto_k": pareto_k(log_weights),
    }


def unseen_share(samples: xr.Dataset) -> dict[str, float]:
    """``unseen_share`` and its error, from the attrs ``n_sent_back`` and ``n_unseen``; none without them.

    Examples
    --------
    >>> unseen_share(xr.Dataset(attrs={"n_sent_back": 400, "n_unseen": 80}))
    {'unseen_share': 0.2, 'unseen_share_err': 0.02}
    """
    n, unseen = (int(samples.attrs.get(name, 0)) for name in ("n_sent_back", "n_unseen"))
    if not n:
        return {}
    share = unseen / n
    err = float(samples.attrs.get("n_unseen_err", np.sqrt(n * share * (1.0 - share)))) / n
    return {"unseen_share": share, "unseen_share_err": err}


def reliability(diagnostics: dict[str, float]) -> list[str]:
    """Reasons not to trust an estimate from weights with these diagnostics; none if the list is empty.

    Parameters
    ----------
    diagnostics : dict
        As `weight_diagnostics` gives them.

    Returns
    -------
    list of str
        One sentence each, with the value and the limit.

    Notes
    -----
    Limits: ess_count 100; largest share 0.1; share^2 ess_count = w_max^2 / sum w^2 one half (a
    single draw makes most of the variance estimate); pareto_k as in arXiv:1507.02646, eq. (13). An
    ``unseen_share`` that is two of its errors above both ``log_z_err`` and what is unseen by chance,
    ``unseen_by_chance``; where that is not known, above both 0.005 and twice ``log_z_err``. A
    ``log_weight_step_change``, by half the steps of a flow, above ``log_z_err``.
    """
    reasons = []
    count, share, k = diagnostics["ess_count"], diagnostics["max_weight"], diagnostics["pareto_k"]
    if count < MIN_ESS_COUNT:
        reasons.append(f"effective sample size {count:.3g} is below {MIN_ESS_COUNT:.0f}")
    if share > MAX_WEIGHT:
        reasons.append(f"one draw carries {share:.3g} of all weight, more than {MAX_WEIGHT}")
    if share**2 * count > MAX_VARIANCE_SHARE:
        reasons.append(f"one draw makes {share**2 * count:.3g} of sum w^2, more than {MAX_VARIANCE_SHARE}")
    limit = pareto_k_limit(int(diagnostics["n_draws"]))
    if k > limit:
        reasons.append(f"Pareto tail index {k:.2f} of the weights is above {limit:.2f}")
    unseen, err = diagnostics.get("unseen_share", 0.0), diagnostics.get("unseen_share_err", 0.0)
    log_z_err, by_chance = diagnostics.get("log_z_err", 0.0), diagnostics.get("unseen_by_chance")
    limit = max(MAX_UNSEEN, 2.0 * log_z_err) if by_chance is None else max(by_chance, log_z_err)
    if unseen - 2.0 * err > limit:
        low = -np.log1p(-min(unseen, 0.999))
        reasons.append(
            f"{unseen:.2g} of Z lies where no draw reached, on latents or in a tail: log_z is low by about "
            f"{low:.2g}"
        )
    change = diagnostics.get("log_weight_step_change", 0.0)
    if not change <= max(log_z_err, _ROUNDING):
        reasons.append(
            f"log weights change by {change:.2g} with half the steps of the flow, more than the error of "
            "log_z: take more (n_ode_steps)"
        )
    return reasons


def _log_mean_weight(sums: np.ndarray) -> np.ndarray:
    """log_z from column sums (count, w, ...)."""
    with np.errstate(divide="ignore"):  # a copy of zero weight is -inf
        return np.log(sums[..., 1] / sums[..., 0])


def _statistic(
    primaries: Primaries, origin: np.ndarray
) -> tuple[list[str], Callable[[np.ndarray], np.ndarray]]:
    """Names of (log_z, elbo, derived ...), and their function of column sums (count, w, log w, w a_k)."""
    ones = primaries.means(np.ones(len(primaries.names)))
    names = ["log_z", "elbo", *derived(primaries, ones | {"log_z": np.ones(())})]

    def statistic(sums: np.ndarray) -> np.ndarray:
        count, weight, log_weight = sums[..., 0], sums[..., 1], sums[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            log_z = _log_mean_weight(sums)
            means = primaries.means(sums[..., 3:] / weight[..., None] + origin) | {"log_z": log_z}
            parts = [log_z, log_weight / count, *derived(primaries, means).values()]
        return np.stack(parts, axis=-1)

    return names, statistic
