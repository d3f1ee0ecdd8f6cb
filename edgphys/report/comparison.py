# SPDX-License-Identifier: MIT
"""What the table and the picture of a scan share: which results to show, against what, how to write a number.

The reference of a result is the exact value where any point has one, else the first Markov chain, else the
first method. ``z = (a - b) / sqrt(err_a^2 + err_b^2)`` takes the two as independent: cells of a scan are.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from edgphys import observables
from edgphys._checks import instance
from edgphys.dataset.cell_names import cell_name
from edgphys.dataset.schema import NOT_THERE
from edgphys.errors import DatasetError, UnknownNameError
from edgphys.formulas import AXES
from edgphys.methods.base import Look
from edgphys.methods.registry import looks_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "blanks",
    "boundary_words",
    "check_scan",
    "format_value",
    "has_result",
    "is_result",
    "known_results",
    "looks",
    "model_ranges",
    "names_among",
    "reference_method",
    "results_of",
    "sampled_methods",
    "troubles",
    "whole_scan",
    "z_scores",
]


def known_results(attrs: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of results in the order shown, with the observables that the attrs of a dataset name.

    Examples
    --------
    >>> known_results({"observables": '["upper"]'})[-2:]
    ('vorticity', 'upper')
    """
    known = observables.table(attrs)
    return tuple(name for name in observables.ordered(known, attrs) if is_result(name, attrs))


def is_result(name: str, attrs: Mapping[str, Any]) -> bool:
    """Whether tables show `name` as a result; they do if no table of observables knows it."""
    record = observables.record(name, attrs)
    return record.in_table and record.role in ("estimate", "own", "staggered")


def boundary_words(attrs: Mapping[str, Any]) -> str:
    """periodic, open, or along which axes it is periodic.

    Examples
    --------
    >>> boundary_words({"pbc": [1, 1]}), boundary_words({"pbc": [0, 1]}), boundary_words({"pbc": 0})
    ('periodic', 'periodic along y', 'open')
    """
    periodic = np.atleast_1d(attrs.get("pbc", 1))
    if periodic.all() or not periodic.any():
        return "periodic" if periodic.all() else "open"
    return "periodic along " + "".join(AXES[axis] for axis in np.flatnonzero(periodic))


def check_scan(table: xr.Dataset) -> tuple[str, ...]:
    """Names of the scanned couplings of `table`.

    Raises
    ------
    TypeError
        If `table` is no Dataset.
    DatasetError
        If `table` is not the result of a scan, or has lost one of its dims.
    """
    import xarray as xr

    instance(table, "table", xr.Dataset, "an xarray.Dataset")
    if table.attrs.get("kind") != "scan":
        kind = table.attrs.get("kind", "no kind that edgphys writes")
        raise DatasetError(f"table must be the result of a scan (kind 'scan'), got {kind!r}")
    for name in _dims(table):
        if name not in table.dims:
            raise DatasetError(f"table must have the dimension {name}, {NOT_THERE}")
    return tuple(str(name) for name in table.dims if name != "method")


def _dims(table: xr.Dataset) -> tuple[str, ...]:
    """The dims that the scan was made with."""
    return ("method", *json.loads(table.attrs.get("couplings", "[]")))


def whole_scan(table: xr.Dataset) -> xr.Dataset:
    """A scan with all its dims again, where a selection of one value has made some of them plain numbers.

    Raises
    ------
    TypeError, DatasetError
        As `check_scan`.
    """
    import xarray as xr

    if isinstance(table, xr.Dataset) and table.attrs.get("kind") == "scan":
        single = [name for name in _dims(table) if name not in table.dims and name in table.coords]
        table = table.expand_dims([name for name in single if table[name].ndim == 0])
    check_scan(table)
    return table


def has_result(table: xr.Dataset, name: str, method: str | None = None) -> bool:
    """Whether any point has a finite `name`, by `method` or by any."""
    if name not in table:
        return False
    values = table.variables[name].transpose("method", ...).values
    if method is not None:
        values = values[table["method"].values == method]
    return bool(np.isfinite(values).any())


def results_of(table: xr.Dataset, variables: Sequence[str] | None, skip: str) -> list[str]:
    """The results to show: those asked for, or all that some sampled method has, without `skip`.

    Raises
    ------
    UnknownNameError
        If one that is asked for is not in `table`; the message lists what there is.
    """
    having = {
        str(name) for name in table.data_vars if f"{name}_err" in table and has_result(table, str(name))
    }
    there = observables.ordered(having, table.attrs)
    if variables is not None:
        return names_among(variables, there)
    constant = {"magnetization"} if table.attrs.get("z2_symmetric") else set()
    return [name for name in there if is_result(name, table.attrs) and name not in constant | {skip}]


def names_among(variables: Sequence[str], there: Sequence[str]) -> list[str]:
    """The names that are asked for.

    Raises
    ------
    UnknownNameError
        If one is not `there`; the message lists what there is.
    """
    for name in variables:
        if name not in there:
            raise UnknownNameError(f"variables must be among {', '.join(there)}, got {name!r}")
    return list(variables)


def looks(table: xr.Dataset) -> dict[str, Look]:
    """How the methods are shown, in the order of the table."""
    return looks_of(table.attrs, table["method"].values.astype(str).tolist())


