# SPDX-License-Identifier: MIT
"""The picture of a scan: a panel for each result against the scanned coupling, residuals in sigma beneath.

Methods have fixed colours (Okabe and Ito's, told apart by colour-blind readers) and markers, the exact result
is a thin line through the scanned points. Open markers are cells that did not pass their tests of convergence
or reliability. Figures are made without pyplot, so nothing global changes and no display is needed.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgphys.errors import DatasetError
from edgphys.observables import record
from edgphys.report.comparison import (
    check_scan,
    has_result,
    looks,
    reference_method,
    results_of,
    sampled_methods,
    z_scores,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot"]

# For methods that have none of their own.
_OTHER_STYLES = (("#56B4E9", "P"), ("#8C6D31", "X"), ("#7F7F7F", "*"))
_COUPLINGS = {
    "temperature": r"temperature $T$",
    "coupling": r"coupling $J$",
    "field": r"field $h$",
    "kappa": r"hopping parameter $\kappa$",
    "lam": r"quartic coupling $\lambda$",
    "m2": r"mass squared $m^2$",
}
_COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 9: 3}
_MAX_CURVES = 4
_LINES = ("-", "--", "-.", ":")
_SIGMA_CLIP = 5.0  # residuals beyond are drawn at the edge as arrows, so that one does not flatten all others


def plot(
    table: xr.Dataset,
    variables: Sequence[str] | None = None,
    path: str | Path | None = None,
    *,
    overwrite: bool = False,
) -> Figure:
    """Draw a scan.

    Parameters
    ----------
    table : xarray.Dataset
        Result of `edgphys.scan`.
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
        If `table` is no scan, or `path` cannot be written.
    UnknownNameError
        If a variable is not in `table`.
    ValueError
        If the scan has more than 4 curves for one method; select some with ``table.sel``.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    couplings = check_scan(table)
    target = None if path is None else _check_path(Path(path), overwrite)
    names = results_of(table, variables, skip="log_z" if has_result(table, "free_energy") else "free_energy")
    if not names:
        raise DatasetError("table has no result to draw")
    curves = _curves(table, couplings)
    n_columns = _COLUMNS.get(len(names), 4)
    n_rows = -(-len(names) // n_columns)
    with _style():
        layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.05, hspace=0.04, wspace=0.03)
        figure = Figure(figsize=(3.7 * n_columns + 0.3, 3.25 * n_rows + 0.75), layout=layout)
        panels = figure.subfigures(n_rows, n_columns, squeeze=False)
        for name, panel in zip(names, panels.flat, strict=False):
            _draw_panel(panel, table, name, curves)
        _draw_legend(figure, table, names, curves)
        if target is not None:
            _save(figure, target)
    return figure


def _check_path(path: Path, overwrite: bool) -> Path:
    from matplotlib.backend_bases import FigureCanvasBase

    if not path.parent.is_dir():
        raise DatasetError(f"path: the folder {path.parent} does not exist")
    if path.exists() and not overwrite:
        raise DatasetError(
            f"path: {path} exists; name another file, or overwrite it (overwrite=True, --overwrite)"
        )
    formats = sorted(FigureCanvasBase.get_supported_filetypes())
    if path.suffix.lstrip(".").lower() not in formats:
        raise ValueError(f"path must end in one of {', '.join(formats)}, got {str(path)!r}")
    return path


def _save(figure: Figure, path: Path) -> None:
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        figure.savefig(temporary, dpi=160)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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


# ------------------------------------------------------------------------------------------------- the curves


@dataclass(frozen=True)
class _Curve:
    """The scanned points along one coupling, the others held: x, and how to select from the table."""

    x_name: str
    fixed: dict[str, float]
    line: str

    def x(self, table: xr.Dataset) -> np.ndarray:
        return np.sort(table[self.x_name].values)

    def take(self, array: Any) -> np.ndarray:
        return array.sel(self.fixed).sortby(self.x_name).values

    @property
    def label(self) -> str:
        return ", ".join(f"{name} = {value:g}" for name, value in self.fixed.items())


def _curves(table: xr.Dataset, couplings: tuple[str, ...]) -> list[_Curve]:
    """One curve for each combination of the couplings other than the longest."""
    x_name = max(couplings, key=lambda name: table.sizes[name])
    others = [name for name in couplings if name != x_name]
    shape = tuple(table.sizes[name] for name in others)
    count = int(np.prod(shape))
    if count > _MAX_CURVES:
        raise ValueError(
            f"table must have at most {_MAX_CURVES} curves over {x_name} to be drawn, got {count}; "
            f"select values of {', '.join(others)} with table.sel"
        )
    curves = []
    for index in np.ndindex(*shape):
        fixed = {name: float(table[name].values[i]) for name, i in zip(others, index, strict=True)}
        curves.append(_Curve(x_name, fixed, _LINES[len(curves)]))
    return curves


