# SPDX-License-Identifier: MIT
"""Estimates as scans of one cell each."""

from __future__ import annotations

import json
from collections.abc import Sequence

import xarray as xr

from edgphys.dataset.cell_names import cell_name
from edgphys.dataset.schema import is_number
from edgphys.errors import DatasetError
from edgphys.observables import COSTS

__all__ = ["as_tables"]


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
