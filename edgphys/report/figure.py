# SPDX-License-Identifier: MIT
"""The picture of a dataset of any kind, on a sheet for the screen or for the column of a journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgphys._checks import choice, instance, one_line
from edgphys._files import check_target, write_whole
from edgphys.dataset.schema import validate
from edgphys.errors import ArgumentTypeError, ArgumentValueError, DatasetError
from edgphys.report.comparison import whole_scan
from edgphys.report.drawing.pair import check_pair, draw_pair
from edgphys.report.drawing.registry import DRAWERS
from edgphys.report.drawing.sheet import SHEETS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["plot"]


def plot(
    table: xr.Dataset,
    variables: Sequence[str] | None = None,
    path: str | Path | None = None,
    *,
    methods: Sequence[str] | None = None,
    style: str = "screen",
    overwrite: bool = False,
) -> Figure:
    """Draw a dataset of any kind.

    Parameters
    ----------
    table : xarray.Dataset
        A scan (or a part of it, ``table.isel(temperature=0)``) or a curve, with exact results where there are
        some; a profile over one coordinate or two, correlations, g(r), a histogram, rungs; a ladder with its
        swap rates and overlaps; samples, estimates, autocorrelation times, distances, bounds; a training
        (``edg.history``); crossings and a collapse.
    variables : sequence of str, optional
        Results to draw; all that suit by default.
    path : path, optional
        File to write; its suffix gives the format: png, or pdf and svg, which are vectors.
    methods : sequence of two str, optional
        Of a scan: draw the differences of the first and the second in all results, over their error.
    style : {"screen", "paper"}
        "paper": 3.4 inches wide, the column of a journal, in its type, without a heading.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    matplotlib.figure.Figure
        Of a scan results are per site where their axis says so; residuals are against the exact result where
        there is one, else against the first Markov chain, over the error of both. Values that are not to be
        trusted are hollow.

    Raises
    ------
    DatasetError
        If `table` is of no kind of edgphys, has nothing to draw, or `path` cannot be written; a picture that
        finds its name taken meanwhile is kept beside it (`FileTakenError`).
    UnknownNameError
        If a variable or a method is not in `table`.
    ValueError
        If the scan has more curves for one method than can be told apart; select some with ``table.sel``.
    """
    import xarray as xr

    instance(table, "table", xr.Dataset, "an xarray.Dataset")
    sheet = SHEETS[choice(style, "style", SHEETS)]
    kind = table.attrs.get("kind")
    if kind not in DRAWERS:
        kinds = ", ".join(DRAWERS)
        raise DatasetError(f"table must be of a kind that edgphys writes ({kinds}), got {one_line(kind)}")
    if kind not in ("scan", "curve"):  # of these a part is drawn too
        validate(table)
    if isinstance(variables, str):
        raise ArgumentTypeError(f"variables must be a sequence of names, got {variables!r}", "variables")
    target = None if path is None else _check_path(Path(path), overwrite)
    with sheet.style():
        if methods is None:
            figure = DRAWERS[kind](table, variables, sheet)
        else:
            figure = _of_pair(table, methods, variables, sheet)
        if target is not None:
            about: dict[str, Any] = {"dpi": sheet.dpi}
            write_whole(target, lambda path: figure.savefig(path, **about), overwrite)
    return figure


def _of_pair(
    table: xr.Dataset, methods: Sequence[str], variables: Sequence[str] | None, sheet: Any
) -> Figure:
    if table.attrs["kind"] != "scan":
        words = f"methods must be left out for a dataset of kind {table.attrs['kind']!r}"
        raise ArgumentValueError(f"{words}, got {one_line(methods)}", "methods")
    table = whole_scan(table)
    return draw_pair(table, check_pair(table, methods), variables, sheet)


def _check_path(path: Path, overwrite: bool) -> Path:
    from matplotlib.backend_bases import FigureCanvasBase

    check_target(path, "path", overwrite)
    formats = sorted(FigureCanvasBase.get_supported_filetypes())
    if path.suffix.lstrip(".").lower() not in formats:
        raise ArgumentValueError(f"path must end in one of {', '.join(formats)}, got {str(path)!r}", "path")
    return path