def _method_style(table: xr.Dataset, method: str) -> tuple[str, str]:
    """Colour and marker."""
    shown = looks(table)
    if shown[method].colour:
        return shown[method].colour, shown[method].marker or "o"
    others = [name for name in sampled_methods(table) if not shown[name].colour]
    colour, marker = _OTHER_STYLES[others.index(method) % len(_OTHER_STYLES)]
    return colour, shown[method].marker or marker


def _passed(table: xr.Dataset, method: str) -> xr.DataArray:
    """Whether each cell passed the tests that the method has."""
    import xarray as xr

    flags = [
        table[flag].sel({"method": method}, drop=True) for flag in ("converged", "reliable") if flag in table
    ]
    passed = xr.full_like(
        table[next(iter(table.data_vars))].sel({"method": method}, drop=True), True, dtype=bool
    )
    for flag in flags:
        passed = passed & (flag != 0)  # NaN, no such test, passes
    return passed


# ------------------------------------------------------------------------------------------------- the panels


def _draw_panel(panel: Any, table: xr.Dataset, name: str, curves: list[_Curve]) -> None:
    reference = reference_method(table, name)
    title, label, per_site = _words(table, name)
    if reference is None:
        upper = lowest = panel.subplots()
    else:
        upper, lowest = panel.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (2.9, 1.0)})
        upper.tick_params(labelbottom=False)
    upper.set_title(title, loc="left")
    upper.set_ylabel(label)
    upper.grid(True, color="0.92", linewidth=0.6)
    upper.set_axisbelow(True)
    upper.margins(x=0.06, y=0.10)
    for curve in curves:
        _draw_values(upper, table, name, curve, 1.0 / float(table.attrs["n_sites"]) if per_site else 1.0)
    if reference is not None:
        _draw_residuals(lowest, table, name, reference, curves)
    lowest.set_xlabel(_COUPLINGS.get(curves[0].x_name, curves[0].x_name))


def _words(table: xr.Dataset, name: str) -> tuple[str, str, bool]:
    """Title, label of the axis, and whether the result is shown per site."""
    about = record(name, table.attrs)
    title, label = about.title, about.symbol
    per_site = about.scale == "total" and about.unit == "energy" and "n_sites" in table.attrs
    if about.unit not in ("", "energy"):
        label += f" [{about.unit}]"
    if "lattice" not in table.attrs:
        return title.replace("per site", "per variable"), label, False
    if not per_site:
        return title, label, False
    title, label = f"{title} per site", f"{label[:-1]}/N$"
    if table.attrs.get("system") == "phi4":
        # The action is dimensionless, and its free energy is -ln Z.
        action = {"energy": ("action per site", r"$\langle S\rangle/N$")}
        return *action.get(name, (title, r"$-\ln Z/N$")), per_site
    coupling = json.loads(table.attrs.get("parameters", "{}")).get("coupling")
    return title, f"{label} [$J$]" if coupling == 1.0 else label, per_site


def _draw_values(axes: Axes, table: xr.Dataset, name: str, curve: _Curve, scale: float) -> None:
    x = curve.x(table)
    methods = [method for method in sampled_methods(table) if has_result(table, name, method)]
    shown = looks(table)
    guide = reference_method(table, name) or next(one for one in shown if has_result(table, name, one))
    y = curve.take(table[name].where(~np.isinf(table[f"{name}_err"])).sel({"method": guide})) * scale
    if shown[guide].is_exact:
        # A line through one point would be invisible, hence the marker.
        marker = "_" if x.size == 1 else None
        axes.plot(x, y, color="0.15", linewidth=0.9, linestyle=curve.line, marker=marker, markersize=16)
    else:
        colour = _method_style(table, guide)[0]
        axes.plot(x, y, color=colour, linewidth=0.7, alpha=0.6, linestyle=curve.line)
    for method, shift in zip(methods, _shifts(x, len(methods)), strict=True):
        y = curve.take(table[name].sel({"method": method})) * scale
        err = curve.take(table[f"{name}_err"].sel({"method": method})) * scale
        good = curve.take(_passed(table, method))
        _draw_points(axes, x + shift, y, err, good, *_method_style(table, method))


def _shifts(x: np.ndarray, count: int) -> np.ndarray:
    """Small sideways shifts, so that methods that agree do not hide each other."""
    step = min(0.09 * np.diff(x).min(), 0.012 * np.ptp(x)) if x.size > 1 else 0.01 * max(abs(x[0]), 1.0)
    return step * (np.arange(count) - (count - 1) / 2)


