# SPDX-License-Identifier: MIT
"""What is known of draws before anything is made from them: carried into every product with its warning.

Chains are judged by all observables that `edgphys.estimate` judges them by, and by the series the product is
made of (`edgphys.estimators.chains.verdict`); weighted draws by their weights, and by the part of the target
that they are known to miss (`edgphys.estimators.weights.weighted_estimates`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.copies import per_draw
from edgphys.dataset.padding import drawn
from edgphys.errors import ShortChainError
from edgphys.estimators.chains.verdict import judge_chains
from edgphys.estimators.derived import has_primaries, read_primaries
from edgphys.estimators.draws import draw_dims, log_weights_of, refuse_copies, warning_of
from edgphys.estimators.weights.weighted_estimates import judge_weights
from edgphys.observables import TABLE

__all__ = ["Diagnosis", "diagnose", "warning_on"]


@dataclass(frozen=True)
class Diagnosis:
    """Diagnostics of draws, for a result that is made from them.

    Attributes
    ----------
    values : dict of name -> float
        Of chains ``n_draws``, ``tau_int`` and ``tau_int_err``, ``n_eff``, ``r_hat``, ``converged``; of
        weighted draws ``n_draws``, ``ess``, ``ess_count``, ``max_weight``, ``pareto_k``, ``reliable``, and
        ``unseen_share`` where it is known.
    notes : dict of name -> str
        ``warning``: why the draws are not to be trusted, empty if they are; of chains ``tau_int_of`` and
        ``r_hat_of``.
    window : int
        Lags that the slowest observable of chains needs, in draws; 0 for weighted draws.
    weights : float64 array, shape (n_draws,), or None
        Those of weighted draws, the largest 1.
    """

    values: dict[str, float]
    notes: dict[str, str]
    window: int
    weights: np.ndarray | None

    @property
    def n_independent(self) -> float:
        """Independent draws that these are worth."""
        return self.values["n_eff"] if self.weights is None else self.values["ess_count"]

    def variables(self) -> dict[str, tuple[tuple[()], float, dict[str, str]]]:
        """The values as variables of a dataset, with their definitions."""
        return {
            name: ((), value, {"definition": TABLE[name].definition}) for name, value in self.values.items()
        }

    def attrs(self, samples: xr.Dataset, *reasons: str) -> dict[str, Any]:
        """Attributes of `samples` with the notes; `reasons` of the result come after those of the draws."""
        warning = warning_of(xr.Dataset(attrs=self.notes), reasons)
        return {**samples.attrs, **self.notes, "warning": warning}


def diagnose(samples: xr.Dataset, own: Mapping[str, np.ndarray] | None = None) -> Diagnosis:
    """Diagnostics of draws of either kind.

    Parameters
    ----------
    samples : Dataset
        Weighted draws, or chains.
    own : mapping of name -> array, shape (n_chains, n_draws), optional
        Series that the result is made of; of chains they are judged too. NaN beyond the end of a shorter one.

    Raises
    ------
    TypeError, ValueError
        If `samples` is no dataset of draws, weights or observables are not finite, or draws are there twice.
    NotExactError
        If the log weights are noisy (Hutchinson probes).
    ShortChainError
        If chains have fewer than 16 draws.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((8, 1000)) + np.arange(8)[:, None]
    >>> diagnose(xr.Dataset({"x": (("chain", "draw"), x)})).values["converged"]
    0.0
    """
    refuse_copies(samples)
    if draw_dims(samples) == ("draw",):
        log_weights = log_weights_of(samples)
        values, reasons = judge_weights(samples, log_weights)
        notes = {"warning": warning_of(samples, reasons)}
        return Diagnosis(values, notes, 0, np.exp(log_weights - log_weights.max()))
    columns = _observables(samples)
    for name, column in (own or {}).items():
        if not any(np.array_equal(column, other, equal_nan=True) for other in columns.values()):
            columns[name] = column
    if not columns:
        raise ValueError(f"samples must hold an observable, got {tuple(samples.data_vars)}")
    verdict = judge_chains(columns)
    notes = verdict.notes | {"warning": warning_of(samples, verdict.reasons)}
    return Diagnosis(verdict.values, notes, verdict.window, None)


def warning_on(chains: xr.Dataset, series: np.ndarray) -> str:
    """Why chains are not to be trusted, by their observables or a series of their own; empty if they are."""
    own = {"log_weight_reverse": series} if np.isfinite(series).all() else {}
    try:
        return diagnose(chains, own).notes["warning"]
    except ShortChainError as error:
        return warning_of(chains, [str(error)])


def _observables(samples: xr.Dataset) -> dict[str, np.ndarray]:
    """What `edgphys.estimate` judges chains by; of a dataset that it cannot read, every finite series."""
    dims = ("chain", "draw")
    if has_primaries(samples):
        return read_primaries(samples, dims).tracked_columns()
    columns, there = per_draw(samples, dims), drawn(samples, dims)
    return {name: column for name, column in columns.items() if np.isfinite(column[there]).all()}
