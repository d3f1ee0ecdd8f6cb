# SPDX-License-Identifier: MIT
"""Unit cells, read from TOML and checked key by key.

    name = "square"
    basis_vectors = [[1.0, 0.0], [0.0, 1.0]]           # Cartesian rows, as many as dimensions
    site_offsets = [[0.0, 0.0]]                        # in units of the basis vectors, each in [0, 1)
    bonds = [                              # from sites[0] of a cell to sites[1] of the cell `cell` away
        { sites = [0, 0], cell = [1, 0], colour = 0, kind = "x" },
        { sites = [0, 0], cell = [0, 1], colour = 1, kind = "y" },
    ]
    point_group = { name = "D4", order = 8, origin = [0.0, 0.0] }     # optional, order is checked
    critical_temperature = { value = 2.269185314213022, kind = "exact" }     # optional; Ising, J = k_B = 1

`colour` (default 0) is the type of a bond, here its direction; `kind` (default "first") names what has one
coupling, and may be shared by several directions. `description`, and `formula` and `reference`
of the critical temperature, are for the reader.
"""

from __future__ import annotations

import reprlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Bond", "UnitCell", "parse", "read"]

_KEYS = {
    "name",
    "description",
    "basis_vectors",
    "site_offsets",
    "bonds",
    "point_group",
    "critical_temperature",
}
_BOND_KEYS = {"sites", "cell", "colour", "kind"}
_GROUP_KEYS = {"name", "order", "origin"}
_TEMPERATURE_KEYS = {"value", "kind", "formula", "reference"}
_ATOL = 1e-6  # fractional coordinates: far above rounding of 1/3 in a file, far below any site distance
_MOST = 2**31 - 1  # numbers of bonds, sites and colours are int32


@dataclass(frozen=True)
class Bond:
    """From site ``sites[0]`` of a cell to ``sites[1]`` of the cell `cell` away; `colour` is its type.

    Bonds of one `kind` have one coupling.
    """

    sites: tuple[int, int]
    cell: tuple[int, ...]
    colour: int
    kind: str = "first"

    def canonical(self) -> tuple[int, int, tuple[int, ...]]:
        """The same for a bond and its reverse."""
        (first, second), reverse = self.sites, tuple(-c for c in self.cell)
        return min((first, second, self.cell), (second, first, reverse))


@dataclass(frozen=True)
class UnitCell:
    """A unit cell; hashable, so that what is built from it can be cached.

    Attributes
    ----------
    name : str
    basis_vectors : n_axes rows of n_axes Cartesian components
    site_offsets : n_sites rows, in units of the basis vectors
    bonds : the bonds of one cell, each once
    origin : fixed point of the point group, in units of the basis vectors
    point_group_name : str or None
    point_group_order : int or None
        What the file declares; the group itself is computed from the geometry (see `lattices.symmetry`).
    critical_temperature : float or None
        Of the ferromagnetic Ising model with J = k_B = 1.
    critical_temperature_kind : "exact", "numerical" or None
    """

    name: str
    basis_vectors: tuple[tuple[float, ...], ...]
    site_offsets: tuple[tuple[float, ...], ...]
    bonds: tuple[Bond, ...]
    origin: tuple[float, ...]
    point_group_name: str | None = None
    point_group_order: int | None = None
    critical_temperature: float | None = None
    critical_temperature_kind: str | None = None

    @property
    def n_axes(self) -> int:
        return len(self.basis_vectors)

    @property
    def n_sites(self) -> int:
        return len(self.site_offsets)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the kinds of bonds, in the order of `bonds`."""
        return tuple(dict.fromkeys(bond.kind for bond in self.bonds))


def read(path: str | Path) -> UnitCell:
    """Read a unit cell from a TOML file.

    Raises
    ------
    ValueError
        If `path` cannot be read, is not TOML, or a key is missing or wrong: the message names file and key.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"lattice file {str(path)!r} cannot be read: {error}") from error
    return parse(text, source=str(path))


def parse(text: str, source: str = "lattice") -> UnitCell:
    """Check the TOML `text` of a unit cell and return the cell; `source` names it in errors.

    Raises
    ------
    ValueError
        As `read`.

    Examples
    --------
    >>> text = 'basis_vectors=[[1]]\\nsite_offsets=[[0]]\\nbonds=[{sites=[0,0], cell=[1]}]'
    >>> cell = parse('name="chain"\\n' + text)
    >>> cell.n_axes, cell.n_sites
    (1, 1)
    """
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{source}: not valid TOML: {error}") from error
    try:
        return _unit_cell(table)
    except _KeyProblem as problem:
        raise ValueError(f"{source}: {problem}") from None


class _KeyProblem(Exception):
    """One wrong key; turned into a ValueError that names the file."""

    def __init__(self, key: str, expected: str, got: Any) -> None:
        super().__init__(f"key '{key}' must be {expected}, got {reprlib.repr(got)}")


def _unit_cell(table: dict) -> UnitCell:
    _check_keys(table, _KEYS, "", required=("name", "basis_vectors", "site_offsets", "bonds"))
    name = _text(table["name"], "name")
    basis = _basis(table["basis_vectors"])
    offsets = _offsets(table["site_offsets"], len(basis))
    bonds = _bonds(table["bonds"], len(offsets), len(basis))
    group = _check_keys(table.get("point_group", {}), _GROUP_KEYS, "point_group")
    order = group.get("order")
    if order is not None:
        order = _integer(order, "point_group.order", minimum=1)
    origin = _numbers(group.get("origin", [0.0] * len(basis)), "point_group.origin", len(basis))
    group_name = _text(group["name"], "point_group.name") if "name" in group else None
    value, kind = _critical_temperature(table.get("critical_temperature"))
    return UnitCell(name, basis, offsets, bonds, origin, group_name, order, value, kind)


