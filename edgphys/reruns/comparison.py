# SPDX-License-Identifier: MIT
"""Whether two datasets hold the same numbers: bit for bit, else which differ, by how many errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

__all__ = ["differences"]

_CLOCKS = ("wall_time",)


def differences(before: xr.Dataset, now: xr.Dataset) -> tuple[str, ...]:
    """One line for each variable or coordinate that is not the same; NaN is the same as NaN.

    Seconds are not compared.

    Examples
    --------
    >>> one = xr.Dataset({"energy": 1.0, "energy_err": 0.1})
    >>> differences(one, one), differences(one, one.assign(energy=1.2))
    ((), ('energy: by up to 0.2, 2 errors',))
    """
    lines = []
    for name in dict.fromkeys([*before.variables, *now.variables]):
        if name in _CLOCKS:
            continue
        if name not in before.variables or name not in now.variables:
            lines.append(f"{name}: only {'now' if name in now.variables else 'before'}")
            continue
        one, other = before[name].variable, now[name].variable
        if one.dims != other.dims or one.shape != other.shape or one.dtype.kind != other.dtype.kind:
            lines.append(f"{name}: {_shape(one)} before, {_shape(other)} now")
        elif not _same(one.values, other.values):
            lines.append(f"{name}: {_amount(one.values, other.values, _errors(before, name, one))}")
    return tuple(lines)


def _shape(variable: xr.Variable) -> str:
    dims = ", ".join(f"{dim} {size}" for dim, size in variable.sizes.items()) or "one number"
    return f"{variable.dtype} of {dims}"


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    numeric = one.dtype.kind in "fc"
    if not np.array_equal(one, other, equal_nan=numeric):
        return False
    # 0 and -0 are equal and not the same.
    return not numeric or np.array_equal(np.signbit(one[one == 0]), np.signbit(other[other == 0]))


def _errors(before: xr.Dataset, name: Any, variable: xr.Variable) -> np.ndarray | None:
    error = before.variables.get(f"{name}_err")
    return error.values if error is not None and error.dims == variable.dims else None


def _amount(one: np.ndarray, other: np.ndarray, errors: np.ndarray | None) -> str:
    if one.dtype.kind not in "iuf":
        return "other values"
    gap = np.abs(other.astype(float) - one.astype(float))
    n_blank = int((np.isnan(one) != np.isnan(other)).sum()) if one.dtype.kind == "f" else 0
    blanks = f", {n_blank} values blank in one of them" if n_blank else ""
    if not np.isfinite(gap).any():
        return f"other values{blanks}"
    words = f"by up to {np.nanmax(gap):.3g}"
    if errors is not None and (known := (errors > 0) & np.isfinite(gap)).any():
        words += f", {np.max(gap[known] / errors[known]):.3g} errors"
    n_other = int((gap > 0).sum())
    return words + (f", in {n_other} of {gap.size} values" if gap.size > 1 else "") + blanks
