# SPDX-License-Identifier: MIT
"""Putting datasets together: samples along their draws or chains, estimates and scans on one grid.

Only what is about the same physics is joined, and no draw or grid point is counted twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.cell_names import cell_name
from edgphys.dataset.copies import copy_in
from edgphys.dataset.schema import GEOMETRY, JSON_ATTRS, STATE, is_number, validate
from edgphys.errors import DatasetError
from edgphys.observables import COSTS

__all__ = ["merge"]


def merge(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put datasets of one kind together, if they are about the same physics.

    Samples are joined along ``draw`` (weighted draws) or ``chain``. Estimates become a scan over ``method``
    and over the parameters in which they differ; scans are laid over each other on the union of their grids,
    NaN in between.

    Parameters
    ----------
    datasets : sequence of Dataset
        At least one, all of schema 1 and of one kind.

    Returns
    -------
    Dataset
        Costs (``wall_time``, calls) are summed, seeds listed.

    Raises
    ------
    ValueError
        If `datasets` is empty.
    DatasetError
        If kinds or attributes that define the physics differ, seeds, draws or grid points are there twice, or
        shapes do not fit; the message names the attribute.
    """
    if len(datasets) == 0:
        raise ValueError("datasets must hold at least one dataset, got none")
    for ds in datasets:
        validate(ds)
    kind = _common(datasets, "kind")
    if kind not in ("samples", "estimates", "scan"):
        raise DatasetError(f"kind must be samples, estimates or scan to be merged, got {kind}")
    if kind == "samples":
        return _merge_samples(datasets)
    if kind == "estimates":
        return _overlay(_as_tables(datasets))
    return _overlay(list(datasets))


def _merge_samples(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    for name in (*GEOMETRY, *STATE, "parameters", "definitions", "method"):
        _common(datasets, name)
    dim = "chain" if "chain" in datasets[0].dims else "draw"
    seeds = [seed for ds in datasets for seed in np.atleast_1d(ds.attrs["seed"]).tolist()]
    if len(set(seeds)) < len(seeds):
        raise DatasetError(
            f"attr seed must differ between samples to be merged, got {seeds}: the same draws twice"
        )
    for ds in datasets[1:]:
        if set(ds.data_vars) != set(datasets[0].data_vars):
            odd = sorted(map(str, set(ds.data_vars) ^ set(datasets[0].data_vars)))
            raise DatasetError(
                f"variables must be the same in all samples, got {', '.join(odd)} only in some"
            )
    if dim == "chain":
        thins = {json.loads(ds.attrs.get("settings", "{}")).get("thin", 1) for ds in datasets}
        if len(thins) > 1:
            raise DatasetError(
                f"attr settings must have one value of thin for all chains, got {sorted(thins)}"
            )
    sizes = [{str(d): n for d, n in ds.sizes.items() if d != dim} for ds in datasets]
    if any(size != sizes[0] for size in sizes):
        raise DatasetError(f"dims other than {dim} must have the same length in all samples, got {sizes}")
    bare = [ds.drop_vars([dim], errors="ignore") for ds in datasets]
    merged = xr.concat(
        bare, dim=dim, data_vars="minimal", coords="minimal", compat="override", join="override"
    )
    _refuse_copies(merged, dim)
    merged.attrs = dict(datasets[0].attrs) | _summed(datasets)
    merged.attrs["seed"] = seeds if len(seeds) > 1 else seeds[0]
    return merged


def _refuse_copies(merged: xr.Dataset, dim: str) -> None:
    """Other seeds are no proof of other draws."""
    found = copy_in(merged, ("chain", "draw") if dim == "chain" else ("draw",))
    if found is not None:
        one, again = (place[0 if dim == "chain" else 1] for place in found)
        raise DatasetError(
            f"datasets must not hold the same draws twice, got {dim} {again} of all as a copy of {dim} {one}"
        )


def _as_tables(datasets: Sequence[xr.Dataset]) -> list[xr.Dataset]:
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
        words = ds.attrs.get("warning") or ds.attrs.get("blank")
        note = {cell: words} if words else {}
        dropped = (
            "method",
            "warning",
            "blank",
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


def _overlay(tables: list[xr.Dataset]) -> xr.Dataset:
    """Scans on the union of their grids; a cell that two of them fill is an error."""
    for name in (*GEOMETRY, "parameters", "couplings"):
        _common(tables, name)
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
        if any(not _same(name, table.attrs.get(name), attrs.get(name)) for table in tables):
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
            attrs[name] = json.dumps(_united(notes))
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
    return attrs | _summed(tables)


def _united(notes: list[dict[str, Any]]) -> dict[str, Any]:
    """All entries; a list of distinct values where two disagree (one method run with two settings)."""
    values: dict[str, list] = {}
    for note in notes:
        for key, value in note.items():
            kept = values.setdefault(key, [])
            if value not in kept:
                kept.append(value)
    return {key: kept[0] if len(kept) == 1 else kept for key, kept in values.items()}


def _summed(datasets: Sequence[xr.Dataset]) -> dict[str, Any]:
    """Costs over all datasets that state them."""
    return {
        name: sum(ds.attrs[name] for ds in datasets if name in ds.attrs)
        for name in COSTS
        if any(name in ds.attrs for ds in datasets)
    }


def _common(datasets: Sequence[xr.Dataset], name: str) -> Any:
    """The attribute that all must agree on."""
    first = datasets[0].attrs.get(name)
    for ds in datasets[1:]:
        if not _same(name, ds.attrs.get(name), first):
            raise DatasetError(
                f"attr {name} must agree in datasets to be merged, got {first} and {ds.attrs.get(name)}"
            )
    return first


def _same(name: str, one: Any, other: Any) -> bool:
    if name in JSON_ATTRS and isinstance(one, str) and isinstance(other, str):
        return json.loads(one) == json.loads(other)
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(one, other))
