# SPDX-License-Identifier: MIT
"""Scans laid over each other, and estimates as scans of one cell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.agreement import common, same, summed, united
from edgphys.dataset.cell_names import cell_name
from edgphys.dataset.schema import GEOMETRY, is_number
from edgphys.errors import DatasetError
from edgphys.observables import COSTS

__all__ = ["as_tables", "overlay"]


def as_tables(datasets: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Estimates as one-cell scans over the parameters in which they differ."""
    parameters = [json.loads(ds.attrs["parameters"]) for ds in datasets]
    names = dict.fromkeys(name for each in parameters for name in each)
    couplings = [
        name for name in names if any(each.get(name) != parameters[0].get(name) for each in parameters)
    ]
    for each in parameters:
        for name in couplings:
            if not is_number(each.get(name)):
                raise DatasetError(f"attr parameters must have a number for {name}, got {each.get(name)!r}")
    fixed = {name: value for name, value in parameters[0].items() if name not in couplings}
    tables = []
    for ds, each in zip(datasets, parameters, strict=True):
        point = {name: float(each[name]) for name in couplings}
        costs = {name: ((), float(ds.attrs[name])) for name in COSTS if name in ds.attrs}
        table = ds.assign(costs).expand_dims(
            {"method": [ds.attrs["method"]], **{name: [value] for name, value in point.items()}}
        )
        cell = cell_name(ds.attrs["method"], point)
        note = {cell: ds.attrs["warning"]} if ds.attrs.get("warning") else {}
        dropped = (
            "method",
            "warning",
            "estimate_seed",
            "tau_int_of",
            "r_hat_of",
            "tau_int_by_name",
            "settings",
        )
        table.attrs = {name: value for name, value in ds.attrs.items() if name not in (*dropped, *COSTS)}
        table.attrs |= {"kind": "scan", "couplings": json.dumps(couplings), "parameters": json.dumps(fixed)}
        settings = {ds.attrs["method"]: json.loads(ds.attrs.get("settings", "{}"))}
        table.attrs |= {"settings": json.dumps(settings), "warnings": json.dumps(note)}
        table.attrs |= {"wall_time": float(ds.attrs.get("wall_time", 0.0))}
        tables.append(table)
    return tables


def overlay(tables: list[xr.Dataset]) -> xr.Dataset:
    """Scans on the union of their grids; a cell that two of them fill is an error."""
    for name in (*GEOMETRY, "parameters", "couplings"):
        common(tables, name)
    dims = ("method", *json.loads(tables[0].attrs["couplings"]))
    grid: dict[str, Any] = {
        "method": list(dict.fromkeys(m for t in tables for m in t["method"].values.tolist()))
    }
    grid |= {dim: np.unique(np.concatenate([table[dim].values for table in tables])) for dim in dims[1:]}
    merged, filled = None, None
    for table in tables:
        placed = table.reindex(grid).transpose(*dims)
        present = placed.notnull().to_array().any("variable").transpose(*dims)
        if filled is not None and bool((filled & present).any()):
            first = (filled & present).values.nonzero()
            where = ", ".join(f"{dim}={grid[dim][index[0]]}" for dim, index in zip(dims, first, strict=True))
            raise DatasetError(f"datasets must not give the same cell twice, got two results for {where}")
        merged = placed if merged is None else merged.combine_first(placed)
        filled = present if filled is None else filled | present
    assert merged is not None  # there is a table
    for name in merged.data_vars:
        merged[name].attrs = next(dict(table[name].attrs) for table in tables if name in table)
    merged.attrs = _table_attrs(tables)
    return merged


def _table_attrs(tables: list[xr.Dataset]) -> dict[str, Any]:
    """Attributes of the first, less those that do not hold for all; definitions and notes of cells united."""
    attrs = dict(tables[0].attrs)
    for name in ("temperature", "beta", "versions", "n_sites", "n_variables", "linear_size"):
        if any(not same(name, table.attrs.get(name), attrs.get(name)) for table in tables):
            attrs.pop(name, None)
    definitions: dict[str, str] = {}
    for table in tables:
        for name, text in json.loads(table.attrs["definitions"]).items():
            if definitions.setdefault(name, text) != text:
                raise DatasetError(f"attr definitions must agree, got two definitions of {name}")
    attrs["definitions"] = json.dumps(definitions)
    for name in ("algorithms", "warnings", "settings"):
        notes = [json.loads(table.attrs[name]) for table in tables if name in table.attrs]
        if notes:
            attrs[name] = json.dumps(united(notes))
    looks: dict[str, Any] = {}
    for table in reversed(tables):
        looks |= json.loads(table.attrs.get("methods", "{}"))
    if looks:
        attrs["methods"] = json.dumps(looks)
    if all("z2_symmetric" in table.attrs for table in tables):
        attrs["z2_symmetric"] = min(int(table.attrs["z2_symmetric"]) for table in tables)
    seeds = [seed for table in tables for seed in np.atleast_1d(table.attrs.get("seed", [])).tolist()]
    if seeds:
        distinct = list(dict.fromkeys(seeds))
        attrs["seed"] = distinct if len(distinct) > 1 else distinct[0]
    return attrs | summed(tables)
