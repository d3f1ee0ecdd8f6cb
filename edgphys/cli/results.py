# SPDX-License-Identifier: MIT
"""Files of results: one that a command is to show, or what there is of a scan; one that it is to write."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgphys._files import check_target
from edgphys.errors import DatasetError

if TYPE_CHECKING:
    import xarray as xr

    from edgphys.scans.unfinished import Unfinished

__all__ = ["check_new_file", "read_or_unfinished"]


def check_new_file(out: Path, overwrite: bool = True) -> None:
    """Refuse a path that no dataset can be written to, before anything heavy is loaded.

    Raises
    ------
    ValueError
        If the folder does not exist, the name does not end in ``.nc``, or, without `overwrite`, there is a
        file of that name.
    """
    check_target(out, "out", overwrite)
    if out.suffix != ".nc":
        raise ValueError(f"--out must end in .nc, got {str(out)!r}")


def read_or_unfinished(file: Path) -> xr.Dataset:
    """The dataset of a file, the training of a generator; where there is none yet, the cells of a scan to it.

    A line says how many cells are finished, also of a scan that adds to a file that is there.

    Raises
    ------
    DatasetError
        If there is neither.
    """
    from edgphys import dataset

    if file.is_file() and zipfile.is_zipfile(file):  # a trained generator; datasets are HDF5
        from edgphys.edg.history import history_of_file

        return history_of_file(file)
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
