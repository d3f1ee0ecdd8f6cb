# SPDX-License-Identifier: MIT
"""Draws: series of chains, densities of what is measured, weights; the log weights of a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgphys.report.comparison import names_among
from edgphys.report.drawing.marks import BLUE, INK
from edgphys.report.drawing.sheet import Sheet
from edgphys.report.drawing.words import label, with_unit

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_bound", "draw_samples"]

_BINS, _POINTS = 60, 2000


def draw_samples(samples: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    """Series and density of each variable of chains; of weighted draws the densities, and the weights."""
    dims = ("chain", "draw") if "chain" in samples.dims else ("draw",)
    there = [str(name) for name, one in samples.data_vars.items() if set(one.dims) == set(dims)]
    names = names_among(["energy"] if variables is None else variables, there)
    weights = _weights(samples)
    n_columns = 2 if weights is None and sheet.columns is None else 1
    per_name = 2 if weights is None else 1
    n_rows = per_name * len(names) // n_columns + (weights is not None)
    figure = sheet.figure(n_rows, n_columns)
    panels = iter(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    for name in names:
        values = samples[name].transpose(*dims).values
        if weights is None:
            _draw_series(next(panels), values, label(name, samples.attrs))
        _draw_density(next(panels), values.ravel(), weights, label(name, samples.attrs))
    if weights is not None:
        log_w = samples["log_weight_joint"].values
        _draw_log_weights(next(panels), log_w - np.log(np.mean(np.exp(log_w - log_w.max()))) - log_w.max())
    return figure


def draw_bound(bound: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    """Log weights of reference configurations sent back, and their mean, the bound, with its error."""
    from edgphys.estimators import average

    mean = average(bound, "log_weight_reverse", "log_z_bound")
    value, err = float(mean["log_z_bound"]), float(mean["log_z_bound_err"])
    figure = sheet.figure(1)
    axes = figure.subplots()
    _draw_density(
        axes, bound["log_weight_reverse"].values.ravel(), None, label("log_weight_reverse", bound.attrs)
    )
    if np.isfinite(value):
        axes.axvspan(value - err, value + err, color=INK, alpha=0.2, linewidth=0)
        axes.axvline(value, color=INK, linewidth=0.9, label=f"mean, a bound on $\\ln Z$: {value:.6g}")
        axes.legend(frameon=False, fontsize="small")
    return figure


def _weights(samples: xr.Dataset) -> np.ndarray | None:
    if "log_weight_joint" not in samples or "chain" in samples.dims:
        return None
    log_w = samples["log_weight_joint"].values
    return np.exp(log_w - log_w.max())


def _draw_series(axes: Axes, values: np.ndarray, words: str) -> None:
    step = max(1, values.shape[1] // _POINTS)
    for chain in values:
        axes.plot(np.arange(0, chain.size, step), chain[::step], linewidth=0.5, alpha=0.7)
    axes.set(xlabel="draw", ylabel=words)


def _draw_density(axes: Axes, values: np.ndarray, weights: np.ndarray | None, words: str) -> None:
    seen = np.isfinite(values)
    given = None if weights is None else weights[seen]
    axes.hist(values[seen], bins=_BINS, weights=given, density=True, color=BLUE)
    unit = words.partition(" [")[2][:-1]
    axes.set(xlabel=words, ylabel=with_unit("density", f"1/({unit})" if unit else ""))


def _draw_log_weights(axes: Axes, log_w: np.ndarray) -> None:
    axes.hist(log_w[np.isfinite(log_w)], bins=_BINS, color=BLUE, log=True)
    axes.axvline(0.0, color=INK, linewidth=0.9)
    axes.set(xlabel=r"$\ln(w / \langle w \rangle)$ [nats]", ylabel="draws")
