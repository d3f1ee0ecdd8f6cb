# SPDX-License-Identifier: MIT
"""A ladder of rungs: estimates at every rung, swap rates and overlaps with the next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgphys.errors import EdgphysError
from edgphys.report.comparison import names_among
from edgphys.report.drawing.marks import BLUE, RED, draw_points, tell_hollow
from edgphys.report.drawing.sheet import Sheet
from edgphys.report.drawing.words import label

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_ladder"]

_SHOWN = ("energy",)


def draw_ladder(ladder: xr.Dataset, variables: Sequence[str] | None, sheet: Sheet) -> Figure:
    """Results against the rungs, hollow where chains have not converged; then swap rates and overlaps."""
    from edgphys.estimators import estimate
    from edgphys.mcmc import rung

    couplings = json.loads(ladder.attrs["ladder"])
    n = len(next(iter(couplings.values())))
    rungs = [estimate(rung(ladder, k)) for k in range(n)]
    there = [str(one) for one in rungs[0] if f"{one}_err" in rungs[0]]
    names = names_among(_SHOWN if variables is None else variables, there)
    dim = next(iter(couplings)) if len(couplings) == 1 else "rung"
    x = np.asarray(couplings[dim] if dim in couplings else np.arange(n), np.float64)
    good = np.array([float(one["converged"]) != 0 for one in rungs])
    figure = sheet.figure(len(names) + 1, height=0.85 * sheet.height)
    panels = figure.subplots(len(names) + 1, 1, sharex=True, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        y, err = ([float(one[f"{name}{end}"]) for one in rungs] for end in ("", "_err"))
        draw_points(axes, x, y, err, good)
        axes.set_ylabel(label(name, ladder.attrs))
        tell_hollow(axes, good)
    _draw_neighbours(panels[-1], ladder, x)
    panels[-1].set_xlabel(label(dim, ladder.attrs | {"couplings": json.dumps(list(couplings))}))
    return figure


def _draw_neighbours(axes: Axes, ladder: xr.Dataset, x: np.ndarray) -> None:
    """Swap rates, with the scatter of the ladders, and overlaps of neighbours, between their rungs."""
    between, known = 0.5 * (x[1:] + x[:-1]), np.full(x.size - 1, np.nan)
    if "swap_rate" in ladder:
        rates = ladder["swap_rate"].transpose("pair", "chain").values
        n = rates.shape[1]
        err = rates.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else known
        draw_points(axes, between, rates.mean(axis=1), err, True, colour=BLUE, label="swap rate")
    overlaps = _overlaps(ladder)
    if overlaps is not None:
        draw_points(axes, between, overlaps, known, True, colour=RED, marker="s", label="overlap (MBAR)")
    axes.set(ylim=(0.0, 1.05), ylabel="with the next rung")
    axes.legend(frameon=False, fontsize="small")


def _overlaps(ladder: xr.Dataset) -> np.ndarray | None:
    """Overlap of each rung with the next; None where rungs cannot be pooled."""
    from edgphys.estimators import mbar

    try:
        found = mbar(ladder)
    except (EdgphysError, ValueError):  # chains too short, or of a path without a reference
        return None
    return found["overlap"].values[:-1] if "overlap" in found else None
