# SPDX-License-Identifier: MIT
r"""Estimates between the rungs of a ladder, from all its draws, see `edgphys.estimators.ladders.reweighting`.

All estimates are those of `edgphys.observables`, functions of averages: errors follow from the influence of
every draw on the averages, projected on the gradient. They are not corrected for their bias of order 1/n.

A point is `reliable` where enough of the draws belong to it: Kish's effective sample size of its weights is
at least `MIN_OVERLAP` of the draws of a rung, and `MIN_N_EFF` draws after division by 2 tau_int. Where it is
below a fifth of `MIN_OVERLAP`, nothing was drawn near the point and all its estimates are NaN: the heaviest
draws are the outermost ones there, and their scatter is no error. The chains of the rungs near it must
agree, and its averages rest on more than a few draws (`edgphys.estimators.ladders.rung_chains`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from edgphys import _checks, observables
from edgphys.dataset.padding import lengths
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.estimators.chains.verdict import MIN_N_EFF
from edgphys.estimators.curves.curve_dataset import curve_warnings
from edgphys.estimators.derived import Primaries, derived, gradient, read_primaries
from edgphys.estimators.ladders.conditions import Drawn, read_drawn
from edgphys.estimators.ladders.reweighting import Reweighted, Reweighting
from edgphys.estimators.ladders.rung_chains import chain_reasons
from edgphys.estimators.resampling import block_sums
from edgphys.estimators.weights.weighted_estimates import weight_diagnostics
from edgphys.recording.record import recorded

__all__ = ["reweight"]

MIN_OVERLAP = 0.05  # of a Gaussian energy, whose rungs would swap at 0.22
_ROUNDING = 1e-14  # of an average
_BLOCK = 10.0  # of the bootstrap, in 2 tau_int: its errors are 5 % too short

_WORDS = {
    "log_z_difference": "log Z less that of the first rung",
    "ess": "Kish effective sample size of the weights at this value, as a fraction of the draws of a rung",
    "ess_count": "Kish effective sample size of the weights at this value, (sum w)^2 / sum w^2",
    "max_weight": "largest weight at this value as a share of the sum",
    "n_eff": "ess_count / (2 tau_int)",
    "tau_int": "integrated autocorrelation time of the energy at this value, in draws",
    "reliable": "1 where enough draws belong to this value, else 0 with the reasons in the attribute warning",
}


@recorded("reweight")
def reweight(
    draws: xr.Dataset | Sequence[xr.Dataset],
    *,
    n_resamples: int = 0,
    seed: int = 0,
    log_z_reference: float | None = None,
    **conditions: Any,
) -> xr.Dataset:
    """Estimates at couplings between those that were sampled, from all draws together.

    Parameters
    ----------
    draws : Dataset or sequence of Dataset
        A ladder (`edgphys.mcmc.temper`), or chains (`edgphys.mcmc.run`) of one system at one or several
        temperatures.
    n_resamples : int
        Bootstrap copies of every estimate, from blocks of the chains; the same blocks serve all values, so
        that what is read off a curve, such as a crossing or a maximum, can be read off each copy.
    seed : int
        Of the copies.
    log_z_reference : float, optional
        log Z of the first rung, for ``log_z``, ``free_energy`` and ``entropy``.
    **conditions : float or array
        Couplings to go to: ``temperature=np.linspace(1.8, 3.2, 50)``; those that the rungs differ in, and
        the temperature. One may have several values; the rest, one each, are fixed. A coupling other than
        the temperature must be one that a ladder is over, and the action linear in it.

    Returns
    -------
    Dataset
        Of kind "curve", over the coupling: ``<name>`` and ``<name>_err`` of all estimates,
        ``log_z_difference``, diagnostics of the weights, ``reliable``; ``<name>_resampled`` (resample,
        coupling). attrs: ``warning``.

    Raises
    ------
    TypeError, ValueError
        If `draws` is neither, or a condition is not as above.
    ShortChainError
        If a chain has fewer than 16 draws.

    References
    ----------
    See `edgphys.estimators.ladders.reweighting`.

    Examples
    --------
    >>> import edgphys as ep, lattices
    >>> system = ep.Ising(lattices.build("square", (4, 4)), temperature=2.3)
    >>> ladder = ep.mcmc.temper(system, {"temperature": [2.0, 2.6]}, n_chains=2, n_sweeps=500, seed=1)
    >>> curve = reweight(ladder, temperature=[2.2, 2.4])
    >>> exact = system.replace(temperature=2.4).exact_results()["energy"]
    >>> bool(abs(curve.energy[1] - exact) < 3 * curve.energy_err[1]), curve.reliable.values.tolist()
    (True, [1.0, 1.0])
    """
    drawn = read_drawn(draws)
    if log_z_reference is not None:
        log_z_reference = _checks.finite(log_z_reference, "log_z_reference")
    coupling, values, fixed = _conditions(drawn, conditions)
    n_resamples = _checks.count(n_resamples, "n_resamples", 0)
    there = Reweighting(drawn.parts, drawn.coefficients)
    copies = _Copies(there, drawn, n_resamples, _checks.seed(seed)) if n_resamples else None
    rows, reasons = [], []
    for value in values.tolist():
        row, why = _at(there, drawn, fixed | {coupling: value}, copies, log_z_reference)
        rows.append(row)
        reasons.append(why)
    if log_z_reference is not None:
        _add_log_z(rows, values, coupling, drawn, fixed, log_z_reference)
    return _dataset(drawn, coupling, values, fixed, rows, reasons)


def _conditions(drawn: Drawn, conditions: Mapping[str, Any]) -> tuple[str, np.ndarray, dict[str, float]]:
    """Name and values of the coupling that the curve is over, and the couplings that are fixed."""
    known = [name for name in drawn.rungs[0]["parameters"] if name == "temperature" or name in drawn.varied]
    if not conditions:
        raise ArgumentTypeError(f"conditions must give one of {', '.join(known)}, got none", "conditions")
    for name in conditions:
        if name not in known:
            raise ArgumentValueError(
                f"{name} must be left out, as draws tell of {', '.join(known)} only", name
            )
    missing = [name for name in drawn.varied if name != "temperature" and name not in conditions]
    if missing:
        raise ArgumentTypeError(f"conditions must give {missing[0]}, in which the rungs differ", missing[0])
    if "temperature" in drawn.varied and "temperature" not in conditions:
        raise ArgumentTypeError("conditions must give temperature, in which the rungs differ", "temperature")
    arrays = {name: _checks.numbers_of(given, name, "finite numbers") for name, given in conditions.items()}
    several = [name for name, array in arrays.items() if np.ndim(array)] or [next(iter(arrays))]
    if len(several) > 1:
        raise ArgumentValueError(
            f"one condition may have several values, got {', '.join(several)}", several[1]
        )
    (coupling,) = several
    for name, array in arrays.items():
        array = np.atleast_1d(array)
        if array.ndim > 1 or not array.size or not np.isfinite(array).all():
            raise _checks.wrong(ArgumentValueError, name, "finite numbers", conditions[name])
        if name == "temperature" and not (array > 0).all():
            raise _checks.wrong(ArgumentValueError, name, "positive", conditions[name])
    fixed = {name: float(array) for name, array in arrays.items() if name != coupling}
    return coupling, np.unique(arrays[coupling]), fixed


def _at(
    there: Reweighting,
    drawn: Drawn,
    conditions: Mapping[str, float],
    copies: _Copies | None,
    log_z_reference: float | None,
) -> tuple[dict[str, Any], list[str]]:
    """Estimates with errors and diagnostics at one point, and why not to trust it."""
    coefficients, attrs = drawn.at(conditions)
    energy = there.pool.terms @ coefficients / attrs["beta"]
    columns = {name: ("draw", column) for name, column in (drawn.columns | {"energy": energy}).items()}
    primaries = read_primaries(xr.Dataset(columns, attrs=attrs), ("draw",))
    log_weights = there.pool.log_weights(coefficients)
    primaries = _around(primaries, np.exp(log_weights - log_weights.max()))
    found = there.at(coefficients, primaries.columns)
    if log_z_reference is None:
        named, means, influences = primaries, found.means, found.influences[1:]
    else:  # one more mean, on which the entropy depends
        named = replace(primaries, names=("log_z", *primaries.names))
        means, influences = np.append(log_z_reference + found.log_z, found.means), found.influences
    estimates, slopes = gradient(named, means)
    row: dict[str, Any] = {"log_z_difference": found.log_z}
    row["log_z_difference_err"], _ = there.error(found.influences[0])
    for name, value in estimates.items():
        row[name], known = value, np.isfinite(value) and np.isfinite(slopes[name]).all()
        err = there.error(slopes[name] @ influences)[0] if known else np.nan
        row[f"{name}_err"] = np.nan if 0.0 < err <= _ROUNDING * abs(value) else err
    _, tau_int = there.error(found.influences[1 + primaries.names.index("energy")])
    if copies is not None:
        row |= copies.of(named, means, found)
    weights = weight_diagnostics(log_weights)
    weights |= {"ess": weights["ess_count"] / there.pool.counts.max(), "tau_int": tau_int}
    weights |= {"n_eff": weights["ess_count"] / (2.0 * tau_int)}
    return _judged(row, weights, chain_reasons(there, primaries, found))


def _judged(
    row: dict[str, Any], weights: dict[str, float], chain_reasons: list[str]
) -> tuple[dict[str, Any], list[str]]:
    reasons = []
    if weights["ess"] < MIN_OVERLAP:
        reasons.append(
            f"weights of {weights['ess']:.2g} of the draws of a rung, below {MIN_OVERLAP}: no overlap"
        )
    if weights["n_eff"] < MIN_N_EFF:
        reasons.append(f"{weights['n_eff']:.2g} effective draws, fewer than {MIN_N_EFF:.0f}")
    reasons += chain_reasons
    if weights["ess"] < MIN_OVERLAP / 5:
        row = {name: np.full(np.shape(value), np.nan) for name, value in row.items()}
    shown = {name: weights[name] for name in ("ess", "ess_count", "max_weight", "tau_int", "n_eff")}
    return row | shown | {"reliable": float(not reasons)}, reasons


def _around(primaries: Primaries, weights: np.ndarray) -> Primaries:
    """With E_0 at the mean of the point: no digits are lost in the variance."""
    energy = primaries.columns[primaries.names.index("energy")]
    return primaries.with_energy_zero(float(energy @ weights / weights.sum()))


class _Copies:
    """Bootstrap copies from blocks of the chains, the same for all points."""

    def __init__(self, there: Reweighting, drawn: Drawn, n_resamples: int, seed: int) -> None:
        rng, self._there = np.random.default_rng(seed), there
        energies = there.series(there.pool.terms @ drawn.coefficients[0])
        self._blocks, self._counts = [], []
        for series in energies:
            length = int(np.ceil(_BLOCK * 2.0 * gamma_method(series).tau_int))
            per_chain = np.maximum(2, lengths(series) // length)
            n_blocks = int(per_chain.sum())
            self._blocks.append(per_chain)
            self._counts.append(
                rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), n_resamples) - 1.0
            )

    def of(self, named: Primaries, means: np.ndarray, found: Reweighted) -> dict[str, np.ndarray]:
        """``<name>_resampled`` of all estimates, shape (n_resamples,), from the last of the influences."""
        changes = np.zeros((len(self._counts[0]), len(found.influences)))
        parts = self._there.series(found.influences)
        for part, per_chain, counts in zip(parts, self._blocks, self._counts, strict=True):
            chains = zip(np.moveaxis(part, 1, 0), lengths(part[0]), per_chain, strict=True)
            sums = np.concatenate([block_sums(chain[:, :n], blocks) for chain, n, blocks in chains])
            changes = changes + counts @ sums
        values = derived(named, named.means(means + changes[:, len(found.influences) - len(means) :]))
        values["log_z_difference"] = found.log_z + changes[:, 0]
        shape = len(changes)
        return {f"{name}_resampled": np.broadcast_to(value, shape) for name, value in values.items()}


def _add_log_z(
    rows, values, coupling: str, drawn: Drawn, fixed: dict[str, float], log_z_reference: float
) -> None:
    for row, value in zip(rows, values.tolist(), strict=True):
        temperature = drawn.at(fixed | {coupling: value})[1]["temperature"]
        row["log_z"] = log_z_reference + row["log_z_difference"]
        row["log_z_err"] = row["log_z_difference_err"]
        row |= {"free_energy": -temperature * row["log_z"], "free_energy_err": temperature * row["log_z_err"]}


def _dataset(
    drawn: Drawn, coupling: str, values: np.ndarray, fixed: dict[str, float], rows: list, reasons: list
) -> xr.Dataset:
    ends = [drawn.at(fixed | {coupling: value})[1] for value in values[[0, -1]].tolist()]
    attrs = dict(ends[0])
    if ends[0]["beta"] != ends[1]["beta"] or coupling == "temperature":
        del attrs["temperature"], attrs["beta"]
    parameters = json.loads(attrs["parameters"])
    parameters.pop(coupling)
    names = [name for name in rows[0] if f"{name}_err" in rows[0]]
    ordered = [each for name in observables.ordered(names, attrs) for each in (name, f"{name}_err")]
    variables: dict[str, Any] = {}
    for name in dict.fromkeys([*ordered, *rows[0]]):
        data = np.array([row[name] for row in rows], dtype=np.float64).T
        dims = ("resample", coupling) if data.ndim == 2 else (coupling,)
        variables[name] = (dims, data, {"definition": _definition(name, attrs)})
    own = {name: about["definition"] for name, (*_, about) in variables.items()}
    attrs |= {
        "kind": "curve",
        "method": "reweighting",
        "parameters": json.dumps(parameters),
        "couplings": json.dumps([coupling]),
        "settings": json.dumps({"chains": attrs["method"], "n_rungs": len(drawn.rungs)}),
        "definitions": json.dumps(json.loads(attrs["definitions"]) | own),
        "warning": "; ".join(curve_warnings(coupling, values, reasons)),
    }
    return xr.Dataset(variables, {coupling: values}, attrs)


def _definition(name: str, attrs: Mapping[str, Any]) -> str:
    if name.endswith("_resampled"):
        return f"bootstrap copies of {name.removesuffix('_resampled')}"
    if name.endswith("_err"):
        return f"one standard error of {name.removesuffix('_err')}"
    return _WORDS.get(name) or observables.record(name, attrs).definition
