# SPDX-License-Identifier: MIT
"""Which finished cells a scan may take over from its output file and from unfinished work beside it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from edgphys._files import OVERWRITE
from edgphys.errors import DatasetError
from edgphys.scans.cell import Result
from edgphys.scans.grid import Key, cells_of, header_of
from edgphys.scans.partial_results import PartialScan, disagreement

__all__ = ["finished_in_file", "must_drop"]


def finished_in_file(
    path: Path, header: dict[str, Any], wanted: Collection[Key], overwrite: bool, resume: bool
) -> dict[Key, Result]:
    """Cells of an existing file to which this scan adds.

    Raises
    ------
    DatasetError
        If the file must not be replaced.
    """
    if overwrite or not path.exists():
        return {}
    if not resume:
        raise DatasetError(f"{path} exists; {OVERWRITE}", "out")
    from edgphys import dataset

    table = dataset.read(path)
    if table.attrs.get("kind") != "scan":
        found = table.attrs.get("kind")
        raise DatasetError(f"{path} exists and holds {found}, not a scan; {OVERWRITE}", "out")
    difference = disagreement(header_of(table.attrs), header)
    if difference:
        raise DatasetError(f"{path} exists and holds another scan ({difference}); {OVERWRITE}", "out")
    done = cells_of(table)
    if set(wanted) <= set(done):
        raise DatasetError(f"{path} exists and is complete; {OVERWRITE}", "out")
    lost = sorted(set(done) - set(wanted))
    if lost:
        method, point = lost[0]
        raise DatasetError(
            f"{path} exists and has {method} at {point}, which this scan leaves out; add it, or {OVERWRITE}",
            "out",
        )
    return done


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
