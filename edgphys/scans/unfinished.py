# SPDX-License-Identifier: MIT
"""A scan that runs, or was stopped, as the table of its finished cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgphys.scans.cell import Result
from edgphys.scans.grid import Grid, Key, assemble, cells_of, header_of
from edgphys.scans.job import keys_of
from edgphys.scans.partial_results import PartialScan, disagreement

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Unfinished", "unfinished"]


@dataclass(frozen=True)
class Unfinished:
    """What there is of a scan.

    Attributes
    ----------
    table : xarray.Dataset
        As `edgphys.scan` will give it, NaN where no cell is finished; without variables where none is.
    n_finished, n_cells : int
    """

    table: xr.Dataset
    n_finished: int
    n_cells: int

    @property
    def line(self) -> str:
        """In words.

        >>> Unfinished(None, 2, 6).line
        'unfinished: 2 of 6 cells'
        """
        return f"unfinished: {self.n_finished} of {self.n_cells} cells"


def unfinished(out: Path) -> Unfinished | None:
    """The scan to the file `out` that is not complete; None if there is none.

    It may be read while the scan runs: each file of it is there in full, or not at all.

    Raises
    ------
    DatasetError
        If what is beside `out` cannot be read.
    """
    partial = PartialScan(out)
    if not partial.exists():
        return None
    header, plan = partial.header(), partial.plan()
    grid = Grid(plan["grid"])
    wanted = keys_of(plan["methods"], grid.points)
    done = _in_file(out, header) | partial.cells()
    done = {key: done[key] for key in wanted if key in done}
    return Unfinished(assemble(tuple(plan["methods"]), grid, done, plan["attrs"]), len(done), len(wanted))


def _in_file(out: Path, header: dict[str, Any]) -> dict[Key, Result]:
    """Cells of an existing file to which the scan adds; none of a file that it is going to replace."""
    from edgphys import dataset

    if not out.exists():
        return {}
    table = dataset.read(out)
    if table.attrs["kind"] != "scan" or disagreement(header_of(table.attrs), header):
        return {}
    return cells_of(table)
