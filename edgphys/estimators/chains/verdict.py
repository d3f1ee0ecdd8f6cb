# SPDX-License-Identifier: MIT
"""Whether to believe Markov chains: one judgement over several observables, for all that is made from them.

converged = 1 when r_hat < 1.01, n > 50 (2 tau_int) over all chains, every window closed, halves agree, every
observable fluctuates, and ten independent draws at least carry its variance.
R-hat is the strictest of these: chains that agree stay above 1.01 until each of the parts it compares (two
per chain, four of a single chain) holds 50 to 75 (2 tau_int) draws; `enough_draws` of
`edgphys.estimators.chains.chain_estimates` says how many that are. Chains much shorter that pass by luck do
so because their tau_int came out small; their bars are too short. The slowest observable counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgphys.dataset.padding import pooled
from edgphys.estimators.chains.autocorrelation import GammaResult, gamma_method
from edgphys.estimators.chains.convergence import R_HAT_LIMIT, halves_limit, halves_z, r_hat
from edgphys.estimators.fluctuations import (
    MIN_CARRIERS,
    carriers,
    fluctuation_reasons,
    is_still,
    of_own_rank,
)

__all__ = ["MIN_N_EFF", "ChainVerdict", "acceptance_of", "judge_chains"]

MIN_N_EFF = 50.0  # independent draws over all chains, below which error bars and R-hat mean little


@dataclass(frozen=True)
class ChainVerdict:
    """What is known of chains, over all observables that were looked at.

    Attributes
    ----------
    values : dict of name -> float
        ``n_draws``, ``tau_int`` (largest, in draws) and ``tau_int_err``, ``n_eff`` (= n / (2 tau_int)),
        ``r_hat`` (largest), ``converged``; NaN where nothing moves.
    notes : dict of name -> str
        ``tau_int_of`` and ``r_hat_of``: the observables they belong to.
    reasons : list of str
        Why the chains are not converged; none if the list is empty.
    results : dict of name -> GammaResult
        Of every observable.
    unseen : tuple of str
        Observables whose fluctuation is missing, or carried by fewer than ten independent draws.
    unseen_reasons : list of str
        Those of the reasons that say so, and no more.
    """

    values: dict[str, float]
    notes: dict[str, str]
    reasons: list[str]
    results: dict[str, GammaResult]
    unseen: tuple[str, ...] = ()
    unseen_reasons: list[str] = field(default_factory=list)

    @property
    def window(self) -> int:
        """Largest lag that the slowest of the observables needs, in draws."""
        return max(result.window for result in self.results.values())


def judge_chains(columns: Mapping[str, np.ndarray], acceptance: float = math.nan) -> ChainVerdict:
    """Judge chains by some of their observables.

    Parameters
    ----------
    columns : mapping of name -> array, shape (n_chains, n_draws)
        At least one, at least 16 draws per chain, NaN beyond the end of a shorter one; none that is constant
        by nature, unless it is the only one.
    acceptance : float
        Share of proposals that were accepted; NaN if unknown.

    Raises
    ------
    ShortChainError
        If a chain has fewer than 16 draws.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((8, 1000))
    >>> judge_chains({"x": x}).reasons, judge_chains({"x": x, "y": x + np.arange(8)[:, None]}).notes
    ([], {'tau_int_of': 'y', 'r_hat_of': 'y'})
    """
    results = {name: gamma_method(column) for name, column in columns.items()}
    moving = {name: column for name, column in columns.items() if not is_still(column)}
    slowest = max(moving or columns, key=lambda name: results[name].tau_int)
    n_draws = pooled(next(iter(columns.values()))).size
    r_hats = {name: r_hat(columns[name]) for name in of_own_rank(columns)}
    worst = max(r_hats, key=lambda name: -math.inf if math.isnan(r_hats[name]) else r_hats[name])
    values = {
        "n_draws": float(n_draws),
        "tau_int": results[slowest].tau_int,
        "tau_int_err": results[slowest].tau_int_err,
        "n_eff": n_draws / (2.0 * results[slowest].tau_int),
        "r_hat": r_hats[worst],
    }
    unseen, unseen_reasons = _unseen(columns, moving, results)
    reasons = unseen_reasons + _reasons(moving, results, values)
    if acceptance == 0.0:
        reasons.append("no proposal was accepted")
    values["converged"] = float(not reasons)
    notes = {"tau_int_of": slowest, "r_hat_of": worst}
    return ChainVerdict(values, notes, reasons, results, unseen, unseen_reasons)


def acceptance_of(attrs: Mapping[str, Any]) -> float:
    """Share of accepted proposals that the attributes of chains record; NaN if they record none."""
    measured = json.loads(attrs.get("settings", "{}")).get("measured", {})
    return float(attrs.get("acceptance", measured.get("acceptance", math.nan)))


def _unseen(
    columns: Mapping[str, np.ndarray], moving: Mapping[str, np.ndarray], results: dict[str, GammaResult]
) -> tuple[tuple[str, ...], list[str]]:
    """Fluctuations that are missing, or that few independent draws carry."""
    judged = of_own_rank(columns)
    counts = {
        name: carriers(pooled(moving[name]) - results[name].mean) / (2.0 * results[name].tau_int)
        for name in judged
        if name in moving
    }
    still = [name for name in judged if name not in moving]
    few = [name for name, count in counts.items() if count < MIN_CARRIERS]
    return (*still, *few), fluctuation_reasons(still, counts)


def _reasons(
    columns: Mapping[str, np.ndarray], results: dict[str, GammaResult], values: dict[str, float]
) -> list[str]:
    """Why the chains are not converged; none if the list is empty."""
    reasons = []
    if values["r_hat"] >= R_HAT_LIMIT:
        reasons.append(f"r_hat {values['r_hat']:.4g} is not below {R_HAT_LIMIT}")
    if values["n_eff"] <= MIN_N_EFF:
        reasons.append(
            f"{values['n_draws']:.0f} draws are not more than {MIN_N_EFF:.0f} x 2 tau_int = "
            f"{MIN_N_EFF * 2 * values['tau_int']:.0f}"
        )
    still_open = [name for name in columns if not results[name].closed]
    if still_open:
        reasons.append(f"no window for tau_int of {', '.join(still_open)}: the chain is too short")
    limit = halves_limit(max(1, len(columns)))
    for name, column in columns.items():
        z = halves_z(column)
        if abs(z) > limit:
            reasons.append(
                f"halves of the chains differ in {name} by {z:.1f} standard errors (limit {limit:.1f})"
            )
    return reasons
