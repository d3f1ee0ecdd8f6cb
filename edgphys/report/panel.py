# SPDX-License-Identifier: MIT
"""One panel of the picture of a scan: a result against the scanned coupling, residuals in sigma beneath.

Exact results are a line, and so are those of a method whose points share one model, where they are not too
few, with a band of one standard error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgphys.dataset.extents import EXTENT, attrs_at
from edgphys.observables import record
from edgphys.report.comparison import (
    has_result,
    looks,
    model_ranges,
    reference_method,
    sampled_methods,
    z_scores,
)
from edgphys.report.drawing.words import coupling_label, energy_unit, with_unit
from edgphys.report.exact_curve import exact_curve

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["Curve", "curves_of", "draw_panel", "method_style", "passed"]

# For methods that have none of their own.
_OTHER_STYLES = (("#56B4E9", "P"), ("#8C6D31", "X"), ("#7F7F7F", "*"))
_MAX_CURVES = 4
_CURVE = 8  # points that a line may join without claiming too much between them
_DASHES = ((0, (8, 2)), (0, (5, 1, 1, 1, 1, 1)), (0, (2, 2)), (0, (1, 4)))
_LINES: tuple[Any, ...] = ("-", "--", "-.", ":", *_DASHES)  # the latter for sizes only
_PALER = 0.6  # by so much the first of several sizes is paler than the last
_MOST_MARKERS = 40  # of a line with a band: beyond, only points that failed their tests are marked
_SIGMA_CLIP = 5.0  # residuals beyond are drawn at the edge as arrows, so that one does not flatten all others


@dataclass(frozen=True)
class Curve:
    """The scanned points along one coupling, the others held: x, and how to select from the table.

    `exact` are the exact results between the points, see `edgphys.report.exact_curve`.
    """

    x_name: str
    fixed: dict[str, Any]
    line: Any
    exact: tuple[np.ndarray, dict[str, np.ndarray]] | None = None
    tone: float = 1.0  # of its colours; below 1 paler

    def x(self, table: xr.Dataset) -> np.ndarray:
        """Values of the coupling, rising; places of labels that are text."""
        values = table[self.x_name].values
        return np.sort(values) if values.dtype.kind in "iuf" else np.arange(values.size)

    def take(self, array: Any) -> np.ndarray:
        chosen = array.sel(self.fixed)
        return (chosen.sortby(self.x_name) if chosen[self.x_name].dtype.kind in "iuf" else chosen).values

    @property
    def label(self) -> str:
        words = {name: one if isinstance(one, str) else f"{one:g}" for name, one in self.fixed.items()}
        return ", ".join(f"{name} = {one}" for name, one in words.items())

    def n_sites(self, table: xr.Dataset) -> Any:
        """Sites of the lattice, at every point where sizes are the coupling."""
        if self.x_name == EXTENT:
            labels = table[EXTENT].values.tolist()
            labels = sorted(labels) if table[EXTENT].dtype.kind in "iuf" else labels
            return np.array([attrs_at(table.attrs, label)["n_sites"] for label in labels], np.float64)
        attrs = attrs_at(table.attrs, self.fixed[EXTENT]) if EXTENT in self.fixed else table.attrs
        return float(attrs["n_sites"])

    def toned(self, colour: str) -> Any:
        """A colour in the tone of the curve."""
        from matplotlib.colors import to_rgb

        if self.tone == 1.0:
            return colour
        return tuple(1.0 - self.tone * (1.0 - part) for part in to_rgb(colour))


def curves_of(table: xr.Dataset, couplings: tuple[str, ...]) -> list[Curve]:
    """One curve for each combination of the couplings other than the longest."""
    # A curve for each size, where there is anything else to draw them against.
    x_name = max(couplings, key=lambda name: (table.sizes[name] > 1 and name != EXTENT, table.sizes[name]))
    others = [name for name in couplings if name != x_name]
    shape = tuple(table.sizes[name] for name in others)
    count = int(np.prod(shape))
    most = len(_LINES) if EXTENT in others else _MAX_CURVES
    if count > most:
        raise ValueError(
            f"table must have at most {most} curves over {x_name} to be drawn, got {count}; "
            f"select values of {', '.join(others)} with table.sel"
        )
    curves = []
    for index in np.ndindex(*shape):
        fixed = {name: table[name].values[i].item() for name, i in zip(others, index, strict=True)}
        tone = 1.0 - _PALER * (1.0 - (len(curves) + 1) / count) if EXTENT in others else 1.0
        exact = exact_curve(table, x_name, fixed)
        curves.append(Curve(x_name, fixed, _LINES[len(curves)], exact, tone))
    return curves


def method_style(table: xr.Dataset, method: str) -> tuple[str, str]:
    """Colour and marker."""
    shown = looks(table)
    if shown[method].colour:
        return shown[method].colour, shown[method].marker or "o"
    others = [name for name in sampled_methods(table) if not shown[name].colour]
    colour, marker = _OTHER_STYLES[others.index(method) % len(_OTHER_STYLES)]
    return colour, shown[method].marker or marker


def passed(table: xr.Dataset, method: str) -> xr.DataArray:
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


def draw_panel(panel: Any, table: xr.Dataset, name: str, curves: list[Curve]) -> None:
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
        _draw_values(upper, table, name, curve, 1.0 / curve.n_sites(table) if per_site else 1.0)
    if reference is not None:
        _draw_residuals(lowest, table, name, reference, curves)
    lowest.set_xlabel(coupling_label(curves[0].x_name, table.attrs))
    labels = table[curves[0].x_name].values
    if labels.dtype.kind not in "iuf":
        lowest.set_xticks(np.arange(labels.size), labels.tolist())


def _words(table: xr.Dataset, name: str) -> tuple[str, str, bool]:
    """Title, label of the axis, and whether the result is shown per site."""
    about = record(name, table.attrs)
    title, label, unit = about.title, about.symbol, about.unit
    if "lattice" not in table.attrs:
        unit = energy_unit(table.attrs) if unit == "energy" else unit
        return title.replace("per site", "per variable"), with_unit(label, unit), False
    counted = bool({"n_sites", "extents"} & table.attrs.keys())
    per_site = about.scale == "total" and bool(unit) and counted
    if per_site:
        title, label = f"{title} per site", f"{label[:-1]}/N$"
    if unit != "energy" or not per_site:
        return title, with_unit(label, "" if unit == "energy" else unit), per_site
    parameters = json.loads(table.attrs.get("parameters", "{}"))
    if "temperature" not in {*parameters, *table.dims}:
        # The energy is an action, dimensionless, and its free energy is -ln Z.
        action = {"energy": ("action per site", r"$\langle S\rangle/N$")}
        return *action.get(name, (title, r"$-\ln Z/N$")), per_site
    return title, f"{label} [$J$]" if parameters.get("coupling") == 1.0 else label, per_site


def _draw_values(axes: Axes, table: xr.Dataset, name: str, curve: Curve, scale: Any) -> None:
    x = curve.x(table)
    methods = [method for method in sampled_methods(table) if has_result(table, name, method)]
    shown = looks(table)
    guide = reference_method(table, name) or next(one for one in shown if has_result(table, name, one))
    y = curve.take(table[name].where(~np.isinf(table[f"{name}_err"])).sel({"method": guide})) * scale
    if shown[guide].is_exact and curve.exact is not None and name in curve.exact[1]:
        dense, results = curve.exact
        axes.plot(
            dense, results[name] * scale, color=curve.toned("0.15"), linewidth=0.9, linestyle=curve.line
        )
    elif shown[guide].is_exact:
        # A line through one point would be invisible, hence the marker.
        marker = "_" if x.size == 1 else None
        axes.plot(
            x, y, color=curve.toned("0.15"), linewidth=0.9, linestyle=curve.line, marker=marker, markersize=16
        )
    else:
        colour = curve.toned(method_style(table, guide)[0])
        axes.plot(x, y, color=colour, linewidth=0.7, alpha=0.6, linestyle=curve.line)
    for method, shift in _shifts(table, x, methods).items():
        y = curve.take(table[name].sel({"method": method})) * scale
        err = curve.take(table[f"{name}_err"].sel({"method": method})) * scale
        good = curve.take(passed(table, method))
        plain, marker = method_style(table, method)
        colour = curve.toned(plain)
        if model_ranges(table, method) and x.size >= _CURVE:
            _draw_band(axes, x, y, err, colour, curve.line)
            y = _marked(y, good)
        _draw_points(axes, x + shift, y, err, good, colour, marker)


def _marked(y: np.ndarray, good: np.ndarray) -> np.ndarray:
    """NaN where a point of a line gets no marker."""
    return y if y.size <= _MOST_MARKERS else np.where(good, np.nan, y)


def _draw_band(axes: Axes, x: np.ndarray, y: np.ndarray, err: np.ndarray, colour: Any, line: Any) -> None:
    y = np.where(np.isinf(err), np.nan, y)
    axes.fill_between(x, y - err, y + err, color=colour, alpha=0.2, linewidth=0)
    axes.plot(x, y, color=colour, linewidth=0.8, alpha=0.8, linestyle=line)


def _shifts(table: xr.Dataset, x: np.ndarray, methods: list[str]) -> dict[str, float]:
    """Small sideways shifts, so that methods that agree do not hide each other; none for curves."""
    step = min(0.09 * np.diff(x).min(), 0.012 * np.ptp(x)) if x.size > 1 else 0.01 * max(abs(x[0]), 1.0)
    shifts = step * (np.arange(len(methods)) - (len(methods) - 1) / 2)
    return {
        method: 0.0 if model_ranges(table, method) else float(shift)
        for method, shift in zip(methods, shifts, strict=True)
    }


def _draw_points(
    axes: Axes, x: np.ndarray, y: np.ndarray, err: np.ndarray, good: np.ndarray, colour: Any, marker: str
) -> None:
    bars = {"elinewidth": 1.0, "capsize": 2.0, "capthick": 0.9, "zorder": 3}
    for which, face in ((good, colour), (~good, "white")):
        which = which & np.isfinite(y) & ~np.isinf(err)  # an infinite error: not determined by the data
        if which.any():
            points = {"marker": marker, "markersize": 4.6, "markerfacecolor": face, "markeredgecolor": colour}
            points |= {"linestyle": "none", "color": colour, "markeredgewidth": 0.9}
            axes.errorbar(x[which], y[which], yerr=np.nan_to_num(err[which]), **points, **bars)


def _draw_residuals(axes: Axes, table: xr.Dataset, name: str, reference: str, curves: list[Curve]) -> None:
    axes.axhspan(-2, 2, color="0.93", linewidth=0, zorder=0)
    axes.axhspan(-1, 1, color="0.86", linewidth=0, zorder=0)
    axes.axhline(0, color="0.15", linewidth=0.8, zorder=1)
    methods = [method for method in sampled_methods(table) if has_result(table, name, method)]
    shifts = _shifts(table, curves[0].x(table), methods)
    largest = 3.2
    for method in methods:
        if method == reference:
            continue
        plain, marker = method_style(table, method)
        for curve in curves:
            x, colour = curve.x(table) + shifts[method], curve.toned(plain)
            z = curve.take(z_scores(table, name, method, reference))
            inside = np.where(np.abs(z) <= _SIGMA_CLIP, z, np.nan)
            good = curve.take(passed(table, method))
            if model_ranges(table, method) and x.size > _MOST_MARKERS:
                axes.plot(x, inside, color=colour, linewidth=1.0, linestyle=curve.line)
                inside = _marked(inside, good)
            _draw_points(axes, x, inside, np.ones_like(z), good, colour, marker)
            _draw_arrows(axes, x, z, colour)
            beyond = np.nanmax(np.abs(z), initial=0.0) > _SIGMA_CLIP
            top = _SIGMA_CLIP if beyond else np.nanmax(np.abs(inside), initial=0.0)
            largest = max(largest, float(top) + 1.2)
    axes.set_ylim(-largest, largest)
    axes.set_yticks([-2, 0, 2] if largest < 5 else [-4, 0, 4])
    axes.set_ylabel(f"$\\Delta/\\sigma$ against\n{looks(table)[reference].label}", fontsize=7.5)


def _draw_arrows(axes: Axes, x: np.ndarray, z: np.ndarray, colour: Any) -> None:
    for sign, marker in ((1, 6), (-1, 7)):  # matplotlib's CARETUP and CARETDOWN
        beyond = sign * z > _SIGMA_CLIP
        heights = np.full(int(beyond.sum()), sign * (_SIGMA_CLIP + 0.6))
        axes.plot(x[beyond], heights, linestyle="none", marker=marker, markersize=7, color=colour, zorder=3)
