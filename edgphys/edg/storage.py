# SPDX-License-Identifier: MIT
"""Trained samplers on disk: one file with the system, its lattice if it has one, the options and the weights.

The file is a torch archive of tensors and plain values, read with ``weights_only=True``: loading runs no
code. A class, a function or data of the user's own are not in it; whoever loads hands the system in, and it
must be the same: class, identity (name, parameters, lattice or digest of the data), and energies at a few
points.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import lattices
from edgphys._checks import one_line
from edgphys.edg.core.archive import write_archive
from edgphys.edg.core.model import AbstractGenerator
from edgphys.edg.core.training import History
from edgphys.errors import DatasetError, EdgphysError
from edgphys.recording.machine import package_versions
from edgphys.systems import registry
from edgphys.systems.base import AbstractSystem
from lattices import Lattice
from lattices.unit_cell import Bond, UnitCell

__all__ = ["Content", "Training", "put_weights", "read", "read_training", "write"]

_FORMAT, _VERSION = "edgphys-edg", 1
# Points at which a system shows its energy, and how well two values must agree on another machine.
_N_POINTS, _TOLERANCE = 4, 1e-6


@dataclass(frozen=True)
class Content:
    """What a file holds."""

    system: AbstractSystem
    options: dict[str, Any]
    trained: dict[str, Any]
    history: History
    weights: dict[str, torch.Tensor]
    reason: str = ""


@dataclass(frozen=True)
class Training:
    """What a file says of a training; `system` is None where it does not follow from its parameters."""

    name: str
    parameters: dict[str, Any]
    system: AbstractSystem | None
    options: dict[str, Any]
    trained: dict[str, Any]
    history: History


def write(
    path: Path,
    system: AbstractSystem,
    options: dict[str, Any],
    trained: dict[str, Any],
    history: History,
    model: AbstractGenerator,
    overwrite: bool,
    reason: str = "",
) -> None:
    """Write atomically; the caller has checked the path."""
    arrays, plain = _arrays_and_plain(system.built_on)
    text = [system.parameters, plain, options, trained, asdict(history), package_versions()]
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "system": system.name,
        **_identity(system),
        "rebuilt": registry.rebuilds(system),
        "text": json.dumps(text),
        "lattice": arrays,
        "decoder_reason": reason,
        "weights": {name: value.cpu() for name, value in model.state_dict().items()},
    }
    write_archive(path, content, overwrite)


def _arrays_and_plain(lattice: Lattice | None) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Arrays of a lattice, and the rest as JSON types; nothing of none."""
    values = {} if lattice is None else asdict(lattice)
    arrays = {name: torch.tensor(value) for name, value in values.items() if isinstance(value, np.ndarray)}
    return arrays, {name: value for name, value in values.items() if name not in arrays}


def _identity(system: AbstractSystem) -> dict[str, Any]:
    """What a file knows a system by: its class, its identity, and its energy at a few points."""
    kind = type(system)
    return {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "identity": json.dumps(system.identity()),
        "energies": torch.from_numpy(_energies(system)),
    }


def _energies(system: AbstractSystem) -> NDArray[np.float64]:
    return system.reduced_energy(system.some_points(_N_POINTS)).detach().double().cpu().numpy()


def _is_same(system: AbstractSystem, content: dict[str, Any]) -> bool:
    """Whether it is the system of the file; older files have no class and no energies."""
    if "energies" not in content:
        return content.get("identity", json.dumps(system.identity())) == json.dumps(system.identity())
    own = _identity(system)
    return (
        own["class"] == content["class"]
        and own["identity"] == content["identity"]
        and np.allclose(own["energies"], content["energies"], rtol=_TOLERANCE, atol=_TOLERANCE)
    )


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
    content = _content(path)
    try:
        return _rebuilt(path, content, system)
    except EdgphysError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        words = f"path: {path} is no sampler that this edgphys has saved ({type(error).__name__})"
        raise DatasetError(words, "path") from error


def _rebuilt(path: Path, content: dict[str, Any], system: AbstractSystem | None) -> Content:
    parameters, plain, options, trained, history, _ = json.loads(content["text"])
    if system is None:
        # Files of before know only systems that follow from their parameters.
        if not content.get("rebuilt", True):
            raise DatasetError(
                f"system must be given to load {path}, a {content['system']} with a class, a function or "
                "data of its own, got none",
                "system",
            )
        system = registry.build(content["system"], _lattice(content, plain), **parameters)
    elif not _is_same(system, content):
        raise DatasetError(f"system must be the one that {path} was saved with, got {system!r}", "system")
    reason = content.get("decoder_reason", "")
    return Content(system, options, trained, History(**history), content["weights"], reason)


def read_training(path: Path) -> Training:
    """The training alone, for which no system has to be handed in.

    Raises
    ------
    DatasetError
        If the file is missing, damaged, or of another kind or version.
    """
    content = _content(path)
    if content.get("rebuilt", True):
        whole = read(path)
        system, parameters = whole.system, whole.system.parameters
        return Training(system.name, parameters, system, whole.options, whole.trained, whole.history)
    try:
        parameters, _, options, trained, history, *_ = json.loads(content["text"])
        return Training(content["system"], parameters, None, options, trained, History(**history))
    except (KeyError, TypeError, ValueError) as error:
        words = f"path: {path} is no sampler that this edgphys has saved ({type(error).__name__})"
        raise DatasetError(words, "path") from error


def put_weights(model: AbstractGenerator, weights: dict[str, torch.Tensor], path: Path) -> None:
    """Give a model the weights of a file.

    Raises
    ------
    DatasetError
        If they are not those of a model as this edgphys builds it.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise DatasetError(
            f"path: {path} holds the weights of another version of this decoder; train it again", "path"
        ) from error


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DatasetError(f"path: there is no file {path}", "path")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DatasetError(f"path: {path} is not a saved sampler ({type(error).__name__})", "path") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise DatasetError(f"path: {path} is not a saved sampler", "path")
    version = content.get("version")
    if version != _VERSION:
        raise DatasetError(
            f"path: {path} has version {one_line(version)}, this edgphys reads {_VERSION}",
            "path",
        )
    return content


def _lattice(content: dict[str, Any], plain: dict[str, Any]) -> Lattice | None:
    if not plain:
        return None
    if "unit_cell" not in plain:  # files of before; lattices of the library only
        return lattices.build(plain["name"], tuple(plain["extent"]), tuple(plain["pbc"]))
    plain = _tuples(plain)
    cell = plain["unit_cell"]
    plain["unit_cell"] = UnitCell(**cell | {"bonds": tuple(Bond(**bond) for bond in cell["bonds"])})
    return Lattice(**plain, **{name: value.numpy() for name, value in content["lattice"].items()})


def _tuples(value: Any) -> Any:
    """JSON types with lists as tuples, all the way down."""
    if isinstance(value, dict):
        return {name: _tuples(one) for name, one in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
