# SPDX-License-Identifier: MIT
"""``edgphys show``: a dataset of any kind in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgphys.cli.results import read_or_unfinished
from edgphys.cli.run_arguments import Traceback

__all__ = ["show"]


def show(
    file: Annotated[Path, typer.Argument(help="A scan, a curve, samples, a ladder or estimates.")],
    variable: Annotated[
        list[str] | None,
        typer.Option("--variable", "-v", help="Result of a scan or a curve to show; repeat."),
    ] = None,
    provenance: Annotated[
        bool,
        typer.Option("--provenance", help="Instead how it came about: command, call, settings, versions."),
    ] = False,
    traceback: Traceback = False,
) -> None:
    """Print a scan as a table, with standard errors and z-scores; or the estimates from samples.

    Of a scan that runs, or was stopped, what is finished.
    """
    result = read_or_unfinished(file)
    if provenance:
        from edgphys.report.provenance_lines import print_provenance

        print_provenance(result)
        return
    from edgphys.report.text import print_dataset

    print_dataset(result, variable or None)
