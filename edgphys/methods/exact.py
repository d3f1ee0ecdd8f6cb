# SPDX-License-Identifier: MIT
"""What is known exactly, as a method of a scan: errors are zero."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgphys.errors import NotExactError
from edgphys.methods.base import AbstractMethod, Look

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ExactMethod"]


class ExactMethod(AbstractMethod):
    """The exact results that a system carries; none, with a note, where nothing is known or can be had."""

    name = "exact"
    look: Look = Look("exact", is_exact=True, reference_rank=0)

    def check(self, systems: Sequence[Any]) -> None:
        """Something must be known at one point at least."""
        if not any(system.exact for system in systems):
            words = _words(systems[0])
            raise NotExactError(
                f"methods: nothing is known exactly for {words}; leave out 'exact'", "methods"
            )

    def run(
        self, system: Any, seed: Any = None, artefact: Any = None, checkpoint: str | None = None
    ) -> xr.Dataset:
        from edgphys.estimators.estimate import estimates_from_exact
        from edgphys.systems.known import known_exactly

        known, note = known_exactly(system)
        about = {"observables": json.dumps(list(system.exact)), "warning": note}
        return estimates_from_exact(known, system.attrs() | about)


def _words(system: Any) -> str:
    parameters = json.dumps(system.parameters)
    if system.lattice is None:
        return f"{system.name} with {parameters}"
    extent = "x".join(str(length) for length in system.built_on.extent)
    return f"{system.name} on {system.built_on.name} {extent} with {parameters}"
