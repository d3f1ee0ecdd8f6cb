# SPDX-License-Identifier: MIT
"""The runs that a scan is made of: which cells by which seed and settings.

A scan of one run says so by its attributes ``seed`` and ``settings``. One that was merged or extended has the
attribute ``runs`` beside them, JSON text of a list of {seed, settings of each method, names of cells}, and
``continues``, the seed of the run from whose trained models it has further draws.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.cell_names import cell_name

__all__ = ["Run", "cells_there", "runs_of", "seeds_by_cell", "settings_by_method", "united"]

Run = dict[str, Any]


def cells_there(table: xr.Dataset) -> list[str]:
    """Names of the cells of a scan that have any number."""
    couplings = json.loads(table.attrs["couplings"])
    dims = ("method", *couplings)
    arrays = [variable.transpose(*dims).notnull().values for variable in table.data_vars.values()]
    labels = {name: table[name].values.tolist() for name in dims}
    found = []
    for index in np.argwhere(np.any(arrays, axis=0)) if arrays else ():
        at = {name: labels[name][i] for name, i in zip(dims, index, strict=True)}
        found.append(cell_name(str(at.pop("method")), at))
    return found


def runs_of(table: xr.Dataset) -> list[Run]:
    """The runs of a scan; a single one has all cells."""
    if "runs" in table.attrs:
        return json.loads(table.attrs["runs"])
    seed, settings = table.attrs.get("seed"), json.loads(table.attrs.get("settings", "{}"))
    seed = seed.tolist() if isinstance(seed, np.ndarray | np.generic) else seed
    continues = {"continues": table.attrs["continues"]} if "continues" in table.attrs else {}
    return [{"seed": seed, **continues, "settings": settings, "cells": cells_there(table)}]


def united(runs: Iterable[Run]) -> list[Run]:
    """Runs of one seed whose settings agree as one, with the methods and the cells of both."""
    kept: list[Run] = []
    for run in runs:
        same = next((one for one in kept if one["seed"] == run["seed"] and _agree(one, run)), None)
        if same is None:
            kept.append(dict(run))
            continue
        same["settings"] = same["settings"] | run["settings"]
        same["cells"] = list(dict.fromkeys([*same["cells"], *run["cells"]]))
    return kept


def _agree(one: Run, other: Run) -> bool:
    shared = set(one["settings"]) & set(other["settings"])
    return all(one["settings"][method] == other["settings"][method] for method in shared)


def seeds_by_cell(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Seeds of every cell; None for one that nobody knows."""
    seeds: dict[str, list[Any]] = {}
    for run in runs:
        listed = [None] if run["seed"] is None else np.atleast_1d(run["seed"]).tolist()
        for cell in run["cells"]:
            seeds.setdefault(cell, []).extend(listed)
    return seeds


def settings_by_method(runs: Sequence[Run]) -> dict[str, Any]:
    """Settings of every method; a list of them where runs differ.

    Examples
    --------
    >>> runs = [{"settings": {"edg": {"n": 1}}}, {"settings": {"edg": {"n": 2}, "exact": {}}}]
    >>> settings_by_method(runs)
    {'edg': [{'n': 1}, {'n': 2}], 'exact': {}}
    """
    kept: dict[str, list[Any]] = {}
    for run in runs:
        for method, settings in run["settings"].items():
            listed = kept.setdefault(method, [])
            listed += [
                one for one in (settings if isinstance(settings, list) else [settings]) if one not in listed
            ]
    return {method: listed[0] if len(listed) == 1 else listed for method, listed in kept.items()}
