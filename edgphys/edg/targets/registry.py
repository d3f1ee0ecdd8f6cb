# SPDX-License-Identifier: MIT
"""Targets by which the field decoder samples a lattice; what one is: `edgphys.edg.targets.base`."""

from __future__ import annotations

from edgphys.edg.targets.base import AbstractLatticeTarget
from edgphys.edg.targets.configuration import ConfigurationTarget
from edgphys.edg.targets.ising import IsingDecimationTarget, IsingRelaxationTarget
from edgphys.edg.targets.phi4 import Phi4FieldTarget, Phi4SublatticeTarget
from edgphys.errors import UnknownNameError
from edgphys.systems.base import AbstractSystem

__all__ = ["TARGETS", "make_target", "target_names"]

# The best first; the first that serves a system is its default.
TARGETS: tuple[type[AbstractLatticeTarget], ...] = (
    IsingDecimationTarget,
    IsingRelaxationTarget,
    Phi4SublatticeTarget,
    Phi4FieldTarget,
    ConfigurationTarget,
)


def _serving(system: AbstractSystem) -> dict[str, type[AbstractLatticeTarget]]:
    """Targets of a system by name, the best first."""
    return {target.name: target for target in TARGETS if target.serves(system) is None}


def target_names(system: AbstractSystem) -> tuple[str, ...]:
    """Names of the targets of the field decoder for a lattice system, its default first.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> target_names(Ising(lattices.build("square", (4, 4)), temperature=2.0))
    ('decimation', 'relaxation')
    >>> target_names(Ising(lattices.build("triangular", (4, 4)), temperature=2.0))
    ('relaxation',)
    """
    return tuple(_serving(system))


def make_target(system: AbstractSystem, name: str = "auto") -> AbstractLatticeTarget:
    """The target called `name`, or the default.

    Raises
    ------
    UnknownNameError
        If the system has no such target.
    """
    serving = _serving(system)
    if name == "auto":
        return next(iter(serving.values()))(system)
    if name not in serving:
        raise UnknownNameError(
            f"target must be auto, {', '.join(serving)} for {system!r}, got {name!r}", "target"
        )
    return serving[name](system)
