# SPDX-License-Identifier: MIT
"""Tables of a scan: results of all methods with z-scores, and what says whether a method can be trusted.

Columns are methods, rows are points, one section per result; ``z`` is the difference to the reference named
in the row over the standard error of both (see `edgphys.report.comparison`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table
from rich.text import Text

from edgphys.report.comparison import (
    format_value,
    has_result,
    reference_method,
    sampled_methods,
    troubles,
    z_scores,
)
from edgphys.report.console import empty_table

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["cells_there", "diagnostics_table", "not_run", "results_table", "where"]

# Beyond this a difference is not chance: 0.3 % two-sided.
_Z_LIMIT = 3.0
_ALARM = "bold red"
_MOST_NAMED = 3  # of the cells that were never run
_SHOWN = ("ess", "max_weight", "tau_int", "r_hat", "n_runs", "runs_chi2")


def _points(table: xr.Dataset, couplings: tuple[str, ...]) -> list[dict[str, float | str]]:
    labels = [table[name].values.tolist() for name in couplings]
    return [dict(zip(couplings, point, strict=True)) for point in itertools.product(*labels)]


def _n_points(table: xr.Dataset, couplings: tuple[str, ...]) -> int:
    return math.prod(table.sizes[name] for name in couplings)


def _labels(table: xr.Dataset, couplings: tuple[str, ...]) -> list[list[str]]:
    """The couplings of every point, each coupling with the same number of decimals throughout."""
    return [
        list(point)
        for point in itertools.product(*(_words(table[name].values.tolist()) for name in couplings))
    ]


def _words(values: list[float] | list[str]) -> list[str]:
    short = [value if isinstance(value, str) else f"{value:.8g}" for value in values]
    # Text is as it is, and an exponent keeps the shortest form: there are no common decimals.
    if any(isinstance(value, str) or "e" in word for value, word in zip(values, short, strict=True)):
        return short
    decimals = max(len(word.partition(".")[2]) for word in short)
    return [f"{value:.{decimals}f}" for value in values]


def results_table(table: xr.Dataset, names: list[str], couplings: tuple[str, ...]) -> Table:
    methods = table["method"].values.astype(str).tolist()
    compared = sampled_methods(table) if len(methods) > 1 else []
    view = empty_table("results (energies are totals)")
    view.add_column("result", no_wrap=True)
    for name in couplings:
        view.add_column(name, justify="right", no_wrap=True)
    for method in methods:
        view.add_column(method, justify="right", no_wrap=True)
    for method in compared:
        view.add_column(f"z {method}", justify="right", no_wrap=True)
    if compared:
        view.add_column("against", no_wrap=True)
    labels = _labels(table, couplings)
    for name in names:
        reference = reference_method(table, name)
        columns: list[Sequence[str | Text]] = [*_cells(table, name, couplings)]
        columns += [_scores(table, name, method, reference, couplings) for method in compared]
        for i, label in enumerate(labels):
            row = [name if i == 0 else "", *label, *(column[i] for column in columns)]
            view.add_row(*row, *([(reference or "") if i == 0 else ""] if compared else []))
        view.add_section()
    return view


def _numbers(table: xr.Dataset, name: str, couplings: tuple[str, ...]) -> list[list[float]]:
    """Values of a variable by method and point, in the order of `_points`; NaN if `table` has none."""
    shape = (table.sizes["method"], _n_points(table, couplings))
    if name not in table:
        return np.full(shape, math.nan).tolist()
    return table.variables[name].transpose("method", *couplings).values.reshape(shape).tolist()


def _cells(table: xr.Dataset, name: str, couplings: tuple[str, ...]) -> list[list[str]]:
    """A result with its errors, by method and point."""
    both = zip(_numbers(table, name, couplings), _numbers(table, f"{name}_err", couplings), strict=True)
    return [list(map(format_value, values, errors)) for values, errors in both]


def _scores(
    table: xr.Dataset, name: str, method: str, reference: str | None, couplings: tuple[str, ...]
) -> list[str | Text]:
    """z of every point in the order of `_points`; empty for the reference itself, and without one."""
    if reference in (None, method):
        return [""] * _n_points(table, couplings)
    scores = z_scores(table, name, method, reference).transpose(*couplings)
    return [_score(z) for z in scores.values.ravel().tolist()]


def _score(z: float) -> str | Text:
    if not math.isfinite(z):
        return ""
    return Text(f"{z:+.1f}", style=_ALARM if abs(z) > _Z_LIMIT else "")


def diagnostics_table(table: xr.Dataset, couplings: tuple[str, ...]) -> Table:
    shown = [name for name in _SHOWN if has_result(table, name)]
    view = empty_table("diagnostics")
    view.add_column("method", no_wrap=True)
    for name in couplings:
        view.add_column(name, justify="right", no_wrap=True)
    bound = has_result(table, "elbo")
    for name in [*shown, *(["elbo"] if bound else []), "trusted", "wall_time"]:
        view.add_column("wall_time / s" if name == "wall_time" else name, justify="right", no_wrap=True)
    labels = _labels(table, couplings)
    points = _points(table, couplings)
    failed = {(method, tuple(point.values())) for method, point, _ in troubles(table)}
    values = {name: _numbers(table, name, couplings) for name in [*shown, "wall_time"]}
    bounds = _cells(table, "elbo", couplings) if bound else []
    sampled, there = sampled_methods(table), cells_there(table, couplings)
    for k, method in enumerate(table["method"].values.astype(str).tolist()):
        if method not in sampled:
            continue
        for i, point in enumerate(points):
            row = [method if i == 0 else "", *labels[i]]
            row += [_plain(values[name][k][i], "{:.4g}") for name in shown]
            row += [bounds[k][i]] if bound else []
            trusted = Text("no", style=_ALARM) if (method, tuple(point.values())) in failed else "yes"
            view.add_row(*row, trusted if there[k, i] else "-", _plain(values["wall_time"][k][i], "{:.1f}"))
        view.add_section()
    return view


def cells_there(table: xr.Dataset, couplings: tuple[str, ...]) -> np.ndarray:
    """Whether there is any number, bool, by method and point in the order of the table."""
    arrays = [np.isfinite(np.array(_numbers(table, str(name), couplings))) for name in table.data_vars]
    return np.asarray(np.any(arrays, axis=0))


def not_run(table: xr.Dataset, couplings: tuple[str, ...]) -> str:
    """A line on the cells without any number; "" if there are none."""
    there = cells_there(table, couplings)
    if there.all():
        return ""
    methods, points = table["method"].values.astype(str).tolist(), _points(table, couplings)
    missing = [f"{methods[k]} at {where(points[i])}" for k, i in np.argwhere(~there).tolist()]
    shown = ", ".join(missing[:_MOST_NAMED]) + (", ..." if len(missing) > _MOST_NAMED else "")
    return f"Not run: {len(missing)} of {there.size} cells ({shown})"


def where(point: Mapping[str, float | str]) -> str:
    """The point in words.

    Examples
    --------
    >>> where({"extent": "16x8", "temperature": 2.0})
    'extent=16x8 temperature=2'
    """
    words = {name: one if isinstance(one, str) else f"{one:.6g}" for name, one in point.items()}
    return " ".join(f"{name}={one}" for name, one in words.items())


def _plain(value: float, form: str) -> str:
    return form.format(value) if math.isfinite(value) else "-"
