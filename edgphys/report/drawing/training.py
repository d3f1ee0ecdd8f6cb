# SPDX-License-Identifier: MIT
"""Training curves: the bound against steps with the exact log Z where it is one of it, the gap, the rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgphys.errors import DatasetError
from edgphys.report.drawing.marks import BLUE, INK, RED
from edgphys.report.drawing.sheet import Sheet
from edgphys.report.drawing.words import label
from edgphys.report.training_results import bounded_log_z, gap_of, parts_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_training"]

_POINTS = 100  # of the running mean


def draw_training(history: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    """The bound of every batch and its running mean; the gap to the exact log Z; the learning rate."""
    n = history.sizes["step"]
    if not n:
        raise DatasetError("history must have a step to be drawn, got a generator that was not trained")
    log_z = bounded_log_z(history)
    stages = history["stage"].values if "stage" in history else np.zeros(n)
    rows = ["bound", *(["gap"] if math.isfinite(log_z) else [])]
    rows += [name for name in ("learning_rate",) if name in history and np.isfinite(history[name]).any()]
    heights = [2.0 if name == "bound" else 1.0 for name in rows]
    figure = sheet.figure(1, height=sheet.height * (0.5 + 0.4 * len(rows)))
    panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=heights).ravel()
    values = {"bound": history["bound"].values, "gap": gap_of(history, log_z)}
    values |= {name: history[name].values for name in rows if name not in values}
    for axes, name in zip(panels, rows, strict=True):
        _draw_steps(axes, values[name], stages, mean=name != "learning_rate")
        axes.set_ylabel(label(name, history.attrs))
    if history.attrs.get("bounds_log_z", 0):
        panels[0].set_ylabel(r"bound on $\ln Z$ [nats]")
    if math.isfinite(log_z):
        panels[0].axhline(log_z, color=INK, linewidth=0.9, label=f"exact $\\ln Z$ = {log_z:.6g}")
        panels[0].legend(frameon=False, fontsize="small")
        _limit_gap(panels[1], values["gap"])
    count = int(stages.max()) + 1
    panels[0].set_title(f"{n} steps, {count} stage{'s' if count > 1 else ''}", loc="left")
    panels[-1].set_xlabel("step")
    return figure


def _draw_steps(axes: Axes, y: np.ndarray, stages: np.ndarray, *, mean: bool) -> None:
    steps = np.arange(1, y.size + 1)
    axes.plot(steps, y, color=BLUE, linewidth=0.5, alpha=0.35 if mean else 1.0)
    for change in np.flatnonzero(np.diff(stages)) + 1:
        axes.axvline(change + 0.5, color="0.6", linewidth=0.7, linestyle=":")
    if not mean:
        return
    for stage in np.unique(stages):  # objectives differ: no mean over two of them
        where = np.flatnonzero(stages == stage)
        parts = parts_of(where.size, _POINTS)
        middle = [steps[where[part]].mean() for part in parts]
        axes.plot(middle, [y[where[part]].mean() for part in parts], color=RED, linewidth=1.1)


def _limit_gap(axes: Axes, gap: np.ndarray) -> None:
    """From the later half of the steps: the first gaps are as large as log Z."""
    axes.axhline(0.0, color=INK, linewidth=0.6)
    seen = gap[np.isfinite(gap)]
    if seen.size:
        late = seen[seen.size // 2 :]
        low, high = min(late.min(), 0.0), max(late.max(), 0.0)
        axes.set_ylim(low - 0.1 * (high - low) - 1e-12, high + 0.5 * (high - low) + 1e-12)
