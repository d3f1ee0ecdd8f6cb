# SPDX-License-Identifier: MIT
"""Points with error bars, filled where they are trusted and hollow where not, and what axes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BLUE", "INK", "RED", "draw_points", "is_trusted", "tell_hollow"]

# Okabe and Ito's colours, told apart by colour-blind readers.
BLUE, RED, INK = "#0072B2", "#D55E00", "0.15"


def draw_points(
    axes: Axes,
    x: ArrayLike,
    y: ArrayLike,
    err: ArrayLike,
    good: ArrayLike,
    *,
    colour: str = BLUE,
    marker: str = "o",
    along_x: bool = False,
    label: str | None = None,
) -> None:
    """Points at finite values, hollow where not `good`; an unknown error has no bar, an infinite no point."""
    x, y, err, good = np.broadcast_arrays(*(np.asarray(one) for one in (x, y, err, good)))
    seen = np.isfinite(x) & np.isfinite(y) & ~np.isinf(err)
    for which, face in ((good.astype(bool), colour), (~good.astype(bool), "white")):
        which = which & seen
        if not which.any():
            continue
        bars = {("xerr" if along_x else "yerr"): np.nan_to_num(err[which])}
        style: dict[str, Any] = {"marker": marker, "markersize": 4.2, "linestyle": "none", "color": colour}
        style |= {"markerfacecolor": face, "markeredgecolor": colour, "markeredgewidth": 0.9}
        style |= {"elinewidth": 0.9, "capsize": 1.8, "zorder": 3, "label": label}
        axes.errorbar(x[which], y[which], **bars, **style)
        label = None


def is_trusted(attrs: Any) -> bool:
    """Whether a dataset says nothing against itself."""
    return not attrs.get("warning", "")


def tell_hollow(axes: Axes, good: ArrayLike) -> None:
    """Say what hollow points are, where there are some."""
    if not np.all(good):
        axes.plot([], [], "o", color="0.35", markerfacecolor="white", label="open: not to be trusted")
        axes.legend(frameon=False, fontsize="small")