def _draw_points(
    axes: Axes, x: np.ndarray, y: np.ndarray, err: np.ndarray, good: np.ndarray, colour: str, marker: str
) -> None:
    bars = {"elinewidth": 1.0, "capsize": 2.0, "capthick": 0.9, "zorder": 3}
    for which, face in ((good, colour), (~good, "white")):
        which = which & np.isfinite(y) & ~np.isinf(err)  # an infinite error: not determined by the data
        if which.any():
            points = {"marker": marker, "markersize": 4.6, "markerfacecolor": face, "markeredgecolor": colour}
            points |= {"linestyle": "none", "color": colour, "markeredgewidth": 0.9}
            axes.errorbar(x[which], y[which], yerr=np.nan_to_num(err[which]), **points, **bars)


def _draw_residuals(axes: Axes, table: xr.Dataset, name: str, reference: str, curves: list[_Curve]) -> None:
    axes.axhspan(-2, 2, color="0.93", linewidth=0, zorder=0)
    axes.axhspan(-1, 1, color="0.86", linewidth=0, zorder=0)
    axes.axhline(0, color="0.15", linewidth=0.8, zorder=1)
    methods = [method for method in sampled_methods(table) if has_result(table, name, method)]
    shifts = dict(zip(methods, _shifts(curves[0].x(table), len(methods)), strict=True))
    largest = 3.2
    for method in methods:
        if method == reference:
            continue
        colour, marker = _method_style(table, method)
        for curve in curves:
            x = curve.x(table) + shifts[method]
            z = curve.take(z_scores(table, name, method, reference))
            inside = np.where(np.abs(z) <= _SIGMA_CLIP, z, np.nan)
            _draw_points(axes, x, inside, np.ones_like(z), curve.take(_passed(table, method)), colour, marker)
            _draw_arrows(axes, x, z, colour)
            beyond = np.nanmax(np.abs(z), initial=0.0) > _SIGMA_CLIP
            top = _SIGMA_CLIP if beyond else np.nanmax(np.abs(inside), initial=0.0)
            largest = max(largest, float(top) + 1.2)
    axes.set_ylim(-largest, largest)
    axes.set_yticks([-2, 0, 2] if largest < 5 else [-4, 0, 4])
    axes.set_ylabel(f"$\\Delta/\\sigma$ against\n{looks(table)[reference].label}", fontsize=7.5)


def _draw_arrows(axes: Axes, x: np.ndarray, z: np.ndarray, colour: str) -> None:
    for sign, marker in ((1, 6), (-1, 7)):  # matplotlib's CARETUP and CARETDOWN
        beyond = sign * z > _SIGMA_CLIP
        heights = np.full(int(beyond.sum()), sign * (_SIGMA_CLIP + 0.6))
        axes.plot(x[beyond], heights, linestyle="none", marker=marker, markersize=7, color=colour, zorder=3)


def _draw_legend(figure: Figure, table: xr.Dataset, names: list[str], curves: list[_Curve]) -> None:
    from matplotlib.lines import Line2D

    def handle(label: str, **style: Any) -> Line2D:
        return Line2D([], [], label=label, **style)

    handles = []
    shown = looks(table)
    exact = [method for method, look in shown.items() if look.is_exact]
    for method in (m for m in exact if any(has_result(table, name, m) for name in names)):
        for curve in curves:
            label = f"{shown[method].label}, {curve.label}" if len(curves) > 1 else shown[method].label
            handles.append(handle(label, color="0.15", linewidth=0.9, linestyle=curve.line))
    points = {"linestyle": "none", "markersize": 5}
    for method in sampled_methods(table):
        colour, marker = _method_style(table, method)
        handles.append(handle(shown[method].label, color=colour, marker=marker, **points))
    if not all(bool(_passed(table, method).all()) for method in sampled_methods(table)):
        style = {"color": "0.35", "marker": "o", "markerfacecolor": "white"}
        handles.append(handle("open: failed its tests", **style, **points))
    figure.suptitle(_heading(table, curves), fontsize=10.5, fontweight="bold")
    layout = {"frameon": False, "handletextpad": 0.5, "columnspacing": 1.8, "ncols": min(len(handles), 6)}
    figure.legend(handles=handles, loc="outside lower center", **layout)


def _heading(table: xr.Dataset, curves: list[_Curve]) -> str:
    system = {"ising": "Ising model", "phi4": r"$\phi^4$ field"}.get(table.attrs.get("system", ""), "")
    system = system or str(table.attrs.get("system", "scan"))
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
    named = [value for value in fixed.values() if isinstance(value, str)]
    numbers = {name: value for name, value in fixed.items() if not isinstance(value, str) and value != 0}
    # A name that is no symbol stays text: formulas would take its underscore for an index.
    words = named + [
        f"${symbols[name]} = {value:g}$" if name in symbols else f"{name} = {value:g}"
        for name, value in numbers.items()
    ]
    boundary = "periodic" if np.all(table.attrs.get("pbc", 1)) else "open"
    lattice = f"{table.attrs['lattice']} {extent} {boundary}" if "lattice" in table.attrs else ""
    parts = [system, lattice, ", ".join(words)]
    return "  ·  ".join(part for part in parts if part)
