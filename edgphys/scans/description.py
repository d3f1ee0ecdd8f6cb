# SPDX-License-Identifier: MIT
"""What a scan says of itself: the attrs of its dataset, from the systems at all points."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from edgphys import observables
from edgphys.dataset.extents import EXTENT, OF_SIZE, of_sizes
from edgphys.errors import ArgumentValueError
from edgphys.methods import registry
from edgphys.methods.base import AbstractMethod
from edgphys.scans.grid import Grid
from edgphys.scans.points import point_label
from edgphys.scans.sizes import settings_of

__all__ = ["describe"]

# What must be the same everywhere.
_FIXED = ("system", "lattice", "extent", "pbc", "n_variables")
# What belongs to one point or to one run.
_OF_ONE = ("method", "wall_time", "n_energy_calls", "n_gradient_calls", "temperature", "beta")


def describe(
    systems: Sequence[Any], grid: Grid, methods: Sequence[tuple[AbstractMethod, ...]], seed: int
) -> dict[str, Any]:
    """Attrs of the scan: those of the first point, with only what holds at all points; methods of each.

    Raises
    ------
    ValueError
        If the systems differ in more than the couplings, or a coupling has the name of a result.
    """
    from edgphys.systems.provenance import sample_attrs

    settings = json.loads(json.dumps(settings_of(methods, grid.points), default=str))
    about: dict[str, Any] = {"method": "scan", "seed": seed, "wall_time": 0.0, "settings": settings}
    about |= {"n_energy_calls": 0, "n_gradient_calls": 0}
    every: list[dict[str, Any]] = [sample_attrs(system, **about) for system in systems]
    attrs = dict(every[0])
    sizes = _sizes(every, grid)
    for name in _FIXED:
        if any(other.get(name) != attrs.get(name) for other in every) and not (sizes and name == EXTENT):
            advice = "sizes are scanned as extent=[8, 16]" if name == EXTENT else "scan couplings only"
            words = f"make_system must give the same {name} at every point; {advice}"
            raise ArgumentValueError(words, "make_system")
    definitions = _definitions(every, grid)
    temperatures = {other["temperature"] for other in every}
    thermal = {"temperature": every[0]["temperature"], "beta": every[0]["beta"]}
    for name in (*_OF_ONE, *(OF_SIZE if sizes else ())):
        attrs.pop(name, None)
    if "temperature" not in grid.names and len(temperatures) == 1:
        attrs |= thermal
    attrs |= {
        "kind": "scan",
        "parameters": json.dumps(_fixed_parameters(every, grid)),
        "couplings": json.dumps(grid.names),
        "definitions": json.dumps(definitions),
    }
    if "z2_symmetric" in attrs:
        attrs["z2_symmetric"] = min(int(other["z2_symmetric"]) for other in every)
    attrs |= sizes
    own = {one.name: asdict(one.look) for one in methods[0] if one.look and registry.look(one.name) is None}
    return attrs | ({"methods": json.dumps(own)} if own else {})


def _sizes(every: list[dict[str, Any]], grid: Grid) -> dict[str, str]:
    """The attribute ``extents`` of a scan over sizes; nothing where there is no lattice, or one size."""
    if EXTENT not in grid.names or "lattice" not in every[0]:
        return {}
    labels = [point[EXTENT] for point in grid.points]
    by_label = dict(zip(labels, every, strict=True))
    for attrs, label in zip(every, labels, strict=True):
        if attrs[EXTENT] != by_label[label][EXTENT]:
            raise ArgumentValueError(f"make_system must give one lattice for extent {label}", "make_system")
    found = {str(attrs[EXTENT]): label for label, attrs in by_label.items()}
    if len(found) < len(by_label):
        words = f"make_system must give a lattice of its own for each extent, got {next(iter(found))}"
        raise ArgumentValueError(f"{words} for several", "make_system")
    return {"extents": of_sizes(list(by_label.values()), list(by_label))}


def _fixed_parameters(every: list[dict[str, Any]], grid: Grid) -> dict[str, Any]:
    parameters = [json.loads(other["parameters"]) for other in every]
    return {
        name: value
        for name, value in parameters[0].items()
        if name not in grid.names and all(other.get(name) == value for other in parameters)
    }


def _definitions(every: list[dict[str, Any]], grid: Grid) -> dict[str, str]:
    """Definitions of all results; those of the system must hold at all points.

    What the table of observables has may be missing at some points, as an antiferromagnet's staggered order.
    """
    of_system = [json.loads(other["definitions"]) for other in every]
    united = {name: text for other in reversed(of_system) for name, text in other.items()}
    for name, text in united.items():
        known = text if name in observables.TABLE else None
        if any(other.get(name, known) != text for other in of_system):
            raise ArgumentValueError(
                f"make_system must give one definition of {name} at all points, with symbols for couplings, "
                f"got {text!r} at {point_label(grid.points[0])} and another elsewhere",
                "make_system",
            )
    definitions = observables.definitions(observables.ESTIMATES) | united
    definitions |= observables.definitions((*observables.DIAGNOSTICS, *observables.COSTS))
    for name in grid.names:
        if name in definitions:
            raise ArgumentValueError(
                f"couplings: {name!r} is the name of a result and cannot be scanned", "couplings"
            )
    return definitions
