# SPDX-License-Identifier: MIT
"""Scans laid over each other: other points, sizes, methods, and cells that several runs have pooled."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from edgphys import observables
from edgphys.dataset.agreement import common, same, summed
from edgphys.dataset.cell_names import CELL_NOTES, label_words
from edgphys.dataset.extents import EXTENT, OF_SIZE, with_coupling, with_extent
from edgphys.dataset.pooled_cells import Key, name_of, pool
from edgphys.dataset.runs import runs_of, settings_by_method, united
from edgphys.dataset.schema import is_number
from edgphys.errors import DatasetError

__all__ = ["overlay"]

_OF_RUNS = ("n_runs", "runs_chi2")


def overlay(tables: list[xr.Dataset]) -> xr.Dataset:
    """Scans on the union of their grids, cells of several runs pooled (`edgphys.dataset.pooling`).

    Raises
    ------
    DatasetError
        If they are about other physics, or one has the draws of another, or nothing that it adds.
    """
    tables = _over_the_same(tables)
    for name in ("system", "lattice", "pbc", "n_variables", "parameters"):
        common(tables, name)
    if "extents" not in tables[0].attrs:
        common(tables, EXTENT)
    for attr in ("definitions", "units"):
        _agreed(tables, attr)
    dims = ("method", *json.loads(tables[0].attrs["couplings"]))
    grid = {dim: _labels(dim, tables) for dim in dims}
    cells = pool(tables, grid)
    shape = tuple(len(labels) for labels in grid.values())
    names = dict.fromkeys(str(name) for table in tables for name in table.data_vars)
    names |= dict.fromkeys(_OF_RUNS) if any("n_runs" in values for values, _ in cells.values()) else {}
    arrays = {name: np.full(shape, np.nan) for name in names}
    for index in np.ndindex(shape):
        key = tuple(label_words(labels[i]) for labels, i in zip(grid.values(), index, strict=True))
        for name, value in cells.get(key, ({}, ""))[0].items():
            arrays[name][index] = value
    merged = xr.Dataset({name: (dims, array) for name, array in arrays.items()}, coords=grid)
    merged.attrs = _table_attrs(tables, {key: words for key, (_, words) in cells.items() if words}, dims)
    about = json.loads(merged.attrs["definitions"])
    for name in merged.data_vars:
        known = [dict(table[name].attrs) for table in tables if name in table]
        merged[name].attrs = known[0] if known else {"definition": about[str(name)]}
    return merged


def _over_the_same(tables: list[xr.Dataset]) -> list[xr.Dataset]:
    """All as scans over the couplings of any, in the order of the first."""
    tables = with_extent(tables)
    names = dict.fromkeys(name for table in tables for name in json.loads(table.attrs["couplings"]))
    for table in tables:
        found = set(json.loads(table.attrs["parameters"])) | set(json.loads(table.attrs["couplings"]))
        if names.keys() - found:
            raise DatasetError(
                f"attr couplings must agree in datasets to be merged, got {', '.join(sorted(names))} "
                f"and a scan without {min(names.keys() - found)}"
            )
    return [_with_all(table, list(names)) for table in tables]


def _with_all(table: xr.Dataset, names: list[str]) -> xr.Dataset:
    parameters = json.loads(table.attrs["parameters"])
    for name in names:
        if name not in table.dims:
            if not is_number(parameters[name]):
                raise DatasetError(f"attr parameters must have a number for {name}, got {parameters[name]!r}")
            table = with_coupling(table, name, float(parameters.pop(name)))
    table = table.transpose("method", *names)
    left_out = ("temperature", "beta") if "temperature" in names else ()
    table.attrs = {name: value for name, value in table.attrs.items() if name not in left_out}
    table.attrs |= {"couplings": json.dumps(names), "parameters": json.dumps(parameters)}
    return table


def _labels(dim: str, tables: list[xr.Dataset]) -> list[Any]:
    """Labels of all tables, each once: numbers rising, text in the order in which it comes."""
    found: dict[str, Any] = {}
    for table in tables:
        for label in table[dim].values.tolist():
            found.setdefault(label_words(label), label)
    labels = list(found.values())
    return labels if any(isinstance(label, str) for label in labels) else sorted(labels)


def _table_attrs(tables: list[xr.Dataset], disagreements: dict[Key, str], dims: tuple[str, ...]) -> dict:
    """Attributes of the first, less those that do not hold for all; definitions and notes of cells united."""
    attrs = dict(tables[0].attrs)
    for name in ("temperature", "beta", "versions", *OF_SIZE):
        if any(not same(name, table.attrs.get(name), attrs.get(name)) for table in tables):
            attrs.pop(name, None)
    attrs |= _united_sizes(tables)
    definitions, units = _agreed(tables, "definitions"), _agreed(tables, "units")
    named = [name for table in tables for name in json.loads(table.attrs.get("observables", "[]"))]
    attrs |= {"observables": json.dumps(list(dict.fromkeys(named)))} if named else {}
    attrs |= {"units": json.dumps(units)} if units else {}
    notes = {n: [json.loads(t.attrs[n]) for t in tables if n in t.attrs] for n in CELL_NOTES}
    if disagreements:
        notes["warnings"].append({name_of(key, dims): words for key, words in disagreements.items()})
    for name, found in notes.items():
        if found:
            attrs[name] = json.dumps(_joined(found) if name == "warnings" else _united(found))
    looks: dict[str, Any] = {}
    for table in reversed(tables):
        looks |= json.loads(table.attrs.get("methods", "{}"))
    if looks:
        attrs["methods"] = json.dumps(looks)
    if all("z2_symmetric" in table.attrs for table in tables):
        attrs["z2_symmetric"] = min(int(table.attrs["z2_symmetric"]) for table in tables)
    runs = united(run for table in tables for run in runs_of(table))
    attrs["settings"] = json.dumps(settings_by_method(runs))
    for name in ("runs", "continues"):
        attrs.pop(name, None)
    if len(runs) > 1:
        attrs["runs"] = json.dumps(runs)
        definitions |= observables.definitions(_OF_RUNS)
    attrs["definitions"] = json.dumps(definitions)
    seeds = [s for run in runs for s in np.atleast_1d([] if run["seed"] is None else run["seed"]).tolist()]
    if seeds:
        distinct = list(dict.fromkeys(seeds))
        attrs["seed"] = distinct if len(distinct) > 1 else distinct[0]
    return attrs | summed(tables)


def _agreed(tables: list[xr.Dataset], attr: str) -> dict[str, str]:
    """Texts by name, of which no two may differ."""
    texts: dict[str, str] = {}
    for table in tables:
        for name, text in json.loads(table.attrs.get(attr, "{}")).items():
            if texts.setdefault(name, text) != text:
                raise DatasetError(
                    f"attr {attr} must agree, got two {attr} of {name}: {texts[name]!r} and {text!r}"
                )
    return texts


def _united_sizes(tables: list[xr.Dataset]) -> dict[str, str]:
    """The attribute ``extents``, where there is one."""
    sizes: dict[str, Any] = {}
    for table in tables:
        for label, about in json.loads(table.attrs.get("extents", "{}")).items():
            if sizes.setdefault(label, about) != about:
                raise DatasetError(f"attr extents must agree, got two lattices of extent {label}")
    return {"extents": json.dumps(sizes)} if sizes else {}


def _joined(notes: list[dict[str, Any]]) -> dict[str, str]:
    """All warnings of every cell, each once."""
    found: dict[str, dict[str, None]] = {}
    for note in notes:
        for cell, words in note.items():
            listed = [words] if isinstance(words, str) else words
            found.setdefault(cell, {}).update(dict.fromkeys(filter(None, listed)))
    return {cell: "; ".join(words) for cell, words in found.items()}


def _united(notes: list[dict[str, Any]]) -> dict[str, Any]:
    """All entries; a list of distinct values where two disagree (one method run with two settings)."""
    values: dict[str, list] = {}
    for note in notes:
        for key, value in note.items():
            kept = values.setdefault(key, [])
            if value not in kept:
                kept.append(value)
    return {key: kept[0] if len(kept) == 1 else kept for key, kept in values.items()}
