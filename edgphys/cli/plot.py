# SPDX-License-Identifier: MIT
"""``edgphys plot``: the picture of a dataset of any kind, or of the training of a generator."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from edgphys.cli.results import read_or_unfinished
from edgphys.cli.run_arguments import Overwrite, Traceback, duration

__all__ = ["plot"]


def plot(
    file: Annotated[
        Path, typer.Argument(help="A dataset of any kind, or a generator, of which it is the training.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write: png, pdf or svg.")],
    variable: Annotated[
        list[str] | None, typer.Option("--variable", "-v", help="Result to draw; repeat.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option("--method", help="Of a scan, twice: draw the difference of these two over its error."),
    ] = None,
    style: Annotated[
        str, typer.Option(help="screen, or paper: as wide as the column of a journal, in its type.")
    ] = "screen",
    overwrite: Overwrite = False,
    traceback: Traceback = False,
) -> None:
    """Draw a dataset: results with error bars, residuals beneath, hollow where they are not to be trusted."""
    start = time.perf_counter()
    from edgphys.report import figure

    table = read_or_unfinished(file)
    options = {"methods": method or None, "style": style, "overwrite": overwrite}
    figure.plot(table, variable or None, path=output, **options)
    print(f"wrote {output} in {duration(time.perf_counter() - start)}")
