# SPDX-License-Identifier: MIT
"""Scans and curves: a panel for each result against the scanned coupling, residuals in sigma beneath.

Methods have fixed colours (Okabe and Ito's, told apart by colour-blind readers) and markers; the exact result
is a thin line, and a method whose points share one model a line with a band of one standard error. Open
markers are cells that did not pass their tests of convergence or reliability.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgphys.dataset.schema import is_number
from edgphys.errors import DatasetError
from edgphys.report.comparison import (
    boundary_words,
    check_scan,
    has_result,
    looks,
    results_of,
    sampled_methods,
    whole_scan,
)
from edgphys.report.curve_results import as_scan
from edgphys.report.drawing.numbers import draw_methods
from edgphys.report.drawing.sheet import Sheet
from edgphys.report.drawing.words import coupling_symbol
from edgphys.report.panel import Curve, curves_of, draw_panel, method_style, passed

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["draw_curve", "draw_each", "draw_scan", "shown_results"]

_COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 9: 3}
# Of a panel with its residuals, relative to one without; and inches for heading and legend.
_TALL, _MARGIN = 1.05, 0.75


def draw_curve(curve: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    """As a scan of one method, with the exact results beside it where they are known."""
    return draw_scan(as_scan(curve), variables, sheet)


def draw_scan(table: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    """A panel for each result; methods below each other where no coupling is scanned.

    Raises
    ------
    ValueError
        If there are more than 4 curves for one method; select some with ``table.sel``.
    """
    table = whole_scan(table)
    couplings = check_scan(table)
    names = shown_results(table, variables)
    if not names:
        raise DatasetError("table has no result to draw")
    if not couplings:
        return draw_methods(table, names, sheet)
    return _pictured(table, names, curves_of(table, couplings), sheet)


def draw_each(table: xr.Dataset, sheet: Sheet) -> Iterator[tuple[str, Figure]]:
    """A figure for each result, with its name; exact curves are computed once for all of them."""
    table = whole_scan(table)
    couplings, names = check_scan(table), shown_results(table)
    curves = curves_of(table, couplings) if couplings and names else []
    for name in names:
        with sheet.style():
            one = _pictured(table, [name], curves, sheet) if couplings else draw_methods(table, [name], sheet)
        yield name, one


def _pictured(table: xr.Dataset, names: list[str], curves: list[Curve], sheet: Sheet) -> Figure:
    """Panels with heading and legend."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    n_columns = sheet.columns or _COLUMNS.get(len(names), 4)
    n_rows = -(-len(names) // n_columns)
    # Panels of a screen stand closer to each other than single pictures do.
    width = sheet.width if sheet.columns else 0.8 * sheet.width * n_columns + 0.3
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.05, hspace=0.04, wspace=0.03)
    figure = Figure(figsize=(width, _TALL * sheet.height * n_rows + _MARGIN), layout=layout)
    panels = figure.subfigures(n_rows, n_columns, squeeze=False)
    for name, panel in zip(names, panels.flat, strict=False):
        draw_panel(panel, table, name, curves)
    if sheet.heading:
        figure.suptitle(_heading(table, curves), fontsize=10.5, fontweight="bold")
    _draw_legend(figure, table, names, curves, 6 if sheet.columns is None else 3)
    return figure


def shown_results(table: xr.Dataset, variables: Sequence[str] | None = None) -> list[str]:
    """The results of a scan that are drawn: those asked for, or all, of log Z and F one."""
    return results_of(table, variables, skip="log_z" if has_result(table, "free_energy") else "free_energy")


def _draw_legend(
    figure: Figure, table: xr.Dataset, names: list[str], curves: list[Curve], n_columns: int
) -> None:
    from matplotlib.lines import Line2D

    def handle(label: str, **style: Any) -> Line2D:
        return Line2D([], [], label=label, **style)

    handles = []
    shown = looks(table)
    exact = [method for method, look in shown.items() if look.is_exact]
    for method in (m for m in exact if any(has_result(table, name, m) for name in names)):
        for curve in curves:
            label = f"{shown[method].label}, {curve.label}" if len(curves) > 1 else shown[method].label
            handles.append(handle(label, color=curve.toned("0.15"), linewidth=0.9, linestyle=curve.line))
    for curve in curves if len(curves) > 1 and not handles else ():
        handles.append(handle(curve.label, color=curve.toned("0.15"), linewidth=0.9, linestyle=curve.line))
    points = {"linestyle": "none", "markersize": 5}
    for method in sampled_methods(table):
        colour, marker = method_style(table, method)
        handles.append(handle(shown[method].label, color=colour, marker=marker, **points))
    if not all(bool(passed(table, method).all()) for method in sampled_methods(table)):
        style = {"color": "0.35", "marker": "o", "markerfacecolor": "white"}
        handles.append(handle("open: failed its tests", **style, **points))
    layout = {
        "frameon": False,
        "handletextpad": 0.5,
        "columnspacing": 1.8,
        "ncols": min(len(handles), n_columns),
    }
    figure.legend(handles=handles, loc="outside lower center", **layout)


def _heading(table: xr.Dataset, curves: list[Curve]) -> str:
    from edgphys.systems.registry import available

    system = str(table.attrs.get("system", "scan"))
    system = {each.name: each.title for each in available()}.get(system) or system.replace("$", r"\$")
    extent = r"$\times$".join(str(length) for length in np.atleast_1d(table.attrs.get("extent", [])))
    fixed = json.loads(table.attrs.get("parameters", "{}")) | (curves[0].fixed if len(curves) == 1 else {})
    named = [value.replace("$", r"\$") for value in fixed.values() if isinstance(value, str)]
    numbers = {name: value for name, value in fixed.items() if is_number(value) and value != 0}
    symbols = {name: coupling_symbol(name, table.attrs).strip("$") for name in numbers}
    # A name that is no symbol stays text: formulas would take its underscore for an index.
    words = named + [
        f"${symbols[name]} = {value:g}$" if symbols[name] else f"{name} = {value:g}"
        for name, value in numbers.items()
    ]
    boundary = boundary_words(table.attrs)
    on_lattice = [table.attrs["lattice"], extent, boundary] if "lattice" in table.attrs else []
    lattice = " ".join(filter(None, on_lattice))
    parts = [system, lattice, ", ".join(words)]
    return "  ·  ".join(part for part in parts if part)
