# SPDX-License-Identifier: MIT
"""Numbers of no dim, each on an axis of its own: estimates beside exact results, distances, averages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgphys import observables
from edgphys.errors import DatasetError
from edgphys.report.comparison import is_result, looks, names_among
from edgphys.report.dataset_tables import exact_of
from edgphys.report.drawing.marks import INK, draw_points, is_trusted
from edgphys.report.drawing.sheet import Sheet
from edgphys.report.drawing.words import label

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_methods", "draw_numbers"]

_LINE = 0.62  # inches


def draw_numbers(ds: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    """A point with its error bar for each result, and a vertical line at the exact one where it is known."""
    names = _chosen(ds, variables)
    exact = exact_of(ds)[0] if "system" in ds.attrs else {}
    figure = sheet.figure(len(names), height=_LINE)
    for axes, name in zip(figure.subplots(len(names), 1, squeeze=False).flat, names, strict=True):
        err = float(ds[f"{name}_err"]) if f"{name}_err" in ds else math.nan
        draw_points(axes, float(ds[name]), 0.0, err, is_trusted(ds.attrs), along_x=True)
        if name in exact:
            axes.axvline(exact[name], color=INK, linewidth=0.9, zorder=1)
        _finish(axes, label(name, ds.attrs), [""])
    return figure


def draw_methods(table: xr.Dataset, variables: Sequence[str], sheet: Sheet) -> Figure:
    """A scan of no coupling: the methods below each other, for each result."""
    shown = looks(table)
    figure = sheet.figure(len(variables), height=0.4 + 0.25 * len(shown))
    for axes, name in zip(figure.subplots(len(variables), 1, squeeze=False).flat, variables, strict=True):
        for k, (method, look) in enumerate(shown.items()):
            one = table.sel({"method": method})
            good = all(float(one[flag]) != 0 for flag in ("converged", "reliable") if flag in one)
            colour, err = look.colour or INK, float(one[f"{name}_err"])
            draw_points(axes, float(one[name]), -k, err, good, colour=colour, along_x=True)
        _finish(axes, label(name, table.attrs), [look.label for look in shown.values()])
    return figure


def _finish(axes: Axes, words: str, lines: list[str]) -> None:
    axes.set_yticks(-np.arange(len(lines)), lines)
    axes.set_ylim(-len(lines) + 0.4, 0.6)
    axes.set_ylabel(words, rotation=0, ha="right", va="center")
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.25)


def _chosen(ds: xr.Dataset, variables: Sequence[str] | None) -> list[str]:
    """Results that are numbers, or those asked for."""
    there = [str(name) for name in ds.data_vars if not str(name).endswith("_err") and np.isfinite(ds[name])]
    there = observables.ordered(there, ds.attrs)
    if variables is not None:
        return names_among(variables, there)
    shown = [name for name in there if is_result(name, ds.attrs) and f"{name}_err" in ds]
    if not shown:
        raise DatasetError(f"{ds.attrs['kind']} must have a result with an error to be drawn, got none")
    return shown
