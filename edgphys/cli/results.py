# SPDX-License-Identifier: MIT
"""The result that a command is to show: a file, or what there is of a scan that is not complete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgphys.errors import DatasetError

if TYPE_CHECKING:
    import xarray as xr

    from edgphys.scans.unfinished import Unfinished

__all__ = ["read_or_unfinished"]


def read_or_unfinished(file: Path) -> xr.Dataset:
    """The dataset of a file; where there is none yet, the finished cells of a scan to it.

    A line says how many cells are finished, also of a scan that adds to a file that is there.

    Raises
    ------
    DatasetError
        If there is neither.
    """
    from edgphys import dataset

    if file.suffix == ".partial" and file.is_dir():
        file = file.with_suffix("")
    scan = _unfinished(file)
    if scan is not None:
        added = f", of the scan that adds to {file}" if file.exists() else ""
        print(f"{scan.line}{added}")
        return dataset.read(file) if file.exists() else scan.table
    state = file.with_name(file.name + ".chains")
    if state.exists() and not file.exists():
        raise DatasetError(
            f"{file} is unfinished, {state} holds the state of the command that writes it; wait for it, "
            "or run it again if it was stopped"
        )
    return dataset.read(file)


def _unfinished(file: Path) -> Unfinished | None:
    if not file.with_name(file.name + ".partial").exists():
        return None  # as a rule, and without loading what scans need
    from edgphys.scans.unfinished import unfinished

    return unfinished(file)
