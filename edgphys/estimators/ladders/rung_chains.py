# SPDX-License-Identifier: MIT
"""Whether the chains that a reweighted point is made of agree, and whether its averages have fluctuated.

A rung matters to a point if it holds over 5 % of the weights there: its chains must pass R-hat, by every
observable that they are judged by elsewhere (`edgphys.estimators.chains.verdict`). Fluctuations are judged at
the point itself, by the series of what each draw does to its averages: a rung at rest is no fault where draws
of others carry the error.
"""

from __future__ import annotations

import numpy as np

from edgphys.dataset.padding import pooled
from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.estimators.chains.convergence import R_HAT_LIMIT, r_hat
from edgphys.estimators.derived import Primaries
from edgphys.estimators.fluctuations import carriers, fluctuation_reasons, is_still, of_own_rank
from edgphys.estimators.ladders.reweighting import Reweighted, Reweighting

__all__ = ["chain_reasons"]

_SHARE = 0.05  # of the weights of a point


def chain_reasons(there: Reweighting, primaries: Primaries, found: Reweighted) -> list[str]:
    """Why not to believe the chains at one point; none if the list is empty.

    Parameters
    ----------
    there : Reweighting
        All draws.
    primaries : Primaries
        Columns of shape (n_columns, n).
    found : Reweighted
        Weights, averages and influences at the point.
    """
    judged = {name: primaries.names.index(name) for name in of_own_rank(primaries.tracked())}
    reasons = []
    shares = [float(pooled(weights).sum()) for weights in there.by_rung(found.weights)]
    for name, k in judged.items():
        series = there.by_rung(primaries.columns[k])
        worst = max(r_hat(one) for one, share in zip(series, shares, strict=True) if share > _SHARE)
        if worst >= R_HAT_LIMIT:
            reasons.append(f"r_hat {worst:.4g} of {name} at a rung nearby is not below {R_HAT_LIMIT}")
    still, counts = [], {}
    for name, k in judged.items():
        parts = there.series(found.influences[1 + k])
        # Around the mean, not 0: what is constant up to rounding has not fluctuated.
        if all(is_still(found.means[k] + pooled(part).size * part) for part in parts):
            still.append(name)
        else:
            tau_int = max(1.0, *(2.0 * gamma_method(part).tau_int for part in parts))
            counts[name] = carriers(np.concatenate([pooled(part).ravel() for part in parts])) / tau_int
    return reasons + fluctuation_reasons(still, counts)
