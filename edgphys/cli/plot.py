# SPDX-License-Identifier: MIT
"""``edgphys plot``: the picture of a scan."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from edgphys.cli.results import read_or_unfinished
from edgphys.cli.run_arguments import Overwrite, Traceback, duration
from edgphys.errors import DatasetError

__all__ = ["plot"]


def plot(
    file: Annotated[Path, typer.Argument(help="A scan or a curve.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write: png, pdf or svg.")],
    variable: Annotated[
        list[str] | None, typer.Option("--variable", "-v", help="Result to draw; repeat.")
    ] = None,
    overwrite: Overwrite = False,
    traceback: Traceback = False,
) -> None:
    """Draw a scan or a curve: results with error bars, residuals beneath."""
    start = time.perf_counter()
    from edgphys.report import figure

    table = read_or_unfinished(file)
    if table.attrs["kind"] not in ("scan", "curve"):
        raise DatasetError(
            f"file must be a scan or a curve to be drawn, got {file} of kind {table.attrs['kind']!r}; "
            f"edgphys show {file} prints it"
        )
    figure.plot(table, variable or None, path=output, overwrite=overwrite)
    print(f"wrote {output} in {duration(time.perf_counter() - start)}")
