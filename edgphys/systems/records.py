# SPDX-License-Identifier: MIT
"""What a class of systems tells about itself: its energy, its parameters, where it lives, what is exact.

The record stands on the class; the registry, the command line and the list of systems are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Parameter", "SystemRecord"]


@dataclass(frozen=True)
class Parameter:
    """One constructor keyword: its name, its meaning with units, and its default (None: must be given).

    A default that is text says that all values are: names, which cannot be scanned. `takes_names` says that
    some values have names beside numbers, `takes_several` that one value may be a number for each kind of
    bond, each bond or each site. `label` is for axes, where the usual words for the name are not right.
    """

    name: str
    meaning: str
    default: float | str | None = None
    takes_names: bool = False
    takes_several: bool = False
    label: str = ""


@dataclass(frozen=True)
class SystemRecord:
    """What ships under one name; the attribute `record` of a class, which it then knows.

    Attributes
    ----------
    energy : str
        The energy, or action, in one line.
    parameters : tuple of Parameter
        Keywords of the constructor.
    lattices : str
        Where it can live; "none" for a system without one.
    exact : tuple of str
        What is exactly known, and when.
    title : str
        Name for pictures; "" for that in datasets.
    conventions : tuple of str
        Names of conventions in which ``system_class.from_mass(lattice, convention=..., **parameters)`` takes
        `by_convention` in place of `parameters`.
    by_convention : tuple of Parameter
    default_lattice, default_extent : str
        What a command line takes where it is not told; the extent belongs to the lattice.
    system_class : type
        The class it stands on, constructed as ``system_class(lattice, **parameters)``, without `lattice`
        where there is none.
    """

    energy: str
    parameters: tuple[Parameter, ...]
    lattices: str = "none"
    exact: tuple[str, ...] = ()
    title: str = ""
    conventions: tuple[str, ...] = ()
    by_convention: tuple[Parameter, ...] = ()
    default_lattice: str = "square"
    default_extent: str = "8"
    system_class: type = field(init=False, repr=False, compare=False)

    def __set_name__(self, owner: type, attribute: str) -> None:
        object.__setattr__(self, "system_class", owner)

    @property
    def name(self) -> str:
        """Name in commands and datasets."""
        return self.system_class.name
