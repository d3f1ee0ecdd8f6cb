# SPDX-License-Identifier: MIT
"""The cells of several scans: as one scan has them, else pooled, and never the same draws twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.cell_names import cell_name, label_words
from edgphys.dataset.pooling import agreement, is_exact, pooled
from edgphys.dataset.runs import runs_of, seeds_by_cell
from edgphys.errors import DatasetError
from edgphys.observables import COSTS

__all__ = ["Key", "name_of", "pool"]

Key = tuple[str, ...]  # words of the labels of a cell, in the order of the dims
_EXACT = 1e-8  # relative: what a library of another version may change


def pool(tables: list[xr.Dataset], grid: dict[str, list[Any]]) -> dict[Key, tuple[dict[str, float], str]]:
    """Every cell that any table has, from all that have it, and what its runs disagree in.

    Raises
    ------
    DatasetError
        If two have the same draws, or one adds nothing, or exact results differ.
    """
    dims = tuple(grid)
    there: dict[Key, list[tuple[int, dict[str, float]]]] = {}
    for k, table in enumerate(tables):
        seen = set(there)
        own = _cells(table, dims)
        for key, cell in own.items():
            there.setdefault(key, []).append((k, cell))
        again = [key for key in own if key in seen]
        sampled = [key for key in again if not is_exact(own[key])]
        for key in again if len(again) == len(own) and not sampled else ():
            raise DatasetError(f"{_TWICE} {_where(key, grid)}")
    seeds = [seeds_by_cell(runs_of(table)) for table in tables]
    return {key: _cell(key, grid, listed, seeds) for key, listed in there.items()}


_TWICE = "datasets must not give the same cell twice, got two results for"


def _where(key: Key, grid: dict[str, list[Any]]) -> str:
    by_words = [{label_words(label): label for label in labels} for labels in grid.values()]
    labels = [labels[words] for labels, words in zip(by_words, key, strict=True)]
    return ", ".join(f"{dim}={label}" for dim, label in zip(grid, labels, strict=True))


def name_of(key: Key, dims: tuple[str, ...]) -> str:
    """The cell as notes of a scan name it."""
    return cell_name(key[0], dict(zip(dims[1:], key[1:], strict=True)))


def _cells(table: xr.Dataset, dims: tuple[str, ...]) -> dict[Key, dict[str, float]]:
    """Results of every cell that has any; of a variable only where the method gives it at some point."""
    arrays = {str(name): variable.transpose(*dims).values for name, variable in table.data_vars.items()}
    given = {
        name: np.asarray((~np.isnan(array)).any(axis=tuple(range(1, len(dims)))))
        for name, array in arrays.items()
    }
    there = np.asarray(np.any([~np.isnan(array) for array in arrays.values()], axis=0))
    labels = [[label_words(label) for label in table[dim].values.tolist()] for dim in dims]
    return {
        tuple(words[i] for words, i in zip(labels, index, strict=True)): {
            name: float(array[tuple(index)]) for name, array in arrays.items() if given[name][index[0]]
        }
        for index in np.argwhere(there)
    }


def _cell(
    key: Key,
    grid: dict[str, list[Any]],
    listed: list[tuple[int, dict[str, float]]],
    seeds: list[dict[str, list[Any]]],
) -> tuple[dict[str, float], str]:
    """The results of one cell, and what its runs disagree in."""
    cells = [cell for _, cell in listed]
    if len(cells) == 1:
        return cells[0], ""
    if all(is_exact(cell) for cell in cells):
        for other in cells[1:]:
            _check_exact(cells[0], other, _where(key, grid))
        return cells[0], ""
    name = name_of(key, tuple(grid))
    known = [seed for k, _ in listed for seed in seeds[k].get(name, [None])]
    twice = next((seed for i, seed in enumerate(known) if seed in known[:i]), _NONE)
    if twice is not _NONE:
        words = "of no seed" if twice is None else f"of seed {twice}"
        raise DatasetError(f"{_TWICE} {_where(key, grid)} {words}: the same draws twice")
    for i, one in enumerate(cells):
        if any(_is_copy(one, other) for other in cells[:i]):
            raise DatasetError(f"{_TWICE} {_where(key, grid)}, one a copy of the other")
    found = agreement(cells)
    values = pooled(cells)
    values["n_runs"] = sum(cell["n_runs"] if cell.get("n_runs", 0) > 0 else 1.0 for cell in cells)
    values["runs_chi2"] = float(np.fmax(found.chi2, values.get("runs_chi2", np.nan)))
    if found.words:
        values["reliable" if values.get("reliable", np.nan) >= 0 else "converged"] = 0.0
    return values, found.words


_NONE = object()


def _is_copy(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether two cells have the same results to the bit: no two runs do."""
    shared = [name for name in one if f"{name}_err" in one and name in other]
    pairs = [(one[name], other[name], one[f"{name}_err"]) for name in shared]
    return any(error > 0 for *_, error in pairs) and all(a == b or (a != a and b != b) for a, b, _ in pairs)


def _check_exact(one: dict[str, float], other: dict[str, float], where: str) -> None:
    for name in one:
        if (
            name in other
            and name not in COSTS
            and not np.isclose(one[name], other[name], rtol=_EXACT, atol=_EXACT, equal_nan=True)
        ):
            raise DatasetError(
                f"exact results must agree in datasets to be merged, got {name} = {one[name]!r} and "
                f"{other[name]!r} for {where}"
            )
