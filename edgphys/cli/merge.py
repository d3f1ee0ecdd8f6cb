# SPDX-License-Identifier: MIT
"""``edgphys merge``: datasets of one kind as one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from edgphys.cli.results import check_new_file
from edgphys.cli.run_arguments import Overwrite, Traceback, duration

__all__ = ["merge"]


def merge(
    files: Annotated[
        list[Path], typer.Argument(help="Scans, samples, or estimates; all of one kind and one system.")
    ],
    out: Annotated[Path, typer.Option(help="netCDF file to write.")],
    overwrite: Overwrite = False,
    traceback: Traceback = False,
) -> None:
    """Put datasets together: scans of other points, sizes, methods or seeds; chains and draws of other seeds.

    Cells of a scan that several files have, by other seeds, are averaged; the same draws twice are refused.
    """
    start = time.perf_counter()
    check_new_file(out, overwrite)
    from edgphys.dataset.files import merge, read, write_or_keep

    merged = merge([read(file) for file in files])
    write_or_keep(merged, out, overwrite)
    print(f"wrote {out} ({_words(dict(merged.sizes))}) in {duration(time.perf_counter() - start)}")


def _words(sizes: dict) -> str:
    """Lengths of the dims.

    Examples
    --------
    >>> _words({"method": 2, "temperature": 5})
    'method 2, temperature 5'
    """
    return ", ".join(f"{name} {length}" for name, length in sizes.items())