def model_ranges(table: xr.Dataset, method: str) -> dict[str, tuple[float, float]]:
    """Ranges of couplings of the one model that all points of a method share; empty if there is none."""
    settings = json.loads(table.attrs.get("settings", "{}")).get(method)
    ranges = settings.get("conditions") if isinstance(settings, dict) else None
    return ranges if isinstance(ranges, dict) and all(map(_is_range, ranges.values())) else {}


def _is_range(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(one, int | float) for one in value)


def sampled_methods(table: xr.Dataset) -> list[str]:
    """The methods with error bars, in the order of the table."""
    return [name for name, look in looks(table).items() if not look.is_exact]


def reference_method(table: xr.Dataset, name: str) -> str | None:
    """The method that the others are compared with in result `name`; None if there is nothing to compare."""
    ranks = {m: look.reference_rank for m, look in looks(table).items() if has_result(table, name, m)}
    return min(ranks, key=ranks.__getitem__) if len(ranks) > 1 else None


def z_scores(table: xr.Dataset, name: str, method: str, reference: str) -> xr.DataArray:
    """Difference of two methods in result `name` in units of its standard error, over the scanned points.

    Parameters
    ----------
    table : xarray.Dataset
        A scan.
    name : str
        A result with an error bar.
    method, reference : str
        The two methods.

    Returns
    -------
    xarray.DataArray
        Dims: the scanned couplings. NaN where one of the two is missing or their error is zero or infinite.
    """
    values, errors = table[name], table[f"{name}_err"]
    own, other = (errors.sel({"method": one}, drop=True) for one in (method, reference))
    error = cast("xr.DataArray", np.hypot(own, other))
    difference = values.sel({"method": method}, drop=True) - values.sel({"method": reference}, drop=True)
    return difference / error.where((error > 0) & np.isfinite(error))


def troubles(table: xr.Dataset) -> list[tuple[str, dict[str, Any], str]]:
    """Cells whose results are not to be trusted: (method, point, reason)."""
    couplings = check_scan(table)
    warnings = json.loads(table.attrs.get("warnings", "{}"))
    found = []
    for method in sampled_methods(table):
        for index in np.ndindex(*(table.sizes[name] for name in couplings)):
            cell = table.sel({"method": method}).isel(dict(zip(couplings, index, strict=True)))
            point = {name: cell[name].item() for name in couplings}
            reason = _reason(cell)
            if reason:
                found.append((method, point, warnings.get(cell_name(method, point), "") or reason))
    return found


def blanks(table: xr.Dataset) -> list[tuple[str, dict[str, Any], str]]:
    """Cells with results that could not be had, and no other trouble: (method, point, reason)."""
    warnings, couplings = json.loads(table.attrs.get("warnings", "{}")), check_scan(table)
    grid = itertools.product(*(table[name].values.tolist() for name in couplings))
    points = [dict(zip(couplings, values, strict=True)) for values in grid]
    cells = [
        (name, point, warnings.get(cell_name(name, point), "")) for name in looks(table) for point in points
    ]
    in_trouble = [(method, point) for method, point, _ in troubles(table)]
    return [cell for cell in cells if cell[2] and cell[:2] not in in_trouble]


def _reason(cell: xr.Dataset) -> str:
    """Empty for a cell that passed its tests. A flag of NaN means that the method has no such test."""
    if "reliable" in cell and float(cell["reliable"]) == 0:
        return (
            f"weights not reliable (ESS {_number(cell, 'ess')}, largest weight {_number(cell, 'max_weight')})"
        )
    if "converged" in cell and float(cell["converged"]) == 0:
        return f"not converged (R-hat {_number(cell, 'r_hat')}, tau_int {_number(cell, 'tau_int')})"
    return ""


def _number(cell: xr.Dataset, name: str) -> str:
    return f"{float(cell[name]):.3g}" if name in cell else "unknown"


def format_value(value: float, err: float) -> str:
    """A value with its standard error in brackets, two digits of the error; an exact one has ten digits.

    Exact is an error of 0. NaN, an error that nobody knows, gives a question mark; an infinite one, of an
    estimate that the data do not determine, a dash.

    Examples
    --------
    >>> format_value(-1.43213, 0.00123)
    '-1.4321(12)'
    >>> format_value(42.9, 0.0996)
    '42.90(10)'
    >>> format_value(-93.14, 2.345)
    '-93.1(2.3)'
    >>> format_value(12345.6, 234.5)
    '12350(230)'
    >>> format_value(42.9033123456789, 0.0)
    '42.90331235'
    >>> format_value(-448.0, float("nan"))
    '-448(?)'
    >>> format_value(float("nan"), 1.0)
    '-'
    """
    if not math.isfinite(value) or math.isinf(err):
        return "-"
    if math.isnan(err) or err <= 0:
        return f"{value:.10g}(?)" if math.isnan(err) else f"{value:.10g}"
    # The error is rounded first: 0.0996 has the digits 10, not 99.6. The last bit of the value is the least.
    err = float(f"{max(err, math.ulp(value)):.1e}")
    digits = 1 - math.floor(math.log10(err))
    if digits <= 0:
        return f"{round(value, digits):.0f}({round(err, digits):.0f})"
    if err < 1:
        return f"{value:.{digits}f}({round(err * 10**digits):d})"
    return f"{value:.{digits}f}({err:.{digits}f})"
