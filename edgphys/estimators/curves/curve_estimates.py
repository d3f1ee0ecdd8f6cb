# SPDX-License-Identifier: MIT
"""Estimates at every value of a coupling from pooled draws, with errors and covariances along the curve.

All estimates are those of `edgphys.observables`: functions of means over the weights of `Pool`, which at each
value of the coupling take the energy of the system there. Errors are delete-block jackknife ones, each block
with equally many draws of every node; the same draws serve all values, so that neighbours on the curve go up
and down together: ``log_z_covariance`` and ``energy_covariance`` say how much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from edgphys.estimators.curves.pooled import Pool
from edgphys.estimators.derived import Primaries, derived, read_primaries
from edgphys.estimators.limits import ranges
from edgphys.estimators.resampling import N_BLOCKS, block_sums, jackknife, jackknife_changes
from edgphys.estimators.weights.fluctuations_seen import judge_fluctuations
from edgphys.estimators.weights.pareto import pareto_k
from edgphys.estimators.weights.weighted_estimates import reliability, weight_diagnostics

__all__ = ["CurveValues", "curve_values"]

_WITH_COVARIANCE = ("log_z", "energy")


@dataclass(frozen=True)
class CurveValues:
    """What `curve_values` finds.

    Attributes
    ----------
    values : dict of str to array, shape (n_values,)
        ``<name>`` and ``<name>_err`` of every estimate, and the diagnostics of the weights.
    covariances : dict of str to array, shape (n_values, n_values)
        Of ``log_z`` and ``energy``.
    reasons : list of list of str
        Why not to trust each value.
    """

    values: dict[str, np.ndarray]
    covariances: dict[str, np.ndarray]
    reasons: list[list[str]]


def curve_values(pool: Pool, points: Iterable[xr.Dataset], unseen: dict[str, float]) -> CurveValues:
    """Estimates at every value of a coupling.

    Parameters
    ----------
    pool : Pool
    points : iterable of Dataset
        For each value all draws, node after node, as the system there sees them: dim ``draw``;
        ``reduced_energy``, ``energy`` and observables; attrs of the system.
    unseen : dict of str to float
        ``unseen_share`` and its error, or nothing: goes into the judgement of the weights.
    """
    rows, changes, reasons = [], [], []
    # Of the joint weights: pooled ones are bounded but for these, and ties among them pass for a tail.
    tail = {"pareto_k": pareto_k(pool.log_relative.ravel())}
    for point in points:
        found, change, why = _at_value(pool, point)
        found |= tail
        why = reliability(found | unseen) + why
        rows.append(found | {"reliable": float(not why)})
        changes.append(change)
        reasons.append(why)
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    stacked = {name: np.stack([change[name] for change in changes], axis=1) for name in changes[0]}
    return CurveValues(values, {name: r.T @ r for name, r in stacked.items()}, reasons)


def _at_value(pool: Pool, point: xr.Dataset) -> tuple[dict[str, float], dict[str, np.ndarray], list[str]]:
    """Estimates and diagnostics at one value, what each block does to log_z and energy, and reasons."""
    energies = point["reduced_energy"].values.reshape(pool.log_base.shape)
    log_weights = (pool.log_base - energies).ravel()
    heaviest = int(np.argmax(log_weights))
    primaries, origin = _around(read_primaries(point, ("draw",)), heaviest)
    shift = float(log_weights[heaviest])
    columns = (primaries.columns - origin[:, None]).reshape(-1, *energies.shape)
    rows = pool.rows(energies + shift, columns)
    sums = block_sums(np.vstack([np.ones(rows.shape[1]), rows]), min(rows.shape[1], N_BLOCKS))
    names, statistic = _statistic(primaries, origin)
    estimates, errors = jackknife(sums, sums[:, 0], statistic, *ranges(primaries, names))
    found = dict(zip(names, estimates.tolist(), strict=True))
    found |= {f"{name}_err": err for name, err in zip(names, errors.tolist(), strict=True)}
    for name in {"log_z", "entropy"} & found.keys():
        found[name] += shift
    temperature = float(point.attrs["temperature"])
    found |= {"free_energy": -temperature * found["log_z"]}
    found |= {"free_energy_err": temperature * found["log_z_err"]}
    changes = jackknife_changes(sums, sums[:, 0], statistic)
    kept = {name: changes[:, names.index(name)] for name in _WITH_COVARIANCE}
    found |= weight_diagnostics(log_weights)
    return found, kept, judge_fluctuations(primaries, np.exp(log_weights - shift), found, temperature)


def _around(primaries: Primaries, heaviest: int) -> tuple[Primaries, np.ndarray]:
    """With the heaviest draw as the origin of energy and columns: no digits are lost at the value itself."""
    energy = primaries.columns[primaries.names.index("energy")]
    moved = primaries.with_energy_zero(float(energy[heaviest]))
    return moved, moved.columns[:, heaviest]


def _statistic(
    primaries: Primaries, origin: np.ndarray
) -> tuple[list[str], Callable[[np.ndarray], np.ndarray]]:
    """Names of (log_z, derived ...), and their function of column sums (count, w, w a_k)."""
    ones = primaries.means(np.ones(len(primaries.names)))
    names = ["log_z", *derived(primaries, ones | {"log_z": np.ones(())})]

    def statistic(sums: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            log_z = np.log(sums[..., 1] / sums[..., 0])
            means = primaries.means(sums[..., 2:] / sums[..., 1:2] + origin) | {"log_z": log_z}
            return np.stack([log_z, *derived(primaries, means).values()], axis=-1)

    return names, statistic
