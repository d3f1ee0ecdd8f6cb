# SPDX-License-Identifier: MIT
"""Which target a system is sampled through; see `edgphys.edg.targets.base` for what a target is."""

from __future__ import annotations

from edgphys.edg.targets.base import AbstractTarget
from edgphys.edg.targets.configuration import ConfigurationTarget
from edgphys.edg.targets.ising import IsingDecimationTarget, IsingRelaxationTarget
from edgphys.edg.targets.phi4 import Phi4FieldTarget, Phi4SublatticeTarget
from edgphys.errors import UnknownNameError
from edgphys.systems import Ising, Phi4
from edgphys.systems.base import AbstractSystem

__all__ = ["make_target", "target_names"]


def _is_plain(system: AbstractSystem, system_class: type) -> bool:
    """Whether the partial sums of `system_class` hold: not for a subclass or an energy replaced by hand."""
    return type(system) is system_class and "reduced_energy" not in vars(system)


def _options(system: AbstractSystem) -> dict[str, type[AbstractTarget]]:
    """Targets of a system by name, the best first."""
    two_sublattices = system.lattice.bipartition is not None
    if _is_plain(system, Ising):
        single_bonds = bool((system.lattice.adjacency <= 1.0).all())
        decimated = {"decimation": IsingDecimationTarget}
        return (decimated if two_sublattices and single_bonds and system.coupling != 0.0 else {}) | {
            "relaxation": IsingRelaxationTarget
        }
    if _is_plain(system, Phi4):
        halved = {"sublattice": Phi4SublatticeTarget}
        return (halved if two_sublattices and system.hop != 0.0 else {}) | {"field": Phi4FieldTarget}
    return {"field": ConfigurationTarget}


def target_names(system: AbstractSystem) -> tuple[str, ...]:
    """Names of the targets there are for a system, the default first.

    Examples
    --------
    >>> import lattices
    >>> target_names(Ising(lattices.build("square", (4, 4)), temperature=2.0))
    ('decimation', 'relaxation')
    >>> target_names(Ising(lattices.build("triangular", (4, 4)), temperature=2.0))
    ('relaxation',)
    """
    return tuple(_options(system))


def make_target(system: AbstractSystem, name: str = "auto") -> AbstractTarget:
    """The target called `name`, or the default.

    Raises
    ------
    UnknownNameError
        If the system has no such target.
    """
    options = _options(system)
    if name == "auto":
        return next(iter(options.values()))(system)
    if name not in options:
        raise UnknownNameError(f"target must be auto, {', '.join(options)} for {system!r}, got {name!r}")
    return options[name](system)
