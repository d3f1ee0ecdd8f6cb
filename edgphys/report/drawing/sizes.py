# SPDX-License-Identifier: MIT
"""Finite-size scaling: crossings of neighbouring sizes against 1/L, and the collapse onto one curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgphys.report.comparison import format_value
from edgphys.report.drawing.marks import draw_points, is_trusted, tell_hollow
from edgphys.report.drawing.sheet import Sheet

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["draw_collapse", "draw_crossings"]


def draw_crossings(ds: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    """Where two sizes cross, and the value there, against 1 over the smaller size."""
    figure = sheet.figure(2, height=0.75 * sheet.height)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for axes, name, words in ((upper, "crossing", "coupling"), (lower, "value", "value")):
        good = np.full(ds.sizes["pair"], is_trusted(ds.attrs))
        draw_points(axes, 1.0 / ds["length"].values, ds[name].values, ds[f"{name}_err"].values, good)
        axes.set_ylabel(f"{words} of the crossing")
        tell_hollow(axes, good)
    upper.set_title(str(ds.attrs.get("quantity", "")).replace("_", " "), loc="left")
    lower.set_xlabel(r"$1/L$ [1/lattice spacing]")
    lower.set_xlim(left=0.0)
    return figure


def draw_collapse(ds: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    """Scaled values of all sizes, a colour each, and what they were scaled with."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    figure = sheet.figure(1)
    axes = figure.subplots()
    lengths = np.unique(ds["length"].values)
    good = is_trusted(ds.attrs)
    for k, length in enumerate(lengths):
        one = ds.isel(point=ds["length"].values == length)
        colour = to_hex(colormaps["viridis"](0.9 * k / max(1, lengths.size - 1)))
        points = one["x"].values, one["y"].values, one["y_err"].values
        draw_points(axes, *points, good, colour=colour, label=f"$L$ = {length:g}")
    found = {r"c_\mathrm{crit}": "critical_coupling", r"\nu": "nu", r"\omega": "exponent"}
    words = [
        f"${symbol}$ = {format_value(float(ds[name]), float(ds[f'{name}_err']))}"
        for symbol, name in found.items()
        if name in ds and f"{name}_err" in ds
    ]
    axes.set_title(", ".join(words), loc="left", fontsize="small")
    axes.set(xlabel=r"$(c - c_\mathrm{crit})\, L^{1/\nu}$", ylabel=r"scaled value, $L^{\omega/\nu}$ times it")
    axes.legend(frameon=False, fontsize="small")
    tell_hollow(axes, good)
    return figure
