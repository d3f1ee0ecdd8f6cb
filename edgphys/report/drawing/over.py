# SPDX-License-Identifier: MIT
"""Numbers over one dim, a panel each: profiles, g(r), correlations, rungs, times; maps over two.

A bin of fewer than ten independent visits is hollow, and everything is where the dataset warns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgphys.errors import DatasetError
from edgphys.estimators.profiles.shares import MIN_VISITS
from edgphys.report.comparison import names_among
from edgphys.report.drawing.marks import BLUE, INK, draw_points, is_trusted, tell_hollow
from edgphys.report.drawing.numbers import draw_numbers
from edgphys.report.drawing.sheet import Sheet
from edgphys.report.drawing.words import density_label, label

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["chosen", "draw_over", "draw_times"]

_MANY = 40  # points that a line joins
_BARE = ("overlap",)  # drawn though it has no error


def chosen(
    ds: xr.Dataset, variables: Sequence[str] | None, without: Sequence[str] = (), n_dims: int = 1
) -> list[str]:
    """Variables over the dim that have an error, or those asked for."""
    there = [str(name) for name, one in ds.data_vars.items() if one.ndim == n_dims]
    if variables is not None:
        return names_among(variables, there)
    return [name for name in there if f"{name}_err" in ds and name not in without]


def draw_over(ds: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    """A panel for each result over the dim; a map for each over two; numbers of no dim beside each other."""
    if not ds.dims:
        return draw_numbers(ds, variables, sheet)
    if len(ds.dims) > 1:
        return _draw_maps(ds, variables, sheet)
    names = chosen(ds, variables, without=("tau_int",))
    names += [name for name in _BARE if name in ds and variables is None]
    if not names:
        raise DatasetError(f"{ds.attrs['kind']} must have a result with an error to be drawn, got none")
    figure = sheet.figure(len(names))
    (dim,) = map(str, ds.dims)
    for axes, name in zip(
        figure.subplots(len(names), 1, sharex=True, squeeze=False).flat, names, strict=True
    ):
        _draw_one(axes, ds, name, dim)
    figure.axes[-1].set_xlabel(label(dim, ds.attrs))
    return figure


def _draw_one(axes: Axes, ds: xr.Dataset, name: str, dim: str) -> None:
    y, good = ds[name].values, _good(ds, dim)
    x = ds[dim].values if dim in ds.coords else np.arange(y.size)
    if x.dtype.kind not in "iuf":
        axes.set_xticks(np.arange(y.size), [str(one) for one in x])
        x = np.arange(y.size)
        axes.margins(x=0.3)
    elif y.size >= _MANY:
        axes.plot(x, y, color=BLUE, linewidth=0.7, alpha=0.6)
    err = ds[f"{name}_err"].values if f"{name}_err" in ds else np.full(y.shape, np.nan)
    draw_points(axes, x, y, err, good)
    tell_hollow(axes, good | ~np.isfinite(y))
    axes.set_ylabel(density_label(name, dim, ds.attrs))
    if name in ("connected", "correlation", "free_energy_difference"):
        axes.axhline(0.0, color=INK, linewidth=0.6, zorder=1)


def _good(ds: xr.Dataset, dim: str) -> np.ndarray:
    good = np.full(ds.sizes[dim], is_trusted(ds.attrs))
    return good & (ds["n_visits"].values >= MIN_VISITS) if "n_visits" in ds else good


def _draw_maps(ds: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    names = chosen(ds, variables, n_dims=2)
    figure = sheet.figure(len(names), height=0.85 * sheet.width)
    for axes, name in zip(figure.subplots(len(names), 1, squeeze=False).flat, names, strict=True):
        one, two = map(str, ds[name].dims)
        values = np.ma.masked_invalid(ds[name].values.T)
        colours = axes.pcolormesh(*(_edges(ds, dim) for dim in (one, two)), values, cmap="cividis")
        figure.colorbar(colours, ax=axes, label=label(name, ds.attrs))
        axes.set(xlabel=label(one, ds.attrs), ylabel=label(two, ds.attrs))
        if not is_trusted(ds.attrs):
            axes.set_title("not to be trusted", loc="left")
    return figure


def _edges(ds: xr.Dataset, dim: str) -> np.ndarray:
    """Edges of the bins of a dim."""
    if f"{dim}_low" in ds.coords:
        return np.append(ds[f"{dim}_low"].values, ds[f"{dim}_high"].values[-1])
    middle = ds[dim].values
    between = 0.5 * (middle[1:] + middle[:-1])
    return np.concatenate([[2 * middle[0] - between[0]], between, [2 * middle[-1] - between[-1]]])


def draw_times(ds: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    """tau_int of every quantity, below each other."""
    names = chosen(ds, variables) if variables is not None else ["tau_int"]
    n = ds.sizes["quantity"]
    figure = sheet.figure(len(names), height=0.6 + 0.22 * n)
    for axes, name in zip(figure.subplots(len(names), 1, squeeze=False).flat, names, strict=True):
        err = ds[f"{name}_err"].values if f"{name}_err" in ds else np.full(n, np.nan)
        good = np.full(n, is_trusted(ds.attrs))
        good &= ds["closed"].values.astype(bool) if "closed" in ds else good
        draw_points(axes, ds[name].values, np.arange(n)[::-1], err, good, along_x=True)
        axes.set_yticks(np.arange(n)[::-1], [str(one).replace("_", " ") for one in ds["quantity"].values])
        axes.set_xlabel(label(name, ds.attrs))
        tell_hollow(axes, good)
    return figure
