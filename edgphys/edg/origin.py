# SPDX-License-Identifier: MIT
"""How a generator came about, for the records of its draws: made and trained, or read from a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from edgphys.edg.call_options import FitOptions
from edgphys.errors import DatasetError
from edgphys.recording.plain_values import made_by, plain, restored
from edgphys.recording.repeat import beside
from edgphys.systems.base import AbstractSystem

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Origin"]


@dataclass(frozen=True)
class Origin:
    """What a generator was made from.

    Attributes
    ----------
    system : AbstractSystem
    options : mapping
        Of `EDG`.
    fit : dict or None
        Arguments of `EDG.fit`, in the types of `plain`; None before.
    settings : dict
        What the training has resolved its settings to.
    at : dict of str to float
        Couplings that it was moved to since.
    file : dict or None
        Of a generator that was read: path and digest, the device, and whether the system was handed in.
    """

    system: AbstractSystem
    options: Mapping[str, Any]
    fit: dict[str, Any] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    at: dict[str, float] = field(default_factory=dict)
    file: dict[str, Any] | None = None

    def trained(
        self,
        system: AbstractSystem,
        seed: int,
        options: FitOptions,
        reference: xr.Dataset | None,
        settings: dict[str, Any],
    ) -> Origin:
        """After a training of `system`, where the generator has been moved to."""
        given = {"seed": plain(seed), **plain(asdict(options))}
        given |= {} if reference is None else {"reference": plain(reference)}
        return Origin(system, self.options, given, settings)

    def moved(self, couplings: dict[str, float]) -> Origin:
        """At other couplings."""
        return replace(self, at={**self.at, **couplings})

    def read(self, path: Path, device: Any, is_given: bool) -> Origin:
        """Of the content of a file."""
        file = {"path": str(path), "digest": _digest(path), "device": plain(device)}
        return replace(self, file=file | {"system_given": is_given})

    def plain(self) -> dict[str, Any]:
        """In JSON types."""
        about: dict[str, Any] = {"at": plain(self.at)} if self.at else {}
        if self.file is not None:
            about |= {**self.file, "n_threads": self.options["n_threads"]}
            return about | ({"system": plain(self.system)} if about.pop("system_given") else {})
        about |= {"system": plain(self.system), "options": plain(self.options)}
        return about | ({} if self.fit is None else {"fit": self.fit})


@plain.register(torch.device)
def _(value: torch.device) -> str:
    return str(value)


@made_by("generator")
def _(content: dict[str, Any]) -> Any:
    """Read, or made and trained, again.

    Raises
    ------
    DatasetError
        If its file is missing or holds another generator by now.
    """
    from edgphys.edg.sampler import EDG

    system = restored(content.get("system"))
    if "path" in content:
        path = beside(Path(content["path"]))
        if not path.exists():
            raise DatasetError(f"its generator {content['path']} is missing")
        if _digest(path) != content["digest"]:
            raise DatasetError(f"its generator {content['path']} has changed since")
        edg = EDG.load(path, system=system, device=content["device"], n_threads=content["n_threads"])
    else:
        edg = EDG(system, **restored(content["options"]))
        if "fit" in content:
            edg = edg.fit(progress=False, **restored(content["fit"]))
    return edg.at(**restored(content.get("at", {})))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
