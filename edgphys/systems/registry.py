# SPDX-License-Identifier: MIT
"""The systems that ship, their records for a command line or a notebook to list, and construction by name.

A new system is one new file with an `AbstractSystem` and its `record`, and its name in `SYSTEMS`.
"""

from __future__ import annotations

from typing import Any

from edgphys.errors import UnknownNameError
from edgphys.systems.base import AbstractSystem
from edgphys.systems.continuous.double_well import DoubleWell
from edgphys.systems.continuous.harmonic import Harmonic
from edgphys.systems.continuous.logistic import LogisticRegression
from edgphys.systems.continuous.many_well import ManyWell
from edgphys.systems.continuous.mueller_brown import MuellerBrown
from edgphys.systems.continuous.planar import Planar
from edgphys.systems.lattice.finite_states.clock import Clock
from edgphys.systems.lattice.finite_states.potts import Potts
from edgphys.systems.lattice.ising import Ising
from edgphys.systems.lattice.phi4 import Phi4
from edgphys.systems.lattice.rotors.heisenberg import Heisenberg
from edgphys.systems.lattice.rotors.xy import XY
from edgphys.systems.lattice.transverse_ising import TransverseIsing
from edgphys.systems.particles.double_well_particles import DoubleWellParticles
from edgphys.systems.particles.lennard_jones import LennardJones
from edgphys.systems.records import SystemRecord
from lattices import Lattice

__all__ = ["SYSTEMS", "available", "build", "rebuilds"]


SYSTEMS: tuple[type[AbstractSystem], ...] = (
    Ising,
    Phi4,
    DoubleWell,
    DoubleWellParticles,
    Harmonic,
    LennardJones,
    LogisticRegression,
    ManyWell,
    MuellerBrown,
    Planar,
    TransverseIsing,
    Potts,
    Clock,
    XY,
    Heisenberg,
)


def available() -> tuple[SystemRecord, ...]:
    """Records of all systems.

    Examples
    --------
    >>> [record.name for record in available()][:3]
    ['ising', 'phi4', 'double_well']
    """
    return tuple(one.record for one in SYSTEMS if one.record is not None)


def build(name: str, lattice: Lattice | None = None, **parameters: float | str) -> AbstractSystem:
    """The system called `name`, on `lattice` if it lives on one.

    Parameters
    ----------
    name : str
        One of the names in `available`.
    lattice : Lattice, optional
        Geometry, for the systems that have one.
    **parameters : float or str
        Keywords of its constructor, such as the `parameters` of another instance.

    Raises
    ------
    UnknownNameError
        If there is no such system.
    TypeError, ValueError
        As the constructor does; TypeError also for a lattice given in vain.

    Examples
    --------
    >>> import lattices
    >>> build("ising", lattices.build("chain", (4,)), temperature=1.0)
    Ising(chain 4, temperature=1, coupling=1, field=0)
    >>> build("mueller_brown", temperature=10.0)
    MuellerBrown(temperature=10)
    """
    one: Any = next((one for one in SYSTEMS if one.name == name), None)
    if one is None:
        names = ", ".join(one.name for one in SYSTEMS)
        raise UnknownNameError(f"system must be one of {names}, got {name!r}")
    if one.geometry == "lattice":
        return one(lattice, **parameters)
    if lattice is not None:
        raise TypeError(f"lattice must be left out for {name}, got {lattice!r}")
    return one(**parameters)


def rebuilds(system: AbstractSystem) -> bool:
    """Whether `build` makes this system again from its name, lattice and parameters.

    Not a system of one's own, or one with a function or data of its own, or an energy replaced by hand.

    Examples
    --------
    >>> from edgphys.systems import Potential
    >>> rebuilds(MuellerBrown()), rebuilds(Potential(lambda x: (x**2).sum(1), n_dims=2))
    (True, False)
    """
    replaced_by_hand = "reduced_energy" in vars(system)
    return type(system) in SYSTEMS and system.follows_from_parameters and not replaced_by_hand
