# SPDX-License-Identifier: MIT
"""Trained samplers on disk: one file with the system, its lattice if it has one, the options and the weights.

The file is a torch archive of tensors and plain values, read with ``weights_only=True``: loading runs no
code. A function or data of the user's own are not in it; whoever loads hands the system in, and it must have
the same identity (name, parameters, energies at fixed points or digest of the data).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgphys import systems
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.training import History, save_atomically
from edgphys.errors import DatasetError
from edgphys.systems.base import AbstractSystem
from edgphys.systems.continuous.potential import Potential
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
        If no file can tell this system from others: its class is not known, or its energy was replaced.
    """
    known = [*(record.system_class for record in systems.registry.available()), Potential]
    if type(system) not in known or "reduced_energy" in vars(system):
        names = ", ".join(one.__name__ for one in known)
        raise DatasetError(
            f"system must be one of {names}, as they are, to be saved, got {type(system).__name__}"
        )
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
        "identity": json.dumps(system.identity()),
        "rebuilt": _follows_from_parameters(system),
        "text": json.dumps([system.parameters, plain, options, trained, asdict(history), package_versions()]),
        "lattice": arrays,
        "weights": {name: value.cpu() for name, value in model.state_dict().items()},
    }
    save_atomically(content, path)


def _follows_from_parameters(system: AbstractSystem) -> bool:
    """Not where there are data or a function given by hand."""
    if getattr(system, "lattice", None) is not None:
        return True
    if isinstance(system, Potential):
        return False
    return systems.registry.build(system.name, **system.parameters).identity() == system.identity()


def read(path: Path, system: AbstractSystem | None = None) -> Content:
    """Read and rebuild.

    Parameters
    ----------
    path : Path
    system : AbstractSystem, optional
        The system of the file; needed where it does not follow from its parameters.

    Raises
    ------
    DatasetError
        If the file is missing, damaged, or of another kind or version, or `system` is missing or another one.
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
    # Files of before know only systems that follow from their parameters.
    if system is None and not content.get("rebuilt", True):
        raise DatasetError(
            f"system must be given to load {path}, a {content['system']} with a function or data of its own, "
            "got none"
        )
    if system is None:
        system = systems.registry.build(content["system"], lattice, **parameters)
    elif "identity" in content and content["identity"] != json.dumps(system.identity()):
        raise DatasetError(f"system must be the one that {path} was saved with, got {system!r}")
    return Content(system, options, trained, History(**history), content["weights"])
