# SPDX-License-Identifier: MIT
"""Which finished cells a scan may take over from its output file and from unfinished work beside it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgphys._files import OVERWRITE
from edgphys.errors import DatasetError
from edgphys.scans.cell import Result
from edgphys.scans.extending import study_differs
from edgphys.scans.grid import Key, cells_of, header_of
from edgphys.scans.partial_results import PartialScan, disagreement

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["finished_in_file", "must_drop", "study_in"]


def study_in(path: Path | None, overwrite: bool, resume: bool) -> xr.Dataset | None:
    """The scan in an existing file that is to be kept; None if there is none.

    Raises
    ------
    DatasetError
        If the file must not be replaced.
    """
    if path is None or overwrite or not path.exists():
        return None
    if not resume:
        raise DatasetError(f"{path} exists; {OVERWRITE}", "out")
    from edgphys import dataset

    table = dataset.read(path)
    if table.attrs.get("kind") != "scan":
        found = table.attrs.get("kind")
        raise DatasetError(f"{path} exists and holds {found}, not a scan; {OVERWRITE}", "out")
    return table


def finished_in_file(
    path: Path, table: xr.Dataset, attrs: dict[str, Any], wanted: Collection[Key], extended: Collection[Key]
) -> dict[Key, Result] | None:
    """Cells of a file that is a part of the scan asked for; None where it is to be merged with what is new.

    Raises
    ------
    DatasetError
        If it holds another study, or all that is wanted.
    """
    difference = study_differs(table.attrs, attrs)
    if difference:
        raise DatasetError(f"{path} exists and holds another scan ({difference}); {OVERWRITE}", "out")
    if not extended:
        raise DatasetError(f"{path} exists and is complete; {OVERWRITE}", "out")
    done = cells_of(table)
    is_part = set(done) <= set(wanted) and "runs" not in table.attrs
    return None if disagreement(header_of(table.attrs), header_of(attrs)) or not is_part else done


def must_drop(partial: PartialScan, header: dict[str, Any], overwrite: bool, resume: bool) -> bool:
    """Whether unfinished work of an earlier scan is to be dropped.

    Raises
    ------
    DatasetError
        If it must not be.
    """
    if not partial.exists():
        return True  # cells without a word of what they are
    if not resume:
        if overwrite:
            return True
        words = f"{partial.folder} holds an unfinished scan; resume it, or {OVERWRITE}"
        raise DatasetError(words, "out")
    if overwrite:
        try:
            return bool(disagreement(partial.header(), header))
        except DatasetError:
            return True
    difference = disagreement(partial.header(), header)
    if difference:
        words = f"{partial.folder} holds another unfinished scan ({difference}); {OVERWRITE}"
        raise DatasetError(words, "out")
    return False
