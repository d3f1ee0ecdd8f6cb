# SPDX-License-Identifier: MIT
"""Parameters of a user's Hamiltonian on a lattice: which its functions take, and how they are changed."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from edgphys._checks import finite, temperature_of
from edgphys.errors import ArgumentTypeError
from edgphys.systems.lattice.base import AbstractLatticeSystem, check_lattice
from edgphys.systems.lattice.couplings import Couplings, bond_couplings
from lattices import Lattice

__all__ = ["AbstractOwnHamiltonian", "check_taken", "taken_by"]


class AbstractOwnHamiltonian(AbstractLatticeSystem):
    """Declaration of a system whose energy is made of a user's functions of one site and of one bond."""

    name = "lattice_potential"

    def _set_parameters(
        self,
        lattice: Lattice,
        temperature: float,
        strength: float,
        coupling: Any,
        functions: Sequence[Callable | None],
        parameters: dict[str, float],
    ) -> tuple[dict[str, float], Couplings]:
        """Check and keep the arguments of the constructor: the numbers of the functions, and J of the bonds.

        J holds `strength` where it is one number. Where a function has an argument called coupling, it is
        that, and the bonds have none.
        """
        self.lattice = check_lattice(lattice)
        self.temperature = temperature_of(temperature)
        given = {name: finite(value, name) for name, value in parameters.items()}
        of_bonds, couplings = {}, bond_couplings(lattice, 1.0)
        if coupling is not None and any("coupling" in _arguments(one) for one in functions):
            given["coupling"] = finite(coupling, "coupling")
        elif coupling is not None:
            couplings = bond_couplings(lattice, coupling)
            of_bonds = {"coupling": couplings.given}
        self._has_couplings, strength = bool(of_bonds), finite(strength, "strength")
        self.parameters = {"temperature": self.temperature, **given, **of_bonds, "strength": strength}
        if isinstance(couplings.given, float):
            couplings = Couplings(strength * couplings.given, strength * couplings.values)
        return given, couplings

    @property
    @abstractmethod
    def _made_of(self) -> tuple[Any, ...]:
        """Arguments of the constructor after the lattice, up to the temperature."""

    @property
    def _bonds_in_words(self) -> str:
        """What stands before the function of a bond."""
        return f"strength sum_<ij>{' J_ij' if self._has_couplings else ''}"

    @property
    def conditions(self) -> tuple[str, ...]:
        return ("temperature",)

    @property
    def follows_from_parameters(self) -> bool:
        """The functions do not."""
        return False

    def replace(self, **changes: Any) -> Self:
        """The same functions with some parameters changed.

        Raises
        ------
        TypeError
            If there is no such parameter.
        """
        unknown = sorted(set(changes) - {*self.parameters, "coupling"})
        if unknown:
            words = f"this lattice potential has {', '.join(self.parameters)} to change"
            raise ArgumentTypeError(f"{words}, got {unknown[0]}", unknown[0])
        kind: Any = type(self)
        return self._told(kind(self.lattice, *self._made_of, **{**self.parameters, **changes}))


def taken_by(function: Callable | None, name: str, parameters: dict[str, float]) -> dict[str, float]:
    """Those of the parameters that a function takes.

    Raises
    ------
    ArgumentTypeError
        If the function, the argument `name`, is none.
    """
    if function is None:
        return {}
    if not callable(function):
        raise ArgumentTypeError(f"{name} must be a function, got {type(function).__name__}", name)
    known = _arguments(function)
    if any(one.kind is one.VAR_KEYWORD for one in known.values()):
        return parameters
    return {key: value for key, value in parameters.items() if key in known}


def _arguments(function: Any) -> Mapping[str, inspect.Parameter]:
    """By name; none of what is no function, or does not tell."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # None, a builtin, a ufunc
        return {}


def check_taken(parameters: dict[str, float], takes: list[dict[str, float]]) -> None:
    """Refuse a parameter that no function takes.

    Raises
    ------
    ArgumentTypeError
        If there is one.
    """
    for name in parameters:
        if not any(name in one for one in takes):
            words = "an argument of site or bond, which take no other parameters"
            raise ArgumentTypeError(f"{name} must be {words}, got {parameters[name]:g}", name)
