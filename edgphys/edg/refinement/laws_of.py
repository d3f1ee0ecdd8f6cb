# SPDX-License-Identifier: MIT
"""Which law serves the sites of a system, by its family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgphys.edg.refinement.law import AbstractLaw
from edgphys.edg.refinement.quartic_law import QuarticLaw
from edgphys.edg.refinement.spin_law import SpinLaw
from edgphys.errors import UnknownNameError
from edgphys.systems import Ising, Phi4, registry
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice.base import AbstractLatticeSystem

__all__ = ["has_law", "law_of"]


def _spins(system: Ising) -> SpinLaw:
    return SpinLaw(system.beta * system.coupling, system.beta * system.field)


def _fields(system: Phi4) -> QuarticLaw:
    degree = int(system.lattice.coordination.max())
    return QuarticLaw(system.quadratic, system.quartic, system.hop, degree)


_LAWS: dict[str, Callable[[Any], AbstractLaw]] = {"ising": _spins, "phi4": _fields}


def has_law(system: AbstractSystem) -> bool:
    """Whether there is a law for the sites of `system`: by its family, and with the family's own energy."""
    return system.family in _LAWS and registry.rebuilds(system)


def law_of(system: AbstractLatticeSystem) -> AbstractLaw:
    """The law of the sites of `system`.

    Raises
    ------
    UnknownNameError
        If there is none for its family.
    """
    if not has_law(system):
        words = f"system must be of family {' or '.join(_LAWS)}, with its own energy; got {system!r}"
        raise UnknownNameError(words, "system")
    return _LAWS[system.family](system)
