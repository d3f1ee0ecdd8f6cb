# SPDX-License-Identifier: MIT
"""``edgphys report``: a dataset as a page to read and to pass on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from edgphys.cli.results import read_or_unfinished
from edgphys.cli.run_arguments import Overwrite, Traceback, duration

__all__ = ["report"]


def report(
    file: Annotated[Path, typer.Argument(help="A file of any kind that edgphys wrote, or a generator.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Page to write: html.")],
    model: Annotated[
        list[Path] | None,
        typer.Option(help="Trained generator to show; repeat. By default those that a scan has kept."),
    ] = None,
    overwrite: Overwrite = False,
    traceback: Traceback = False,
) -> None:
    """Write a result as one web page: tables, pictures, what is not to be trusted, how to repeat it."""
    start = time.perf_counter()
    from edgphys.report.page import write_report

    kept = sorted(file.with_name(f"{file.name}.models").glob("*.pt"))
    write_report(read_or_unfinished(file), output, models=model or kept, overwrite=overwrite)
    print(f"wrote {output} in {duration(time.perf_counter() - start)}")
