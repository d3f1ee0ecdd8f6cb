# SPDX-License-Identifier: MIT
"""Scans over several sizes of a lattice: the dim ``extent``, and what the attribute ``extents`` says of each.

Labels are integers, one number of cells for all axes, or text such as ``16x8``. In place of the attributes of
one lattice (`OF_SIZE`) the scan has ``extents``, JSON text of these by label.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.cell_names import CELL_NOTES, label_words, with_coordinate
from edgphys.errors import DatasetError

__all__ = ["EXTENT", "OF_SIZE", "attrs_at", "of_sizes", "with_coupling", "with_extent"]

EXTENT = "extent"
OF_SIZE = ("extent", "n_sites", "linear_size", "lattice_momenta")


def of_sizes(attrs: Sequence[Mapping[str, Any]], labels: Sequence[int | str]) -> str:
    """The attribute ``extents``: from the attributes at each size, and its label.

    Examples
    --------
    >>> of_sizes([{"extent": [8, 8], "n_sites": 64, "linear_size": 8.0, "seed": 1}], [8])
    '{"8": {"extent": [8, 8], "n_sites": 64, "linear_size": 8.0}}'
    """
    return json.dumps(
        {
            label_words(label): {name: _plain(one[name]) for name in OF_SIZE if name in one}
            for label, one in zip(labels, attrs, strict=True)
        }
    )


def attrs_at(attrs: Mapping[str, Any], label: int | str) -> dict[str, Any]:
    """The attributes of a scan as they are at one size.

    Examples
    --------
    >>> attrs_at({"extents": '{"8": {"extent": [8, 8], "n_sites": 64}}', "seed": 1}, 8)
    {'seed': 1, 'extent': [8, 8], 'n_sites': 64}
    """
    sizes = json.loads(attrs["extents"])
    if label_words(label) not in sizes:
        raise DatasetError(f"attr extents must have all labels of extent, {label_words(label)} is missing")
    return {name: value for name, value in attrs.items() if name != "extents"} | sizes[label_words(label)]


def with_extent(tables: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Scans of one size each, and scans over sizes, all as scans over sizes; as they are if of one size."""
    over = [EXTENT in json.loads(table.attrs["couplings"]) for table in tables]
    pairs = list(zip(tables, over, strict=True))
    several = [table for table, many in pairs if many]
    single = {tuple(np.atleast_1d(one.attrs.get(EXTENT, [])).tolist()) for one, many in pairs if not many}
    if not several and len(single) < 2:
        return list(tables)
    text = any(len(set(sides)) > 1 for sides in single)
    text |= any(table[EXTENT].dtype.kind not in "iuf" for table in several)
    return [_relabelled(one, text) if many else _lifted(one, text) for one, many in pairs]


def _lifted(table: xr.Dataset, text: bool) -> xr.Dataset:
    sides = [int(length) for length in np.atleast_1d(table.attrs.get(EXTENT, []))]
    if not sides:
        raise DatasetError("attr extent must be there in all scans of which one is over sizes, it is missing")
    label = "x".join(map(str, sides)) if text else sides[0]
    lifted = with_coupling(table, EXTENT, label)
    lifted.attrs = {name: value for name, value in lifted.attrs.items() if name not in OF_SIZE}
    lifted.attrs["extents"] = of_sizes([table.attrs], [label])
    return lifted


def _relabelled(table: xr.Dataset, text: bool) -> xr.Dataset:
    """Numbers as text, where scans of other shapes are beside them."""
    if not text or table[EXTENT].dtype.kind not in "iuf":
        return table
    sizes = json.loads(table.attrs["extents"])
    words = {key: "x".join(str(int(side)) for side in size["extent"]) for key, size in sizes.items()}
    labels = [words[label_words(label)] for label in table[EXTENT].values.tolist()]
    renamed = table.assign_coords({EXTENT: labels})
    renamed.attrs["extents"] = json.dumps({words[key]: size for key, size in sizes.items()})

    def name(cell: str) -> str:
        parts = [part.partition("=") for part in cell.replace(" ", ",", 1).split(",")]
        old = next(value for key, _, value in parts if key == EXTENT)
        return cell.replace(f"{EXTENT}={old}", f"{EXTENT}={words[old]}")

    return _with_cells(renamed, name)


def with_coupling(table: xr.Dataset, name: str, label: float | str) -> xr.Dataset:
    """The scan with one coupling more, which has one value; the size before all others."""
    known = json.loads(table.attrs["couplings"])
    couplings = [name, *known] if name == EXTENT else [*known, name]
    lifted = table.expand_dims({name: [label]}).transpose("method", *couplings)
    lifted.attrs = dict(table.attrs) | {"couplings": json.dumps(couplings)}
    return _with_cells(lifted, lambda cell: with_coordinate(cell, name, label))


def _with_cells(table: xr.Dataset, name: Any) -> xr.Dataset:
    """The scan with other names of its cells in what it notes of them."""
    for attr in CELL_NOTES:
        if attr in table.attrs:
            notes = json.loads(table.attrs[attr])
            table.attrs[attr] = json.dumps({name(cell): note for cell, note in notes.items()})
    if "runs" in table.attrs:
        runs = json.loads(table.attrs["runs"])
        table.attrs["runs"] = json.dumps([run | {"cells": [*map(name, run["cells"])]} for run in runs])
    return table


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
