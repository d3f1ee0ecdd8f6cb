# SPDX-License-Identifier: MIT
"""A training for readers: the bound by parts of the run, beside the exact log Z where it is one of it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from edgphys.report.dataset_tables import exact_of

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["bounded_log_z", "gap_of", "parts_of", "training_table"]

_MOST_ROWS = 11


def bounded_log_z(history: xr.Dataset) -> float:
    """The exact log Z that the last stage bounds; NaN where it is unknown, or the objective bounds none."""
    if not history.attrs.get("bounds_log_z", 0):
        return math.nan
    return exact_of(history)[0].get("log_z", math.nan)


def gap_of(history: xr.Dataset, log_z: float) -> NDArray[np.float64]:
    """log Z - bound of every step; NaN before the last stage, and everywhere if log Z is."""
    stages = history["stage"].values if "stage" in history else np.zeros(history.sizes["step"])
    last = stages == stages.max(initial=0.0)
    return np.where(last, log_z - history["bound"].values, math.nan)


def parts_of(n: int, most: int) -> list[slice]:
    """Equal parts of n steps, at most so many."""
    ends = np.linspace(0, n, min(n, most) + 1).round().astype(int)
    return [slice(low, high) for low, high in pairwise(ends.tolist())]


def training_table(view: Table, history: xr.Dataset) -> Table:
    """Fill `view` with means over parts of the training."""
    log_z = bounded_log_z(history)
    gap = gap_of(history, log_z)
    for name in ("steps", "bound", *(["gap"] if math.isfinite(log_z) else []), "learning rate", "stage"):
        view.add_column(name, justify="right", no_wrap=True)
    for part in parts_of(history.sizes["step"], _MOST_ROWS):
        row = history.isel(step=part)
        cells = [f"{part.start + 1} to {part.stop}", f"{float(row['bound'].mean()):.6g}"]
        if math.isfinite(log_z):
            known = np.isfinite(gap[part]).all()
            cells.append(f"{gap[part].mean():.4g}" if known else "-")
        for name, form in (("learning_rate", ".3g"), ("stage", ".0f")):
            cells.append(format(float(row[name][-1]), form) if name in row else "-")
        view.add_row(*cells)
    return view
