# SPDX-License-Identifier: MIT
r"""Whether weighted draws have seen enough fluctuation for their error bars; a floor for that of log_z.

The influence of a draw on an average is w (a - <a>), on log_z it is w - <w>; see
`edgphys.estimators.fluctuations` for what is asked of them.

Floor. Where the draws are all alike, or all but a few, log_z is the weight of one kind of configurations,
however equal their weights are. Others have a probability of 1/n (posterior standard deviation, none of n
draws), and nothing says that the generator gives them their weight: log_z may be off by as much as they have,

    err^2 = err_seen^2 + 1 / n^2 ,    n the effective number of draws.
"""

from __future__ import annotations

import math

import numpy as np

from edgphys.estimators.derived import Primaries, errors_unknown, gradient
from edgphys.estimators.fluctuations import are_alike, carriers, fluctuation_reasons, of_own_rank
from edgphys.estimators.limits import undetermined

__all__ = ["judge_fluctuations"]

_EQUAL = 1e-9  # weights that differ by less may differ by rounding


def judge_fluctuations(
    primaries: Primaries, weights: np.ndarray, values: dict[str, float], temperature: float
) -> list[str]:
    """Put right the errors that the draws do not show, and say why they are not to be trusted.

    Parameters
    ----------
    primaries : Primaries
        Columns of shape (n_columns, n_draws).
    weights : float64 array, shape (n_draws,)
        The largest is 1.
    values : dict of name -> float
        Estimates with their errors and ``ess_count``. Changed in place: errors of what has not fluctuated
        become NaN, and ratios whose denominator may be zero; errors of ``log_z``, ``free_energy`` and
        ``entropy`` get the floor where the draws are alike.
    temperature : float

    Returns
    -------
    list of str
        Reasons; none if the list is empty.
    """
    still, total = primaries.still(weights), weights.sum()
    means = primaries.columns @ weights / total
    _, gradients = gradient(primaries, means)
    for name, unknown in errors_unknown(primaries, gradients, still).items():
        values[f"{name}_err"] = math.nan if unknown or math.isnan(values[name]) else 0.0
    influences = weights * (primaries.columns - means[:, None])
    errors = np.sqrt((influences**2).sum(axis=1)) / total
    named = (dict(zip(primaries.names, numbers.tolist(), strict=True)) for numbers in (means, errors))
    for name in values.keys() & set(undetermined(primaries, *named)):
        values[name] = values[f"{name}_err"] = math.nan
    judged = [name for name in of_own_rank(primaries.tracked()) if name not in primaries.constants]
    places = {name: primaries.names.index(name) for name in judged}
    counts = {name: carriers(influences[k]) for name, k in places.items() if name not in still}
    if np.ptp(weights) > _EQUAL:
        counts["log_z"] = carriers(weights - total / len(weights))
    reasons = fluctuation_reasons([name for name in judged if name in still], counts)
    seen = primaries.columns[list(places.values())][:, weights > 0.0]
    if any(are_alike(column) for column in seen):
        values["log_z_err"] = math.hypot(values["log_z_err"], 1.0 / values["ess_count"])
        values["free_energy_err"] = temperature * values["log_z_err"]
        if "entropy" in values:
            values["entropy_err"] = math.hypot(values["entropy_err"], 1.0 / values["ess_count"])
    if "entropy" in values and math.isnan(values["energy_err"]):
        values["entropy_err"] = math.nan
    return reasons
