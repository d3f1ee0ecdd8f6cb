# SPDX-License-Identifier: MIT
"""The picture of a scan: a panel for each result against the scanned coupling, residuals in sigma beneath.

Methods have fixed colours (Okabe and Ito's, told apart by colour-blind readers) and markers; the exact result
is a thin line, and a method whose points share one model a line with a band of one standard error. Open
markers are cells that did not pass their tests of convergence or reliability. Figures are made without
pyplot, so nothing global changes and no display is needed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgphys._checks import instance
from edgphys._files import check_target, write_whole
from edgphys.dataset.schema import is_number
from edgphys.errors import ArgumentValueError, DatasetError
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
from edgphys.report.panel import Curve, curves_of, draw_panel, method_style, passed

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["plot", "shown_results"]

_COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 9: 3}


def plot(
    table: xr.Dataset,
    variables: Sequence[str] | None = None,
    path: str | Path | None = None,
    *,
    overwrite: bool = False,
) -> Figure:
    """Draw a scan, or a curve.

    Parameters
    ----------
    table : xarray.Dataset
        Result of `edgphys.scan`, or a part of it (``table.isel(temperature=0)``), or of `edgphys.EDG.curve`,
        with the exact results beside it where the system is one that ships and has some.
    variables : sequence of str, optional
        Results to draw; all there are by default.
    path : path, optional
        File to write; its suffix gives the format (png, pdf, svg).
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    matplotlib.figure.Figure
        Results are per site where their axis says so; residuals are against the exact result where there is
        one, else against the first Markov chain, over the error of both.

    Raises
    ------
    DatasetError
        If `table` is neither, or `path` cannot be written; a picture that finds its name taken meanwhile is
        kept beside it (`FileTakenError`).
    UnknownNameError
        If a variable is not in `table`.
    ValueError
        If the scan has more than 4 curves for one method; select some with ``table.sel``.
    """
    import xarray as xr
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    instance(table, "table", xr.Dataset, "an xarray.Dataset")
    table = whole_scan(as_scan(table) if table.attrs.get("kind") == "curve" else table)
    couplings = check_scan(table)
    target = None if path is None else _check_path(Path(path), overwrite)
    names = shown_results(table, variables)
    if not names:
        raise DatasetError("table has no result to draw")
    curves = curves_of(table, couplings)
    n_columns = _COLUMNS.get(len(names), 4)
    n_rows = -(-len(names) // n_columns)
    with _style():
        layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.05, hspace=0.04, wspace=0.03)
        figure = Figure(figsize=(3.7 * n_columns + 0.3, 3.25 * n_rows + 0.75), layout=layout)
        panels = figure.subfigures(n_rows, n_columns, squeeze=False)
        for name, panel in zip(names, panels.flat, strict=False):
            draw_panel(panel, table, name, curves)
        _draw_legend(figure, table, names, curves)
        if target is not None:
            write_whole(target, lambda path: figure.savefig(path, dpi=160), overwrite)
    return figure


def shown_results(table: xr.Dataset, variables: Sequence[str] | None = None) -> list[str]:
    """The results of a scan that are drawn: those asked for, or all, of log Z and F one."""
    return results_of(table, variables, skip="log_z" if has_result(table, "free_energy") else "free_energy")


def _check_path(path: Path, overwrite: bool) -> Path:
    from matplotlib.backend_bases import FigureCanvasBase

    check_target(path, "path", overwrite)
    formats = sorted(FigureCanvasBase.get_supported_filetypes())
    if path.suffix.lstrip(".").lower() not in formats:
        raise ArgumentValueError(f"path must end in one of {', '.join(formats)}, got {str(path)!r}", "path")
    return path


@contextlib.contextmanager
def _style():
    from matplotlib import rc_context

    settings: dict[Any, Any] = {
        "font.size": 9,
        "axes.titlesize": 9.5,
        "axes.labelsize": 9,
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "mathtext.fontset": "dejavusans",
        "axes.formatter.use_mathtext": True,
    }
    with rc_context(settings):
        yield


def _draw_legend(figure: Figure, table: xr.Dataset, names: list[str], curves: list[Curve]) -> None:
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
    figure.suptitle(_heading(table, curves), fontsize=10.5, fontweight="bold")
    layout = {"frameon": False, "handletextpad": 0.5, "columnspacing": 1.8, "ncols": min(len(handles), 6)}
    figure.legend(handles=handles, loc="outside lower center", **layout)


def _heading(table: xr.Dataset, curves: list[Curve]) -> str:
    from edgphys.systems.registry import available

    system = str(table.attrs.get("system", "scan"))
    system = {each.name: each.title for each in available()}.get(system) or system.replace("$", r"\$")
    extent = r"$\times$".join(str(length) for length in np.atleast_1d(table.attrs.get("extent", [])))
    symbols = {
        "coupling": "J",
        "field": "h",
        "kappa": r"\kappa",
        "lam": r"\lambda",
        "m2": "m^2",
        "temperature": "T",
    }
    fixed = json.loads(table.attrs.get("parameters", "{}")) | (curves[0].fixed if len(curves) == 1 else {})
    named = [value.replace("$", r"\$") for value in fixed.values() if isinstance(value, str)]
    numbers = {name: value for name, value in fixed.items() if is_number(value) and value != 0}
    # A name that is no symbol stays text: formulas would take its underscore for an index.
    words = named + [
        f"${symbols[name]} = {value:g}$" if name in symbols else f"{name} = {value:g}"
        for name, value in numbers.items()
    ]
    boundary = boundary_words(table.attrs)
    on_lattice = [table.attrs["lattice"], extent, boundary] if "lattice" in table.attrs else []
    lattice = " ".join(filter(None, on_lattice))
    parts = [system, lattice, ", ".join(words)]
    return "  ·  ".join(part for part in parts if part)
