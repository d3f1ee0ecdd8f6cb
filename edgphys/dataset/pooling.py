# SPDX-License-Identifier: MIT
r"""One result from those of several independent runs of the same cell of a scan.

Results are averaged with weights that are fixed before anything is drawn, the numbers of draws
(``n_draws``; alike where a run does not tell):

    a = sum_k n_k a_k / sum_k n_k,        err^2 = sum_k (n_k err_k)^2 / (sum_k n_k)^2 .

So the average of unbiased estimates is unbiased, and a bias is that of one run. Weights 1 / err_k^2 would be
smaller for the errors given, but errors are estimates: where they go with the result, as for a specific heat
or draws with a tail, the runs that happened to be low would count more.

Whether the runs agree is asked apart, with weights 1 / err^2, of every result that all of them have:

    chi^2 = sum_k (a_k - a_0)^2 / err_k^2,     a_0 = sum_k a_k err_k^-2 / sum_k err_k^-2,

with one degree of freedom less than there are runs. They disagree if the smallest of M p-values is below
0.0027 / M (three sigma, Bonferroni).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgphys import observables

__all__ = ["Agreement", "agreement", "is_exact", "pooled"]

_LEVEL = 0.0027
_ADDED = {"n_draws", "n_eff", "ess_count", "n_bridge", "n_runs", *observables.COSTS}
_SMALLEST = {"converged", "reliable", "ess", "ess_reverse", "swap_rate", "overlap", "bridge_overlap"}
_LARGEST = {"tau_int", "tau_int_err", "r_hat", "max_weight", "pareto_k", "unseen_share", "unseen_share_err"}
_LARGEST |= {"mismatch", "log_z_quadrature", "n_rungs", "runs_chi2"}
_OF_ONE_RUN = {"log_z_low", "log_z_high"}  # quantiles have no mean

Cell = Mapping[str, float]


def is_exact(cell: Cell) -> bool:
    """Whether results of a cell have no errors."""
    errors = [value for name, value in cell.items() if name.endswith("_err")]
    return bool(errors) and not any(errors)


def pooled(cells: Collection[Cell]) -> dict[str, float]:
    """The results of several runs as one.

    Parameters
    ----------
    cells : collection of dict
        What each run gives by name, at least one; NaN for what it could not determine.

    Returns
    -------
    dict
        NaN for a result that one of those that give it could not determine: the others would be a choice
        among results. Counts and costs are added, of diagnostics the worst is taken.
    """
    if len(cells) == 1:
        return dict(next(iter(cells)))
    names = dict.fromkeys(name for cell in cells for name in cell)
    return {name: _one(name, [cell for cell in cells if name in cell], set(names)) for name in names}


def _one(name: str, cells: list[Cell], names: set[str]) -> float:
    values = np.array([cell[name] for cell in cells])
    if name in _ADDED:
        return float(np.nansum(values))
    if name in _SMALLEST:
        return float(np.fmin.reduce(values))
    if name in _LARGEST:
        return float(np.fmax.reduce(values))
    if name in _OF_ONE_RUN:
        return float("nan")
    weights = _weights(cells)
    if name.endswith("_err") and name.removesuffix("_err") in names:
        return float(np.sqrt(np.sum((weights * values) ** 2)))
    return float(np.sum(weights * values))


def _weights(cells: list[Cell]) -> NDArray[np.float64]:
    counts = np.array([cell.get("n_draws", np.nan) for cell in cells])
    counts = np.where(np.isfinite(counts).all(), counts, 1.0)
    return counts / counts.sum()


@dataclass(frozen=True)
class Agreement:
    """Whether runs of one cell agree.

    Attributes
    ----------
    chi2 : float
        Per degree of freedom, of the result with the smallest p-value; NaN where nothing can be compared.
    words : str
        What they disagree in; "" if they agree.
    """

    chi2: float
    words: str


def agreement(cells: Collection[Cell]) -> Agreement:
    """Compare the results of runs of one cell."""
    shared = [name for name in next(iter(cells)) if all(_has_error(cell, name) for cell in cells)]
    found = {name: _chi2(name, cells) for name in shared if not observables.record(name, {}).joint}
    if not found:
        return Agreement(float("nan"), "")
    n_free = len(cells) - 1
    from scipy.special import chdtrc  # which most commands go without

    chances = {name: float(chdtrc(n_free, value)) for name, value in found.items()}
    worst = min(chances, key=chances.__getitem__)
    value = found[worst] / n_free
    if chances[worst] >= _LEVEL / len(found):
        return Agreement(value, "")
    return Agreement(value, f"runs disagree in {worst} (chi^2 {value:.3g} per degree of freedom)")


def _has_error(cell: Cell, name: str) -> bool:
    error = cell.get(f"{name}_err", np.nan)
    return bool(np.isfinite(cell.get(name, np.nan)) and np.isfinite(error) and error > 0)


def _chi2(name: str, cells: Collection[Cell]) -> float:
    values = np.array([cell[name] for cell in cells])
    weights = np.array([cell[f"{name}_err"] for cell in cells]) ** -2.0
    return float(np.sum(weights * (values - np.sum(weights * values) / weights.sum()) ** 2))
