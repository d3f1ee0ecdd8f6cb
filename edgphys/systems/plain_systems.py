# SPDX-License-Identifier: MIT
"""Systems and lattices in JSON types, and back, for the records of datasets.

A system is its name, its parameters and its lattice; a lattice its unit cell, by name if it is one of the
library, its extent and its boundary. Systems and lattices that are more than that can be named, not made
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

import lattices
from edgphys._checks import one_line
from edgphys.recording.plain_values import OTHER, made_by, plain, restored
from edgphys.systems.base import AbstractSystem
from edgphys.systems.own_observables import OwnObservable
from lattices import Lattice
from lattices.build import expand
from lattices.unit_cell import Bond, UnitCell

__all__ = ["SystemTable"]


@plain.register(Lattice)
def _(value: Lattice) -> dict[str, Any]:
    about = {"extent": list(value.extent), "pbc": list(value.pbc)}
    for unit_cell in (value.name, asdict(value.unit_cell)):
        content = {"unit_cell": unit_cell, **about}
        if isinstance(unit_cell, dict) or unit_cell in lattices.available():
            made = _lattice(content)
            if made.unit_cell == value.unit_cell and np.array_equal(made.bonds, value.bonds):
                return {"$lattice": content}
    return {OTHER: f"a lattice of its own, {one_line(value)}"}


@made_by("lattice")
def _lattice(content: dict[str, Any]) -> Lattice:
    cell, extent, pbc = content["unit_cell"], tuple(content["extent"]), tuple(map(bool, content["pbc"]))
    if isinstance(cell, str):
        return lattices.build(cell, extent, pbc, allow_double_bonds=True)
    return expand(_cell(cell), extent, pbc, True)


def _cell(content: dict[str, Any]) -> UnitCell:
    fields: dict[str, Any] = {name: _tuples(one) for name, one in content.items()}
    fields["bonds"] = tuple(
        Bond(**{name: _tuples(one) for name, one in bond.items()}) for bond in content["bonds"]
    )
    return UnitCell(**fields)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


@plain.register(AbstractSystem)
def _(value: AbstractSystem) -> dict[str, Any]:
    from edgphys.systems.registry import rebuilds

    if value.own_observables:
        return plain(value.own_observables[0])
    if not rebuilds(value):
        return {OTHER: f"a system with a class, a function or data of its own, {one_line(value)}"}
    about = {"name": value.name, "parameters": plain(value.parameters)}
    return {"$system": about if value.built_on is None else about | {"lattice": plain(value.built_on)}}


@made_by("system")
def _system(content: dict[str, Any]) -> AbstractSystem:
    from edgphys.systems.registry import build

    return build(content["name"], restored(content.get("lattice")), **restored(content["parameters"]))


@plain.register(OwnObservable)
def _(value: OwnObservable) -> dict[str, str]:
    return {OTHER: f"a function of its own, the observable {value.name}"}


class SystemTable:
    """The systems at the points of a scan, in place of the function that made them.

    Parameters
    ----------
    points : sequence of dict
        Couplings by name.
    systems : sequence of AbstractSystem
        One at each point.

    Examples
    --------
    >>> from edgphys.systems import Harmonic
    >>> table = SystemTable([{"t": 2.0}], [Harmonic(temperature=2.0)])
    >>> table(t=2.0), plain(table)["$systems"]["vary"]
    (Harmonic(n_dims=1, temperature=2, stiffness=1, ratio=1), {})
    """

    def __init__(self, points: Sequence[dict[str, Any]], systems: Sequence[AbstractSystem]) -> None:
        self.points, self.systems = list(points), list(systems)
        self._at = {_key(point): system for point, system in zip(self.points, self.systems, strict=True)}

    def __call__(self, **point: Any) -> AbstractSystem:
        """The system at a point."""
        return self._at[_key(point)]


def _key(point: dict[str, Any]) -> tuple[Any, ...]:
    """The same for a size and its label: ``(16, 8)`` and ``16x8``."""
    return tuple("x".join(map(str, one)) if isinstance(one, tuple) else one for one in point.values())


@plain.register(SystemTable)
def _(value: SystemTable) -> dict[str, Any]:
    """What all systems share once, what varies as one list per parameter."""
    rows = [plain(system) for system in value.systems]
    if any(OTHER in row or OTHER in row["$system"].get("lattice", {}) for row in rows):
        return next(row for row in rows if OTHER in row or OTHER in row["$system"].get("lattice", {}))
    flat = [{**row["$system"]["parameters"], **_rest(row["$system"])} for row in rows]
    shared = {name: one for name, one in flat[0].items() if all(row.get(name) == one for row in flat)}
    vary = {name: [row[name] for row in flat] for name in flat[0] if name not in shared}
    points = {name: [point[name] for point in value.points] for name in value.points[0]}
    return {"$systems": {"points": plain(points), "shared": shared, "vary": vary}}


def _rest(content: dict[str, Any]) -> dict[str, Any]:
    # Names of parameters are identifiers, these are none.
    return {f".{name}": one for name, one in content.items() if name != "parameters"}


@made_by("systems")
def _systems(content: dict[str, Any]) -> SystemTable:
    columns, systems = restored(content["points"]), []
    points = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for k in range(len(points)):
        row = content["shared"] | {name: column[k] for name, column in content["vary"].items()}
        about = {name.removeprefix("."): one for name, one in row.items() if name.startswith(".")}
        parameters = {name: one for name, one in row.items() if not name.startswith(".")}
        systems.append(_system(about | {"parameters": parameters}))
    return SystemTable(points, systems)
