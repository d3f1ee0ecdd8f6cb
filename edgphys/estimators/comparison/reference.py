# SPDX-License-Identifier: MIT
"""What comparisons with a reference share: weighted draws as arrays, and the dataset of the result."""

from __future__ import annotations

import numpy as np
import scipy
import xarray as xr

from edgphys._checks import numbers_of
from edgphys.dataset.schema import SCHEMA_VERSION
from edgphys.estimators.weights.weighted_estimates import reliability, weight_diagnostics

__all__ = ["check_finite", "distance_dataset", "weight_warning", "weighted_points", "weighted_scalars"]


def weighted_scalars(values, log_weights, argument: str) -> tuple[np.ndarray, np.ndarray]:
    """Draws of a scalar, shape (n,), and their shares of the weight, both float64."""
    allowed = "at least two finite numbers"
    array = numbers_of(values, argument, allowed)
    check_finite(array, argument, allowed, array.ndim == 1 and len(array) >= 2)
    return array, _share(log_weights, len(array), argument)


def weighted_points(values, log_weights, argument: str) -> tuple[np.ndarray, np.ndarray]:
    """Draws as points, shape (n, d), and their shares of the weight, both float64."""
    allowed = "at least two finite points, shape (n, d)"
    array = numbers_of(values, argument, allowed)
    check_finite(array, argument, allowed, array.ndim >= 2 and len(array) >= 2)
    array = array.reshape(len(array), -1)
    return array, _share(log_weights, len(array), argument)


def check_finite(array: np.ndarray, name: str, allowed: str, fits: bool) -> None:
    """Refuse an array of another shape than allowed, or with numbers that are not finite."""
    if not fits:
        raise ValueError(f"{name} must be {allowed}, got shape {array.shape}")
    if n_bad := np.count_nonzero(~np.isfinite(array)):
        raise ValueError(f"{name} must be {allowed}, got {n_bad} of {array.size} not finite")


def _share(log_weights, n: int, argument: str) -> np.ndarray:
    """Weights that add up to 1; equal ones without logarithms."""
    if log_weights is None:
        return np.full(n, 1.0 / n)
    name, allowed = f"log weights of {argument}", f"{n} numbers, finite or -inf, one of them finite"
    logs = numbers_of(log_weights, name, allowed)
    if logs.shape != (n,):
        raise ValueError(f"{name} must be {allowed}, got shape {logs.shape}")
    if np.isnan(logs).any() or not np.isfinite(logs.max()):
        came = ", ".join(
            f"{np.count_nonzero(are(logs))} {what}"
            for are, what in ((np.isnan, "NaN"), (np.isposinf, "inf"), (np.isneginf, "-inf"))
        )
        raise ValueError(f"{name} must be {allowed}, got {came}")
    return scipy.special.softmax(logs)


def weight_warning(**log_weights) -> str:
    """Why weights are not to be trusted, by the name of the argument; empty if they are, or there are none.

    Examples
    --------
    >>> weight_warning(x=[0.0, 9.0], y=None)[:43]
    'x: effective sample size 1 is below 100; on'
    """
    found = []
    for name, logs in log_weights.items():
        reasons = [] if logs is None else reliability(weight_diagnostics(np.asarray(logs, np.float64)))
        found += [f"{name}: {reasons[0]}", *reasons[1:]] if reasons else []
    return "; ".join(found)


def distance_dataset(method: str, values: dict, attrs: dict) -> xr.Dataset:
    """Dataset of kind "distance": numbers with their definitions, and what they were made with."""
    variables = {name: ((), float(value), {"definition": text}) for name, (value, text) in values.items()}
    about = {"kind": "distance", "schema_version": SCHEMA_VERSION, "method": method}
    return xr.Dataset(variables, attrs={**about, **attrs})
