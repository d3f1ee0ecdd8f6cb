# SPDX-License-Identifier: MIT
"""Trained samplers on disk: one file with the system, its lattice if it has one, the options and the weights.

The file is a torch archive of tensors and plain values, read with ``weights_only=True``: loading runs no
code.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgphys import systems
from edgphys.edg.base_model import AbstractEDGModel
from edgphys.edg.training import History, save_atomically
from edgphys.errors import DatasetError
from edgphys.systems.base import AbstractSystem
from edgphys.systems.provenance import package_versions
from lattices import Lattice

__all__ = ["Content", "read", "write"]

_FORMAT, _VERSION = "edgphys-edg", 1


@dataclass(frozen=True)
class Content:
    """What a file holds."""

    system: AbstractSystem
    options: dict[str, Any]
    trained: dict[str, Any]
    history: History
    weights: dict[str, torch.Tensor]


def write(
    path: Path,
    system: AbstractSystem,
    options: dict[str, Any],
    trained: dict[str, Any],
    history: History,
    model: AbstractEDGModel,
) -> None:
    """Write atomically; the caller has checked the path.

    Raises
    ------
    DatasetError
        If `read` would not rebuild this very system: its class is not registered, its energy was replaced, or
        it holds data that are no parameters.
    """
    known = [record.system_class for record in systems.registry.available()]
    if type(system) not in known or "reduced_energy" in vars(system):
        names = ", ".join(one.__name__ for one in known)
        raise DatasetError(
            f"system must be one of {names}, as they are, to be saved, got {type(system).__name__}"
        )
    _check_rebuilt(system)
    lattice = getattr(system, "lattice", None)
    geometry = (
        {} if lattice is None else {field.name: getattr(lattice, field.name) for field in fields(Lattice)}
    )
    arrays = {name: torch.tensor(value) for name, value in geometry.items() if isinstance(value, np.ndarray)}
    plain = {name: value for name, value in geometry.items() if name not in arrays}
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "system": system.name,
        "text": json.dumps([system.parameters, plain, options, trained, asdict(history), package_versions()]),
        "lattice": arrays,
        "weights": {name: value.cpu() for name, value in model.state_dict().items()},
    }
    save_atomically(content, path)


def _check_rebuilt(system: AbstractSystem) -> None:
    """Data given by hand, as a logistic regression takes them, are not parameters."""
    if getattr(system, "lattice", None) is not None:
        return
    rebuilt = systems.registry.build(system.name, **system.parameters)
    if rebuilt.identity() != system.identity():
        raise DatasetError(
            f"system must follow from its parameters to be saved, got {system!r} with data of its own"
        )


def read(path: Path) -> Content:
    """Read and rebuild.

    Raises
    ------
    DatasetError
        If the file is missing, damaged, or of another kind or version.
    """
    if not path.is_file():
        raise DatasetError(f"path: there is no file {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DatasetError(f"path: {path} is not a saved sampler ({type(error).__name__})") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise DatasetError(f"path: {path} is not a saved sampler")
    if content["version"] != _VERSION:
        raise DatasetError(f"path: {path} has version {content['version']}, this edgphys reads {_VERSION}")
    parameters, plain, options, trained, history, _ = json.loads(content["text"])
    lattice = None
    if plain:
        plain |= {name: tuple(plain[name]) for name in ("extent", "pbc")}
        lattice = Lattice(**plain, **{name: value.numpy() for name, value in content["lattice"].items()})
    system = systems.registry.build(content["system"], lattice, **parameters)
    return Content(system, options, trained, History(**history), content["weights"])
