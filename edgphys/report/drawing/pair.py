# SPDX-License-Identifier: MIT
"""A pair of methods of a scan: their difference in every result, in units of its standard error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from edgphys.errors import ArgumentValueError, DatasetError, UnknownNameError
from edgphys.report.comparison import check_scan, has_result, looks, results_of, z_scores
from edgphys.report.drawing.marks import INK, draw_points, tell_hollow
from edgphys.report.drawing.sheet import Sheet
from edgphys.report.drawing.words import label
from edgphys.report.panel import passed

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["check_pair", "draw_pair"]


def check_pair(table: xr.Dataset, methods: Sequence[str]) -> tuple[str, str]:
    """Two methods of the scan.

    Raises
    ------
    UnknownNameError, ArgumentValueError
        If there are not two, or one is not in it.
    """
    there = [str(name) for name in table["method"].values]
    for name in methods:
        if name not in there:
            raise UnknownNameError(f"methods must be among {', '.join(there)}, got {name!r}", "methods")
    if isinstance(methods, str) or len(methods) != 2 or methods[0] == methods[1]:
        raise ArgumentValueError(f"methods must be two of {', '.join(there)}, got {methods!r}", "methods")
    return methods[0], methods[1]


def draw_pair(
    table: xr.Dataset, pair: tuple[str, str], variables: Sequence[str] | None, sheet: Sheet
) -> Figure:
    """z of the first less the second at every point, a line for each result, hollow where one has failed.

    Beside the median and the share beyond 2 errors, which is 4.6 % where both are right.
    """
    couplings, (method, reference) = check_scan(table), pair
    names = [
        name
        for name in results_of(table, variables, skip="free_energy")
        if has_result(table, name, method) and has_result(table, name, reference)
    ]
    scores = {name: z_scores(table, name, method, reference).transpose(*couplings) for name in names}
    scores = {name: z.values.ravel() for name, z in scores.items() if np.isfinite(z).any()}
    if not scores:
        words = f"table must have a result of both {method} and {reference} with errors, got none"
        raise DatasetError(words)
    good = passed(table, method) & passed(table, reference)
    good = (good.transpose(*couplings).values if couplings else good.values).ravel()
    figure = sheet.figure(1, height=0.9 + 0.28 * len(scores))
    axes = figure.subplots()
    axes.axvspan(-2, 2, color="0.93", linewidth=0, zorder=0)
    axes.axvspan(-1, 1, color="0.86", linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    for k, z in enumerate(scores.values()):
        draw_points(axes, z, np.full(z.size, -float(k)), np.nan, good, along_x=True)
    shown = looks(table)
    axes.set_yticks(-np.arange(len(scores)), [label(name, table.attrs) for name in scores])
    axes.set_xlabel(f"({shown[method].label} - {shown[reference].label}) / error of both")
    every = np.concatenate(list(scores.values()))
    every = every[np.isfinite(every)]
    beyond, by_chance = np.mean(np.abs(every) > 2.0), special.erfc(2.0 / np.sqrt(2.0))
    axes.set_title(f"{100 * beyond:.0f} % beyond 2 errors, {100 * by_chance:.1f} % by chance", loc="left")
    tell_hollow(axes, good)
    return figure
