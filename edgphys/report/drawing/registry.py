# SPDX-License-Identifier: MIT
"""Which drawer draws which kind of dataset; a kind of the schema without one does not pass the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edgphys.report.drawing.draws import draw_bound, draw_samples
from edgphys.report.drawing.ladder import draw_ladder
from edgphys.report.drawing.numbers import draw_numbers
from edgphys.report.drawing.over import draw_over, draw_times
from edgphys.report.drawing.scan import draw_curve, draw_scan
from edgphys.report.drawing.sheet import Sheet
from edgphys.report.drawing.sizes import draw_collapse, draw_crossings
from edgphys.report.drawing.training import draw_training

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["DRAWERS", "Drawer"]

# Of a dataset, the names asked for (None: all that suit) and the sheet.
Drawer = Callable[["xr.Dataset", Sequence[str] | None, Sheet], "Figure"]

DRAWERS: dict[str, Drawer] = {
    "samples": draw_samples,
    "estimates": draw_numbers,
    "scan": draw_scan,
    "curve": draw_curve,
    "ladder": draw_ladder,
    "correlation": draw_over,
    "profile": draw_over,
    "rungs": draw_over,
    "times": draw_times,
    "distance": draw_numbers,
    "bound": draw_bound,
    "history": draw_training,
    "crossings": draw_crossings,
    "collapse": draw_collapse,
}
