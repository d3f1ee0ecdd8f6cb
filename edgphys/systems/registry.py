# SPDX-License-Identifier: MIT
"""The systems that ship, as records that a command line or a notebook can list, and construction by name.

A new system is one new file with an `AbstractSystem` and one record here.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgphys.errors import UnknownNameError
from edgphys.systems.base import AbstractSystem
from edgphys.systems.ising import Ising
from edgphys.systems.phi4 import Phi4
from lattices import Lattice

__all__ = ["Parameter", "SystemRecord", "available", "build"]


@dataclass(frozen=True)
class Parameter:
    """One constructor keyword: its name, its meaning with units, and its default (None: must be given)."""

    name: str
    meaning: str
    default: float | None = None


@dataclass(frozen=True)
class SystemRecord:
    """What ships under one name.

    Attributes
    ----------
    name : str
        Name in commands and datasets.
    system_class : type
        Constructed as ``system_class(lattice, **parameters)``.
    energy : str
        The energy, or action, in one line.
    parameters : tuple of Parameter
        Keywords of the constructor.
    lattices : str
        Where it can live.
    exact : tuple of str
        What is exactly known, and when.
    """

    name: str
    system_class: type[AbstractSystem]
    energy: str
    parameters: tuple[Parameter, ...]
    lattices: str
    exact: tuple[str, ...]


_RECORDS = (
    SystemRecord(
        name="ising",
        system_class=Ising,
        energy="H = -J sum_<ij> s_i s_j - h sum_i s_i, weight exp(-H/T)",
        parameters=(
            Parameter("temperature", "T, positive, in units of J (k_B = 1)"),
            Parameter("coupling", "J, positive for a ferromagnet", 1.0),
            Parameter("field", "h", 0.0),
        ),
        lattices="any lattice, periodic or open",
        exact=(
            "all estimates by enumeration up to 20 sites",
            "square torus without field: log_z, free_energy, energy, specific_heat (Kaufman)",
            "periodic chain up to 4096 sites: all estimates",
        ),
    ),
    SystemRecord(
        name="phi4",
        system_class=Phi4,
        energy="S = -2 kappa sum_<ij> phi phi + sum_x [(1 - 2 lam) phi^2 + lam phi^4], weight exp(-S)",
        parameters=(
            Parameter("kappa", "hopping parameter, of either sign"),
            Parameter("lam", "quartic coupling, non-negative"),
        ),
        lattices="chain, square, cubic, hypercubic; periodic or open",
        exact=(
            "free field (lam = 0), any boundary",
            "periodic chain, from its transfer operator",
        ),
    ),
)


def available() -> tuple[SystemRecord, ...]:
    """Records of all systems.

    Examples
    --------
    >>> [record.name for record in available()]
    ['ising', 'phi4']
    """
    return _RECORDS


def build(name: str, lattice: Lattice, **parameters: float) -> AbstractSystem:
    """The system called `name` on `lattice`.

    Parameters
    ----------
    name : str
        One of the names in `available`.
    lattice : Lattice
        Geometry.
    **parameters : float
        Keywords of its constructor, such as the `parameters` of another instance.

    Raises
    ------
    UnknownNameError
        If there is no such system.
    TypeError, ValueError
        As the constructor does.

    Examples
    --------
    >>> import lattices
    >>> build("ising", lattices.build("chain", (4,)), temperature=1.0)
    Ising(chain 4, temperature=1, coupling=1, field=0)
    """
    for record in _RECORDS:
        if record.name == name:
            return record.system_class(lattice, **parameters)
    names = ", ".join(record.name for record in _RECORDS)
    raise UnknownNameError(f"system must be one of {names}, got {name!r}")
