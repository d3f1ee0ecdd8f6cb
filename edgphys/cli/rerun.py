# SPDX-License-Identifier: MIT
"""``edgphys rerun``: a file computed once more from its own record."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from edgphys.cli.results import check_new_file
from edgphys.cli.run_arguments import Overwrite, Traceback, duration

__all__ = ["rerun"]


def rerun(
    file: Annotated[Path, typer.Argument(help="A file that edgphys has written.")],
    *,
    out: Annotated[Path, typer.Option(help="netCDF file to write.")],
    overwrite: Overwrite = False,
    traceback: Traceback = False,
) -> None:
    """Compute a file once more from its own record, and say whether the numbers are the same.

    Ends with exit code 1 if they are not.
    """
    start = time.perf_counter()
    check_new_file(out, overwrite)
    import edgphys
    from edgphys.dataset.files import write_or_keep

    again = edgphys.rerun(file)
    write_or_keep(again.dataset, out, overwrite)
    print("\n".join(again.lines))
    print(f"wrote {out} in {duration(time.perf_counter() - start)}")
    if not again.is_same:
        raise typer.Exit(1)
