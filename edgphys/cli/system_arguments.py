# SPDX-License-Identifier: MIT
"""The system of a command, by name and parameters: one set of options for all commands.

Parameters of the systems on a lattice have an option each, ``--temperature VALUES``; all others are given as
``-p NAME=VALUES``. Several values are for a scan or a ladder. Where a parameter may be given by kind of bond,
or bond by bond, ``--coupling first=1,second=-0.5`` and ``--coupling file.npy`` are one value.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, make_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgphys.cli.lattice_arguments import LatticeArguments
from edgphys.cli.values import parse_given, parse_pairs, parse_values
from edgphys.errors import UnknownNameError

if TYPE_CHECKING:
    from edgphys.systems import AbstractSystem

__all__ = ["COUPLINGS", "CouplingArguments", "Maker", "SystemArguments", "typed"]

_PANEL = "Couplings"

# Parameters with an option of their own: those of the systems on a lattice. Written out, and in the tests
# compared with the records, since reading these would take half a second at every --help.
COUPLINGS = ("temperature", "coupling", "field", "kappa", "lam", "m2", "q")
_Values = Annotated[str | None, typer.Option(metavar="VALUES", rich_help_panel=_PANEL)]
_Couplings = make_dataclass("_Couplings", [(name, _Values, None) for name in COUPLINGS], frozen=True)

# What the systems of a scan or of a ladder have in common, as attribute and in words.
_SAME = {
    "scanned": {"n_variables": "the number of variables", "definitions": "the definitions of the results"},
    "tempered": {"n_variables": "the number of variables"},
}


def typed(name: str) -> str:
    """A parameter of a system as one types it.

    Examples
    --------
    >>> typed("temperature"), typed("barrier")
    ('--temperature', '-p barrier')
    """
    return f"--{name}" if name in COUPLINGS else f"-p {name}"


@dataclass(frozen=True)
class Maker:
    """Builds the system at a point; a record rather than a closure, so that it travels to other processes."""

    system: str
    lattice: Any
    fixed: dict[str, Any]
    convention: str | None
    sizes: LatticeArguments | None = None  # of a scan over sizes, where `lattice` is the first of them

    def __call__(self, **point: Any) -> AbstractSystem:
        from edgphys import systems

        lattice = self.lattice
        if self.sizes is not None:
            cells = point.pop("extent")
            words = str(cells) if isinstance(cells, int) else "x".join(map(str, cells))
            lattice = _lattice(replace(self.sizes, extent=words))
        if self.convention is None:
            return systems.build(self.system, lattice, **self.fixed, **point)
        (record,) = (each for each in systems.available() if each.name == self.system)
        make: Any = record.system_class
        return make.from_mass(lattice, **self.fixed, **point, convention=self.convention)


@functools.cache
def _lattice(arguments: LatticeArguments) -> Any:
    """One lattice for all points of a size."""
    return arguments.build()


@dataclass(frozen=True)
class CouplingArguments:
    """Values of parameters, as they are typed; None where not given."""

    couplings: _Couplings  # pyright: ignore[reportInvalidTypeForm]
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            "-p",
            metavar="NAME=VALUES",
            help="Any other parameter of the system; repeat.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    def given(self) -> dict[str, str]:
        """The text of every parameter that is given."""
        given = {name: text for name, text in vars(self.couplings).items() if text is not None}
        for name, text in parse_pairs(self.parameter or (), "--parameter", "name=values"):
            if name in given:
                raise ValueError(f"--parameter must not give a parameter twice, got {name!r} again")
            given[name] = text
        return given

    def values(self) -> dict[str, list[float]]:
        """The values of every parameter that is given, all of them numbers."""
        return {name: parse_values(text, typed(name)) for name, text in self.given().items()}


@dataclass(frozen=True)
class SystemArguments:
    """What is typed about a system; None where not given."""

    system: Annotated[str, typer.Argument(help="Name of a system; edgphys systems lists them.")]
    lattice: LatticeArguments
    parameters: CouplingArguments
    convention: Annotated[
        str | None, typer.Option(help="flow or standard, with --m2.", rich_help_panel=_PANEL)
    ] = None

    def read(self) -> tuple[Maker, dict[str, list]]:
        """What makes the system, without parameters yet, and the values of every one given.

        Raises
        ------
        UnknownNameError, ValueError
            If there is no such system or parameter, or a word cannot be read, or a system without a lattice
            is given words for one.
        """
        from edgphys import systems

        name = self.system.replace("-", "_")  # hyphens may stand for underscores
        given = self.parameters.given()
        records = {record.name: record for record in systems.available()}
        if name not in records:
            raise UnknownNameError(f"system must be one of {', '.join(records)}, got {name!r}")
        values = _values_of(records[name], given, self.convention)
        if records[name].lattices != "none":
            return Maker(name, self._on(records[name]).build(), {}, self.convention), values
        if self.lattice.typed:
            raise ValueError(
                f"options of a lattice must be left out for {name}, which has none, got {self.lattice.typed}"
            )
        return Maker(name, None, {}, self.convention), values

    def _on(self, record: Any) -> LatticeArguments:
        """The lattice, or what the system has for one by default."""
        return self.lattice.or_else(record.default_lattice, record.default_extent)

    def build(self) -> AbstractSystem:
        """The system, where every parameter has one value.

        Raises
        ------
        ValueError
            If one has several, or as `read` does.
        """
        maker, values = self.read()
        for name, listed in values.items():
            if len(listed) > 1:
                raise ValueError(
                    f"{typed(name)} must be one value here, got {len(listed)}; a scan takes several"
                )
        return maker(**{name: listed[0] for name, listed in values.items()})

    def read_several(self, use: str) -> tuple[Maker, dict[str, list]]:
        """As `read`, refusing several values of what is no coupling.

        Parameters
        ----------
        use : {"scanned", "tempered"}
            What several values are for.

        Raises
        ------
        ValueError
            If they are names, or change what is the same for all systems of a scan or a ladder.
        """
        sizes = self.lattice.sizes() if self.lattice.has_several and use == "scanned" else []
        first_size = replace(self.lattice, extent=str(sizes[0])) if sizes else self.lattice
        maker, values = replace(self, lattice=first_size).read()
        first = {name: listed[0] for name, listed in values.items()}
        for name, listed in values.items():
            if len(listed) > 1 and isinstance(listed[0], str):
                raise ValueError(
                    f"{typed(name)} must be one name here, got {len(listed)}; names cannot be {use}"
                )
            # A lattice has couplings only.
            if len(listed) > 1 and maker.lattice is None:
                _check_same([maker(**first | {name: value}) for value in listed], name, listed, use)
        return (replace(maker, sizes=self.lattice), {"extent": sizes} | values) if sizes else (maker, values)


def _check_same(systems: list[AbstractSystem], name: str, listed: list[float], use: str) -> None:
    for attribute, words in _SAME[use].items():
        if any(getattr(one, attribute) != getattr(systems[0], attribute) for one in systems):
            got = ", ".join(f"{value:g}" for value in listed)
            raise ValueError(
                f"{typed(name)} cannot be {use}, as it changes {words}: give one value, got {got}"
            )


def _values_of(record: Any, given: dict[str, str], convention: str | None) -> dict[str, list]:
    """Values of every parameter given, checked against those that the system has."""
    known = {parameter.name: parameter for parameter in record.parameters}
    by_convention = {parameter.name: parameter for parameter in record.by_convention}
    if by_convention and (convention is not None or (by_convention.keys() - known.keys()) & given.keys()):
        known = by_convention
        if convention is None:
            words = " or ".join(record.conventions)
            raise ValueError(f"--convention must be {words} where --m2 is given, got none")
    elif convention is not None:
        raise ValueError(f"--convention belongs to phi4 with --m2, got it with {record.name}")
    values = {}
    for name, text in given.items():
        if name not in known:
            words = ", ".join(known)
            raise ValueError(f"{typed(name)} is no parameter of {record.name} here; it takes {words}")
        parameter = known[name]
        is_name = isinstance(parameter.default, str) or (parameter.takes_names and text[:1].isalpha())
        read = parse_given if parameter.takes_several else parse_values
        values[name] = text.split(",") if is_name else read(text, typed(name))
    missing = [typed(name) for name, one in known.items() if one.default is None and name not in values]
    if missing:
        raise ValueError(f"{record.name} needs {' and '.join(missing)}")
    return values
