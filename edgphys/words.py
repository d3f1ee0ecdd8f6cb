# SPDX-License-Identifier: MIT
"""The words of the command line: values of couplings, extents, parameters of a system, options of a method.

Values of a coupling are a number (``2.3``), numbers with commas (``2.0,2.3``) or a range ``start:stop:count``
with both ends.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgphys.errors import UnknownNameError

__all__ = ["Geometry", "Maker", "parse_extent", "parse_options", "parse_values", "read_system"]


def parse_values(text: str, option: str) -> list[float]:
    """Values of a coupling from the command line.

    Examples
    --------
    >>> parse_values("2.0:2.2:3", "--temperature")
    [2.0, 2.1, 2.2]
    >>> parse_values("2.0,2.5", "--temperature")
    [2.0, 2.5]
    >>> parse_values("2:3", "--field")
    Traceback (most recent call last):
    ValueError: --field must be start:stop:count, or a number, or numbers with commas, got '2:3' (no count)
    """
    expected = f"{option} must be start:stop:count, or a number, or numbers with commas, got {text!r}"
    parts = text.split(":")
    try:
        if len(parts) == 1:
            return [float(word) for word in text.split(",")]
        numbers = [float(word) for word in parts[:2]]
        count = int(parts[2]) if len(parts) > 2 else None
    except ValueError:
        raise ValueError(expected) from None
    if count is None:
        raise ValueError(f"{expected} (no count)")
    if len(parts) > 3:
        raise ValueError(expected)
    if count < 1 or (count == 1 and numbers[0] != numbers[1]):
        raise ValueError(f"{expected} (the count must be at least {1 if count < 1 else 2})")
    # Ends are exact and what lies between is free of rounding in the last digits, so that labels read well.
    start, stop = numbers
    step = (stop - start) / max(count - 1, 1)
    return [float(f"{start + i * step:.12g}") for i in range(count - 1)] + [stop]


def parse_extent(text: str, n_axes: int | None) -> tuple[int, ...]:
    """Extent of a lattice from ``16`` (the same along all `n_axes`) or ``16x8``.

    Examples
    --------
    >>> parse_extent("16", 2)
    (16, 16)
    >>> parse_extent("16x8", 2)
    (16, 8)
    """
    if not re.fullmatch(r"-?\d+(x-?\d+)*", text):
        raise ValueError(f"--extent must be integers such as 16 or 16x8, got {text!r}")
    extent = tuple(int(word) for word in text.split("x"))
    return extent * n_axes if len(extent) == 1 and n_axes is not None else extent


def _n_axes_of(lattice: str) -> int | None:
    """Axes of a lattice by name or path; None where the extent itself says it, or nothing is known."""
    from importlib import resources

    from lattices import available, unit_cell

    if lattice.endswith(".toml"):
        return unit_cell.read(lattice).n_axes
    if lattice == "hypercubic" or lattice not in available():
        return None
    return unit_cell.read(Path(str(resources.files("lattices") / "library" / f"{lattice}.toml"))).n_axes


@dataclass(frozen=True)
class Maker:
    """Builds the system at a point; a record rather than a closure, so that it travels to other processes."""

    system: str
    lattice: Any
    fixed: dict[str, float]
    convention: str | None

    def __call__(self, **point: float) -> Any:
        from edgphys import systems

        if self.convention is not None:
            return systems.Phi4.from_mass(self.lattice, **self.fixed, **point, convention=self.convention)
        return systems.build(self.system, self.lattice, **self.fixed, **point)


@dataclass(frozen=True)
class Geometry:
    """The words for a lattice; without meaning for systems that have none."""

    lattice: str
    extent: str
    pbc: bool
    allow_double_bonds: bool


def read_system(
    system: str,
    geometry: Geometry,
    given: dict[str, str | None],
    more: list[str] | None = None,
    convention: str | None = None,
) -> tuple[Maker, dict[str, list[float]]]:
    """What makes the system, without parameters yet, and the values (numbers or names) of every one given.

    Parameters
    ----------
    system : str
        Name in the registry; hyphens may stand for underscores.
    geometry : Geometry
    given : dict
        Couplings that have an option of their own: name to VALUES, None where not given.
    more : list of str, optional
        Further parameters, as NAME=VALUES.
    convention : str, optional
        Of phi^4 with ``m2``.

    Raises
    ------
    UnknownNameError, ValueError
        If there is no such system or parameter, or a word cannot be read.
    """
    from edgphys import systems

    system = system.replace("-", "_")
    given = given | _read_parameters(more, given)
    records = {record.name: record for record in systems.available()}
    if system not in records:
        raise UnknownNameError(f"system must be one of {', '.join(records)}, got {system!r}")
    values = _parameters_of(records[system], given, convention)
    lattice = None
    if records[system].lattices != "none":
        import lattices

        cells = parse_extent(geometry.extent, _n_axes_of(geometry.lattice))
        lattice = lattices.build(
            geometry.lattice, cells, geometry.pbc, allow_double_bonds=geometry.allow_double_bonds
        )
    return Maker(system, lattice, {}, convention), values


def _read_parameters(words: list[str] | None, given: dict[str, str | None]) -> dict[str, str]:
    parameters = {}
    for word in words or ():
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise ValueError(f"--parameter must be name=values, got {word!r}")
        if name in parameters or given.get(name) is not None:
            raise ValueError(f"--parameter must not give a parameter twice, got {name!r} again")
        parameters[name] = text
    return parameters


def _parameters_of(record: Any, given: dict[str, str | None], convention: str | None) -> dict:
    """Values of every parameter of the system, those given checked against what it has."""
    system = record.name
    names = {parameter.name: parameter.default for parameter in record.parameters}
    by_mass = system == "phi4" and (given.get("m2") is not None or convention is not None)
    if by_mass:
        names = {"m2": None, "lam": None}
        if convention is None:
            raise ValueError("--convention must be flow or standard where --m2 is given, got none")
    elif convention is not None:
        raise ValueError(f"--convention belongs to phi4 with --m2, got it with {system}")
    values = {}
    for name, text in given.items():
        if text is not None and name not in names:
            raise ValueError(f"--{name} is no parameter of {system} here; it takes {', '.join(names)}")
        if text is not None:
            is_name = isinstance(names[name], str)
            values[name] = text.split(",") if is_name else parse_values(text, f"--{name}")
    missing = [f"--{name}" for name, default in names.items() if default is None and name not in values]
    if missing:
        raise ValueError(f"{system} needs {' and '.join(missing)}")
    return values


def parse_options(words: list[str] | None) -> dict[str, Any]:
    """Options of an algorithm from ``name=value`` words; numbers, true and false are read as such.

    Examples
    --------
    >>> parse_options(["order=random", "step_size=0.1", "improved=false"])
    {'order': 'random', 'step_size': 0.1, 'improved': False}
    >>> parse_options(["order"])
    Traceback (most recent call last):
    ValueError: --option must be name=value, got 'order'
    """
    options = {}
    for word in words or ():
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise ValueError(f"--option must be name=value, got {word!r}")
        try:
            options[name] = json.loads(text)
        except ValueError:
            options[name] = text
    return options
