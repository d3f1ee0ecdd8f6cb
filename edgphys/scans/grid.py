# SPDX-License-Identifier: MIT
"""The grid of a scan, and its results as one labelled dataset with dims ``(method, <scanned couplings>)``."""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgphys._sizes import MOST_VALUES
from edgphys.dataset.cell_names import CELL_NOTES, point_words
from edgphys.dataset.extents import EXTENT
from edgphys.errors import ArgumentValueError
from edgphys.recording.record import ATTR
from edgphys.scans.sizes import extent_labels

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Grid", "Key", "assemble", "cells_of", "header_of", "plain_json"]

Key = tuple[str, str]  # of a cell: (method, words of the point)


class Grid:
    """The scanned couplings: names in the order given, their values, and the points of the outer grid."""

    def __init__(self, couplings: dict[str, Any]) -> None:
        if not couplings:
            raise ValueError("couplings: name at least one to scan, as in temperature=[2.0, 2.5]")
        self.values = {name: _check_values(name, values) for name, values in couplings.items()}
        self.names = tuple(self.values)
        self.shape = tuple(len(values) for values in self.values.values())
        n_points = math.prod(self.shape)
        if n_points > MOST_VALUES:
            words = f"couplings must give at most {MOST_VALUES} points, got {n_points}"
            raise ArgumentValueError(words, "couplings")
        self.points = [
            dict(zip(self.names, point, strict=True)) for point in itertools.product(*self.values.values())
        ]


def _check_values(name: str, values: Any) -> list[Any]:
    if name == EXTENT:
        return extent_labels(values)
    if name in {"method", "draw", "chain"}:
        raise ValueError(f"couplings: {name!r} is a dimension of its own and cannot be scanned")
    try:
        given = np.atleast_1d(np.asarray(values))
        array = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a number or a sequence of numbers, got {values!r}") from error
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} must be a non-empty sequence of finite numbers, got {values!r}")
    listed = given.tolist() if given.dtype.kind in "iu" else _without_noise(array)
    if len({point_words({name: value}) for value in listed}) < len(listed):
        raise ValueError(f"{name} must not name a value twice, got {listed}")
    return listed


def _without_noise(values: NDArray[np.float64]) -> list[float]:
    """Evenly spaced values without the rounding of ``numpy.linspace``; all others as they are.

    >>> np.linspace(1.8, 2.1, 4).tolist()[1], _without_noise(np.linspace(1.8, 2.1, 4))
    (1.9000000000000001, [1.8, 1.9, 2.0, 2.1])
    """
    limit = 4 * np.finfo(np.float64).eps * float(np.abs(values).max())
    even = np.linspace(values[0], values[-1], values.size)
    if values.size < 3 or np.abs(values - even).max() > limit:
        return values.tolist()
    short = [0.0 if abs(value) <= limit else float(f"{value:.12g}") for value in values.tolist()]
    return [a if abs(a - b) <= limit else b for a, b in zip(short, values.tolist(), strict=True)]


def assemble(methods: tuple[str, ...], grid: Grid, done: dict[Key, dict], attrs: dict) -> xr.Dataset:
    """All cells as one dataset; NaN where a method does not give a result.

    Parameters
    ----------
    methods : tuple of str
    grid : Grid
    done : dict
        Results of `edgphys.scans.cell.run_cell` by key; a cell without one is NaN.
    attrs : dict
        Attrs of the dataset.

    Returns
    -------
    xarray.Dataset
        Dims ``(method, <scanned couplings>)``, float64.
    """
    import xarray as xr

    definitions = json.loads(attrs["definitions"])
    names = _ordered({name for result in done.values() for name in result["values"]}, definitions)
    arrays = {name: np.full((len(methods), *grid.shape), np.nan) for name in names}
    algorithms, warnings, draws = {}, {}, {}
    for i, method in enumerate(methods):
        for j, point in enumerate(grid.points):
            key = (method, point_words(point))
            if key not in done:
                continue
            for name, value in done[key]["values"].items():
                arrays[name].reshape(len(methods), -1)[i, j] = value
            algorithms[" ".join(key)] = done[key]["algorithm"]
            if done[key]["warning"]:
                warnings[" ".join(key)] = done[key]["warning"]
            if "draws" in done[key]:
                draws[" ".join(key)] = done[key]["draws"]
    dims = ("method", *grid.names)
    table = xr.Dataset(
        {name: (dims, array, _variable_attrs(name, definitions)) for name, array in arrays.items()},
        coords={"method": list(methods), **grid.values},
        attrs=attrs,
    )
    table.attrs["algorithms"] = json.dumps(algorithms)
    table.attrs["warnings"] = json.dumps(warnings)
    if draws:
        table.attrs["draws"] = json.dumps(draws)
    return table


def _ordered(names: set[str], definitions: dict[str, str]) -> list[str]:
    """Results in the order of the system's definitions, each before its error."""
    order = {name: rank for rank, name in enumerate(definitions)}
    return sorted(names, key=lambda name: (order.get(name.removesuffix("_err"), len(order)), name))


def _variable_attrs(name: str, definitions: dict[str, str]) -> dict[str, str]:
    base = name.removesuffix("_err")
    if name != base:
        return {"definition": f"one standard error of {base}"}
    return {"definition": definitions[name]} if name in definitions else {}


def header_of(attrs: dict[str, Any]) -> dict[str, Any]:
    """What must agree between two scans that share cells, in JSON types, from the attrs of the dataset."""
    header = {name: attrs.get(name) for name in ("system", "lattice", "extent", "pbc", "seed")}
    header |= {name: json.loads(attrs[name]) for name in ("parameters", "couplings", "settings")}
    if "extents" in attrs:
        header["extents"] = json.loads(attrs["extents"])
    return plain_json(header)


def plain_json(record: dict[str, Any]) -> dict[str, Any]:
    """The record in JSON types."""
    return json.loads(json.dumps(record, default=_plain))


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def cells_of(table: xr.Dataset) -> dict[Key, dict[str, Any]]:
    """The finished cells of a scan, the inverse of `assemble`; a cell without a wall time is not finished."""
    names = json.loads(table.attrs["couplings"])
    notes = {name: json.loads(table.attrs.get(name, "{}")) for name in CELL_NOTES}
    settings = json.loads(table.attrs.get(ATTR, "{}")).get("settings", {})
    done = {}
    arrays = {
        str(name): variable.transpose("method", *names).values for name, variable in table.data_vars.items()
    }
    for index in np.ndindex(*(table.sizes[name] for name in ("method", *names))):
        point = {name: table[name].values[i].item() for name, i in zip(names, index[1:], strict=True)}
        key = (str(table["method"].values[index[0]]), point_words(point))
        values = {name: float(array[index]) for name, array in arrays.items()}
        if math.isfinite(values.get("wall_time", math.nan)):
            words = " ".join(key)
            done[key] = {
                "values": {name: value for name, value in values.items() if not math.isnan(value)},
                "algorithm": notes["algorithms"].get(words, ""),
                "warning": notes["warnings"].get(words, ""),
                "settings": settings.get(key[0], {}),
            } | ({"draws": notes["draws"][words]} if words in notes["draws"] else {})
    return done
