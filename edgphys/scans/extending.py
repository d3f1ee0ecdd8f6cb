# SPDX-License-Identifier: MIT
"""What a scan adds to the file that is there: more points, sizes, methods, draws, or another seed.

The rule: scans of one system, lattice, boundary, parameters, couplings and definitions are one study, and
extend each other. Another of these is another study, refused. In a study a cell is finished if a run of the
same seed has it, with as many draws. Where that run has fewer (``n_samples`` of edg, ``n_sweeps`` of chains),
only the others are drawn, by a seed derived from the two, from the trained model if there is one; any other
setting changed is refused, for it would be another result under the same seed. What is new is computed as a
scan of its own and merged (`edgphys.dataset.merge`): cells that are there stay to the bit, other seeds and
further draws are averaged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgphys._files import OVERWRITE
from edgphys.dataset.cell_names import cell_name
from edgphys.dataset.runs import Run, runs_of
from edgphys.errors import DatasetError
from edgphys.methods.base import AbstractMethod
from edgphys.scans.cell import Cell
from edgphys.scans.grid import Key, header_of, plain_json
from edgphys.scans.partial_results import FREE_SETTINGS, default_or, disagreement

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Extension", "extension", "plan_beside", "study_differs"]

Plan = Callable[[AbstractMethod, Sequence[Any], Sequence[Any]], AbstractMethod]


@dataclass(frozen=True)
class Extension:
    """What is to be computed.

    Attributes
    ----------
    cells : dict
        Those to compute by key, each with its method and its seed.
    """

    cells: dict[Key, Cell]

    def attrs_by_seed(self, attrs: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """Attributes of the runs that compute the cells, from those of the scan that was asked for."""
        found: dict[int, dict[str, Any]] = {}
        for (name, _), cell in self.cells.items():
            about = found.setdefault(cell.seed, attrs | {"seed": cell.seed, "settings": {}})
            own = json.loads(attrs["settings"])[name]
            if cell.trained_by is not None:
                about["continues"] = cell.trained_by
                own |= {cell.method.counted: cell.method.settings()[cell.method.counted]}
            about["settings"][name] = own
        return {seed: about | {"settings": json.dumps(about["settings"])} for seed, about in found.items()}


def study_differs(there: dict[str, Any], attrs: dict[str, Any]) -> str:
    """Why the two are other studies, from the attributes of both; "" if one may extend the other."""
    left_out = {"seed": 0, "settings": {}}
    words = disagreement(header_of(there) | left_out, header_of(attrs) | left_out)
    if words:
        return words
    before, now = (json.loads(one["definitions"]) for one in (there, attrs))
    other = next((name for name in now if before.get(name, now[name]) != now[name]), None)
    return f"the definition of {other} is another there" if other else ""


def plan_beside(table: xr.Dataset | None, seed: int) -> Plan:
    """How methods plan for points: with the model that a run of this seed in the file has, if it serves."""

    def plan(method: AbstractMethod, systems: Sequence[Any], points: Sequence[Any]) -> AbstractMethod:
        for run in _of_seed(runs_of(table), seed) if table is not None else ():
            found = run["settings"].get(method.name)
            if isinstance(found, dict):
                return method.adopting(found, systems, points)
        return method.for_all(systems, points)

    return plan


def extension(table: xr.Dataset, wanted: dict[Key, Cell], seed: int, path: Any) -> Extension:
    """The cells of a scan of `seed` that the file lacks, or has with fewer draws.

    Raises
    ------
    DatasetError
        If a run of this seed has other settings.
    """
    every = runs_of(table)
    runs = _of_seed(every, seed)
    cells = {}
    for key, cell in wanted.items():
        is_exact = cell.method.look is not None and cell.method.look.is_exact  # whatever the seed
        having = [
            run for run in (every if is_exact else runs) if cell_name(key[0], cell.point) in run["cells"]
        ]
        more = _lacking(cell, having, path) if having else cell
        if more is not None:
            cells[key] = more
    return Extension(cells)


def _of_seed(runs: Sequence[Run], seed: int) -> list[Run]:
    return [run for run in runs if seed in (run["seed"], run.get("continues"))]


def _lacking(cell: Cell, having: Sequence[Run], path: Any) -> Cell | None:
    """The cell with what it has to draw beside what these runs have drawn; None if nothing."""
    method, counted = cell.method, cell.method.counted
    now, default = plain_json(method.settings()), method.default_of(counted) if counted else 0
    drawn = 0
    for run in having:
        there = run["settings"].get(method.name, {})
        drawn += there.get(counted, default)
        for name in sorted((set(there) | set(now)) - {counted, "conditions", *FREE_SETTINGS}):
            if there.get(name) != now.get(name):
                before, here = (default_or(one.get(name)) for one in (there, now))
                words = f"{name} of {method.name} is {before} there and {here} here"
                raise DatasetError(f"{path} exists and holds another scan ({words}); {OVERWRITE}", "out")
    lacking = now.get(counted, default) - drawn
    if lacking <= 0:
        return None
    further = int(np.random.SeedSequence(cell.seed, spawn_key=(drawn,)).generate_state(1, np.uint64)[0]) >> 1
    return replace(cell, method=method.drawing(lacking), seed=further, trained_by=cell.seed)
