# SPDX-License-Identifier: MIT
"""One generator for all points of a scan: trained once, kept on disk until the scan is complete, then asked.

It is trained around the middle of the ranges, so that it does not depend on which points there are, or in
which order.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgphys.errors import DatasetError
from edgphys.methods.condition_ranges import Ranges

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SharedModel", "kept_at", "middle", "shared_model"]


@dataclass(frozen=True)
class SharedModel:
    """A generator for a range of couplings, and the number of points that share its training.

    Attributes
    ----------
    edg : EDG
        Trained.
    n_points : int
    """

    edg: Any
    n_points: int

    def at(self, system: Any) -> Any:
        """The generator at the couplings of `system`."""
        return self.edg.at(**{name: system.couplings[name] for name in self.edg.conditions})

    def count_share(self, table: xr.Dataset) -> None:
        """Let estimates at one point count their share of what training took, in place of all of it."""
        training = json.loads(table.attrs["settings"])["training"]
        n_energy, n_gradient = (training.get(f"n_{kind}_calls", 0) for kind in ("energy", "gradient"))
        others = 1.0 - 1.0 / self.n_points
        # The energy is evaluated with every gradient.
        table.attrs["n_energy_calls"] -= round(others * (n_energy + n_gradient))
        table.attrs["n_gradient_calls"] -= round(others * n_gradient)
        table.attrs["shared_time"] = training.get("training_time", 0.0) / self.n_points

    def packed(self) -> bytes:
        """The content of the file in which it is kept."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "shared.model"
            self.edg.save(path, overwrite=True)
            return path.read_bytes()


def kept_at(checkpoint: str) -> Path:
    """Where the trained model is kept, beside the state of its training."""
    return Path(checkpoint).with_suffix(".model")


def middle(system: Any, ranges: Ranges) -> Any:
    """The system with every coupling in the middle of its range."""
    return system.replace(**{name: 0.5 * (low + high) for name, (low, high) in ranges.items()})


def shared_model(
    system: Any,
    model: Mapping[str, Any],
    fit: Mapping[str, Any],
    seed: int,
    n_points: int,
    checkpoint: str | None,
) -> SharedModel:
    """Train, or take the model that an earlier run of the same scan has trained.

    Parameters
    ----------
    system : AbstractSystem
        In the middle of the ranges.
    model, fit : mapping
        Options of `EDG`, ``conditions`` and ``n_threads`` among them, and of its ``fit``.
    seed : int
    n_points : int
    checkpoint : str, optional
        File for the state of the training. Its result is kept beside it, with the suffix ``.model``.
    """
    from edgphys.edg import EDG

    kept = None if checkpoint is None else kept_at(checkpoint)
    if kept is not None and kept.exists():
        with contextlib.suppress(DatasetError):  # what cannot be read is trained again
            options = {"device": fit.get("device"), "n_threads": model["n_threads"]}
            return SharedModel(EDG.load(kept, system=system, **options), n_points)
    edg = EDG(system, **model).fit(seed=seed, progress=False, checkpoint=checkpoint, **fit)
    if kept is not None:
        edg.save(kept, overwrite=True)
        Path(str(checkpoint)).unlink(missing_ok=True)
    return SharedModel(edg, n_points)