def _basis(value: Any) -> tuple[tuple[float, ...], ...]:
    expected = "1 to 4 rows of as many numbers, linearly independent"
    if not isinstance(value, list) or not 1 <= len(value) <= 4:
        raise _KeyProblem("basis_vectors", expected, value)
    rows = tuple(_numbers(row, f"basis_vectors[{k}]", len(value)) for k, row in enumerate(value))
    matrix = np.array(rows)
    volume = abs(np.linalg.det(matrix)) / np.prod(np.maximum(np.linalg.norm(matrix, axis=1), 1e-300))
    if not volume > _ATOL:
        raise _KeyProblem("basis_vectors", expected, value)
    return rows


def _offsets(value: Any, n_axes: int) -> tuple[tuple[float, ...], ...]:
    if not isinstance(value, list) or not value:
        raise _KeyProblem("site_offsets", f"a list of at least one row of {n_axes} numbers", value)
    rows = tuple(_numbers(row, f"site_offsets[{k}]", n_axes) for k, row in enumerate(value))
    for k, row in enumerate(rows):
        if not all(0 <= x < 1 for x in row):
            raise _KeyProblem(f"site_offsets[{k}]", "in [0, 1), in units of the basis vectors", list(row))
        differences = np.array(row) - np.reshape(rows[:k], (k, n_axes))
        near = np.abs(differences - np.rint(differences)).max(axis=1) <= _ATOL
        if near.any():
            raise _KeyProblem(f"site_offsets[{k}]", f"apart from site_offsets[{near.argmax()}]", list(row))
    return rows


def _bonds(value: Any, n_sites: int, n_axes: int) -> tuple[Bond, ...]:
    if not isinstance(value, list) or not value:
        raise _KeyProblem("bonds", "a list of at least one table {sites, cell, colour}", value)
    bonds: dict[tuple, Bond] = {}
    for k, entry in enumerate(value):
        key = f"bonds[{k}]"
        _check_keys(entry, _BOND_KEYS, key, required=("sites", "cell"))
        sites = _integers(entry["sites"], f"{key}.sites", 2)
        if not all(0 <= s < n_sites for s in sites):
            raise _KeyProblem(f"{key}.sites", f"two site numbers from 0 to {n_sites - 1}", list(sites))
        cell = _integers(entry["cell"], f"{key}.cell", n_axes)
        colour = _integer(entry.get("colour", 0), f"{key}.colour", minimum=0)
        kind = _text(entry.get("kind", "first"), f"{key}.kind")
        bond = Bond((sites[0], sites[1]), cell, colour, kind)
        if sites[0] == sites[1] and not any(cell):
            raise _KeyProblem(key, "a bond between two different sites", entry)
        if bond.canonical() in bonds:
            raise _KeyProblem(key, "listed once (a bond and its reverse are the same)", entry)
        bonds[bond.canonical()] = bond
    return tuple(bonds.values())


def _critical_temperature(value: Any) -> tuple[float | None, str | None]:
    if value is None:
        return None, None
    _check_keys(value, _TEMPERATURE_KEYS, "critical_temperature", required=("value", "kind"))
    (number,) = _numbers([value["value"]], "critical_temperature.value", 1)
    if number <= 0:
        raise _KeyProblem("critical_temperature.value", "positive", number)
    if value["kind"] not in ("exact", "numerical"):
        raise _KeyProblem("critical_temperature.kind", '"exact" or "numerical"', value["kind"])
    return number, value["kind"]


def _check_keys(value: Any, allowed: set[str], key: str, required: tuple[str, ...] = ()) -> dict:
    if not isinstance(value, dict):
        raise _KeyProblem(key, f"a table with keys {', '.join(sorted(allowed))}", value)
    prefix = f"{key}." if key else ""
    for name in required:
        if name not in value:
            raise _KeyProblem(prefix + name, "given", "nothing")
    for name in value:
        if name not in allowed:
            raise _KeyProblem(prefix + name, f"one of {', '.join(sorted(allowed))}", name)
    return value


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise _KeyProblem(key, "a text that is not empty", value)
    return value


def _integer(value: Any, key: str, minimum: int) -> int:
    if type(value) is not int or value < minimum:
        raise _KeyProblem(key, f"an integer >= {minimum}", value)
    if value > _MOST:
        raise _KeyProblem(key, f"an integer of at most {_MOST}", value)
    return value


def _integers(value: Any, key: str, length: int) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) != length or not all(type(x) is int for x in value):
        raise _KeyProblem(key, f"a list of {length} integers", value)
    if not all(-_MOST <= x <= _MOST for x in value):
        raise _KeyProblem(key, f"a list of {length} integers of at most {_MOST}", value)
    return tuple(value)


def _numbers(value: Any, key: str, length: int) -> tuple[float, ...]:
    good = isinstance(value, list) and len(value) == length and all(type(x) in (int, float) for x in value)
    if not good or not all(abs(x) < 1e300 for x in value):
        raise _KeyProblem(key, f"a list of {length} finite numbers", value)
    return tuple(float(x) for x in value)
