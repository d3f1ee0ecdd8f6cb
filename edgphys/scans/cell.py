# SPDX-License-Identifier: MIT
"""One cell of a scan: one method applied to one system at one point of the grid of couplings.

A cell is computed from the method, the system, the seed of the scan, the point and what all points of the
method share, alone; it may be sent to another process.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgphys._files import drop_states
from edgphys.dataset.cell_names import point_words
from edgphys.errors import ArgumentTypeError, DatasetError, EdgphysError, TrainingError
from edgphys.methods.base import AbstractMethod
from edgphys.recording.record import merged, unrecorded
from edgphys.scans.points import point_label, seed_sequence
from edgphys.scans.sizes import Label, group_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Cell", "Result", "run_cell"]

# values: name to float (estimates, errors, diagnostics, wall_time in s); algorithm and warning: str;
# settings: dict, resolved; draws, where they are kept: str, their file beside the dataset.
Result = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """What is computed.

    Attributes
    ----------
    method : AbstractMethod
    system : AbstractSystem
        At the point.
    point : dict of str to label
        The couplings; they enter the seed only.
    seed : int
        Of the whole scan.
    trained_by : int or None
        Seed of the scan that has trained what is shared, where this one draws more from it.
    draws : Path or None
        File to which its draws are written, of a method that has draws.
    """

    method: AbstractMethod
    system: Any
    point: dict[str, Label]
    seed: int
    trained_by: int | None = None
    draws: Path | None = None

    @property
    def shared(self) -> tuple[str, str]:
        """Key of what the method prepares for this cell and others."""
        return self.method.name, point_words(group_of(self.point))


def run_cell(cell: Cell, artefact: Any, checkpoint: str | None) -> Result:
    """Compute one cell; errors tell which.

    Parameters
    ----------
    cell : Cell
    artefact
        What the method has prepared for all points.
    checkpoint : str or None
        File in which the method may keep its state, so that a killed computation goes on.
    """
    import xarray as xr

    start = time.perf_counter()
    name = cell.method.name
    try:
        seed = seed_sequence(cell.seed, name, cell.point)
        with unrecorded() as notes:
            keeping = None if cell.draws is None else cell.method.keeping(cell.draws)
            estimates = _estimates(keeping or cell.method, cell.system, seed, artefact, checkpoint)
        if not isinstance(estimates, xr.Dataset):
            kind = type(estimates).__name__
            raise ArgumentTypeError(f"run of method {name!r} must give an xarray.Dataset, got {kind}")
        settings = merged(cell.method.all_settings(), notes.settings)
        result = _result_of(estimates, settings)
        if keeping is not None and cell.draws is not None:
            result["draws"] = "/".join(cell.draws.parts[-2:])
    except (EdgphysError, ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
        error.add_note(f"computing {name} at {point_label(cell.point)}")
        raise
    elsewhere = sum(float(estimates.attrs.get(name, 0.0)) for name in ("shared_time", "earlier_time"))
    result["values"]["wall_time"] = time.perf_counter() - start + elsewhere
    return result


def _estimates(method: AbstractMethod, system: Any, seed: Any, artefact: Any, checkpoint: str | None) -> Any:
    """From the state of a killed run; anew where that is damaged, or of another device.

    That it belongs to this scan, the scan has looked at.
    """
    try:
        return method.run(system, seed, artefact, checkpoint)
    except (DatasetError, TrainingError) as error:
        if checkpoint is None or error.argument != "checkpoint":
            raise
        drop_states(Path(checkpoint))
        return method.run(system, seed, artefact, checkpoint)


def _result_of(estimates: xr.Dataset, settings: dict[str, Any]) -> Result:
    values = {
        str(name): float(variable) for name, variable in estimates.data_vars.items() if variable.size == 1
    }
    attrs = estimates.attrs
    values |= {name: float(attrs[name]) for name in ("n_energy_calls", "n_gradient_calls") if name in attrs}
    return {
        # Absent and NaN are the same in a scan.
        "values": {name: value for name, value in values.items() if not math.isnan(value)},
        "algorithm": str(attrs.get("algorithm", attrs.get("method", ""))),
        "warning": str(attrs.get("warning") or attrs.get("blank", "")),
        "settings": merged(settings, json.loads(str(attrs.get("settings", "{}")))),
    }
