# SPDX-License-Identifier: MIT
"""The words of the command line: values of couplings, extents, parameters of a system, options of a method.

Values of a coupling are a number (``2.3``), numbers with commas (``2.0,2.3``) or a range ``start:stop:count``
with both ends.
"""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgphys.errors import UnknownNameError

__all__ = [
    "COUPLINGS",
    "Geometry",
    "Maker",
    "check_ranges",
    "parse_extent",
    "parse_options",
    "parse_values",
    "read_system",
    "typed",
]

# Parameters with an option of their own; all others are typed as -p NAME=VALUES.
COUPLINGS = ("temperature", "coupling", "field", "kappa", "lam", "m2")
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
    fixed: dict[str, float | str]
    convention: str | None

    def __call__(self, **point: float | str) -> Any:
        from edgphys import systems

        if self.convention is not None:
            return systems.Phi4.from_mass(self.lattice, **self.fixed, **point, convention=self.convention)
        return systems.build(self.system, self.lattice, **self.fixed, **point)


@dataclass(frozen=True)
class Geometry:
    """The words for a lattice; None, or False for double bonds, where not given."""

    lattice: str | None
    extent: str | None
    pbc: bool | None
    allow_double_bonds: bool

    @property
    def typed(self) -> str:
        """The options that were given."""
        words = [f"--lattice {self.lattice}"] if self.lattice is not None else []
        words += [f"--extent {self.extent}"] if self.extent is not None else []
        words += ["--pbc" if self.pbc else "--open"] if self.pbc is not None else []
        return " ".join([*words, *(["--allow-double-bonds"] if self.allow_double_bonds else [])])

    def build(self) -> Any:
        """The lattice: square, 8 cells along each axis and periodic unless told."""
        import lattices

        name = "square" if self.lattice is None else self.lattice
        cells = parse_extent("8" if self.extent is None else self.extent, _n_axes_of(name))
        return lattices.build(name, cells, self.pbc is not False, allow_double_bonds=self.allow_double_bonds)


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
        If there is no such system or parameter, or a word cannot be read, or a system without a lattice is
        given words for one.
    """
    from edgphys import systems

    system = system.replace("-", "_")
    given = given | _read_parameters(more, given)
    records = {record.name: record for record in systems.available()}
    if system not in records:
        raise UnknownNameError(f"system must be one of {', '.join(records)}, got {system!r}")
    values = _parameters_of(records[system], given, convention)
    if records[system].lattices != "none":
        return Maker(system, geometry.build(), {}, convention), values
    if geometry.typed:
        raise ValueError(
            f"options of a lattice must be left out for {system}, which has none, got {geometry.typed}"
        )
    return Maker(system, None, {}, convention), values


def check_ranges(maker: Maker, values: dict[str, list], use: str) -> None:
    """Refuse several values of what is no coupling.

    Parameters
    ----------
    maker : Maker
        Without parameters yet.
    values : dict
        Of every parameter given, as `read_system` returns them.
    use : {"scanned", "tempered"}
        What several values are for.

    Raises
    ------
    ValueError
        If they are names, or change what is the same for all systems of a scan or a ladder.
    """
    first = {name: listed[0] for name, listed in values.items()}
    for name, listed in values.items():
        if len(listed) > 1 and isinstance(listed[0], str):
            raise ValueError(f"{typed(name)} must be one name here, got {len(listed)}; names cannot be {use}")
        # A lattice has couplings only.
        if len(listed) > 1 and maker.lattice is None:
            systems = [maker(**first | {name: value}) for value in listed]
            for attribute, words in _SAME[use].items():
                if any(getattr(one, attribute) != getattr(systems[0], attribute) for one in systems):
                    got = ", ".join(f"{value:g}" for value in listed)
                    raise ValueError(
                        f"{typed(name)} cannot be {use}, as it changes {words}: give one value, got {got}"
                    )


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
            raise ValueError(f"{typed(name)} is no parameter of {system} here; it takes {', '.join(names)}")
        if text is not None:
            is_name = isinstance(names[name], str) or (text[:1].isalpha() and _takes_names(record, name))
            values[name] = text.split(",") if is_name else parse_values(text, typed(name))
    missing = [typed(name) for name, default in names.items() if default is None and name not in values]
    if missing:
        raise ValueError(f"{system} needs {' and '.join(missing)}")
    return values


def _takes_names(record: Any, name: str) -> bool:
    """Whether the constructor takes names beside numbers, as in pair_count="twice"."""
    parameter = inspect.signature(record.system_class).parameters.get(name)
    return parameter is not None and "str" in str(parameter.annotation)


def parse_options(words: list[str] | None) -> dict[str, Any]:
    """Options of an algorithm from ``name=value`` words; JSON is read as such, and integers with commas.

    Examples
    --------
    >>> parse_options(["order=random", "step_size=0.1", "improved=false"])
    {'order': 'random', 'step_size': 0.1, 'improved': False}
    >>> parse_options(["decoder_size=32,2", 'train_at={"temperature":2}'])
    {'decoder_size': [32, 2], 'train_at': {'temperature': 2}}
    >>> parse_options(["order"])
    Traceback (most recent call last):
    ValueError: --option must be name=value, got 'order'
    """
    options = {}
    for word in words or ():
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise ValueError(f"--option must be name=value, got {word!r}")
        listed = re.fullmatch(r"-?\d+(,-?\d+)+", text)
        try:
            options[name] = json.loads(f"[{text}]" if listed else text)
        except ValueError:
            options[name] = text
    return options
