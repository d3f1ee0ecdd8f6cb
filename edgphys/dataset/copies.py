# SPDX-License-Identifier: MIT
"""Whether a dataset holds the same draws twice: a chain and its copy, or two that overlap, as resumed ones.

Copies have all their draws in common, so that errors from them are too small by the root of their number, and
all tests of convergence pass. What is looked for is a stretch of draws that occurs twice, whatever the seeds
say. A draw is what was measured on it; equal draws in a row, as rejections leave them, count as one, together
with their number. Independent chains of a discrete system repeat short stretches by chance: as long as those
that occur twice within a quarter of a chain. A stretch four times as long as these is no chance: with N draws
it occurs in fewer than 1 in N^2 sets of chains. Where stretches repeat that are so long (a system that hardly
moves) nothing can be told, and nothing is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.padding import drawn

__all__ = ["copy_in", "find_copy", "per_draw"]

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_PARTS, _TIMES = 4, 2  # quarters of a chain; twice doubled


def per_draw(samples: xr.Dataset, dims: Sequence[str]) -> dict[str, np.ndarray]:
    """Variables of one number a draw, float64, with their axes in the order of `dims`, NaN in the padding."""
    there = drawn(samples, dims)
    columns = {
        str(name): np.asarray(variable.transpose(*dims).values, np.float64)
        for name, variable in samples.data_vars.items()
        if set(variable.dims) == set(dims) and variable.dtype.kind in "fiub"
    }
    if there.all():
        return columns
    return {name: np.where(there, column, np.nan) for name, column in columns.items()}


def copy_in(samples: xr.Dataset, dims: Sequence[str]) -> Any:
    """As `find_copy`, in the variables of one number a draw; None where there is none of these."""
    columns = list(per_draw(samples, dims).values())
    if not columns or not columns[0].size:
        return None
    return find_copy(np.stack([column.reshape(-1, samples.sizes["draw"]) for column in columns]))


def find_copy(columns: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The first stretch of draws that occurs twice.

    Parameters
    ----------
    columns : float array, shape (n_columns, n_chains, n_draws)
        All that was measured; NaN beyond the end of a chain.

    Returns
    -------
    ((chain, draw), (chain, draw)) or None
        Where it begins, in the order of the chains; None where there is none.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((1, 3, 100))
    >>> find_copy(x), find_copy(np.concatenate([x, x[:, 1:2]], axis=1))
    (None, ((1, 1), (3, 1)))
    >>> resumed = np.concatenate([x[:, :1, 60:], x[:, 1:2, :60]], axis=2)
    >>> find_copy(np.concatenate([x, resumed], axis=1))
    ((0, 61), (3, 1))
    """
    chains = [_runs(keys) for keys in _hashes(columns)]
    windows = [codes for codes, _ in chains]
    length = 1
    while any(_repeats(part) for codes in windows for part in np.array_split(codes, _PARTS)):
        windows, length = [_doubled(codes, length) for codes in windows], 2 * length
        if not any(len(codes) for codes in windows):
            return None
    for _ in range(_TIMES):
        windows, length = [_doubled(codes, length) for codes in windows], 2 * length
    codes = np.concatenate(windows)
    owner = np.repeat(np.arange(len(windows)), [len(each) for each in windows])
    begin = np.concatenate([starts[: len(each)] for (_, starts), each in zip(chains, windows, strict=True)])
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[inverse] != np.arange(len(codes)))
    if not again.size:
        return None
    one, other = int(first[inverse[again[0]]]), int(again[0])
    return (int(owner[one]), int(begin[one])), (int(owner[other]), int(begin[other]))


def _hashes(columns: np.ndarray) -> list[np.ndarray]:
    """One number a draw, for each chain, without the padding."""
    values = np.ascontiguousarray(np.asarray(columns, np.float64) + 0.0)  # no -0
    keys = np.zeros(values.shape[1:], np.uint64)
    for column in values.view(np.uint64):
        keys = _mixed(keys, column)
    there = np.asarray(np.isfinite(values).any(axis=0))
    return [each[inside] for each, inside in zip(keys, there, strict=True)]


def _runs(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs of equal draws as one number each, with their length, and where they begin; both ends are cut."""
    starts = (
        np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.empty(0, int)
    )
    lengths = np.diff(starts)
    return _mixed(keys[starts[1:-1]], lengths[1:].astype(np.uint64)), starts[1:-1]


def _doubled(codes: np.ndarray, length: int) -> np.ndarray:
    """Of stretches of `length` those of twice as many."""
    return _mixed(codes[:-length], codes[length:]) if len(codes) > length else codes[:0]


def _repeats(codes: np.ndarray) -> bool:
    return len(np.unique(codes)) < len(codes)


def _mixed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A hash of two, in their order."""
    both = (one * np.uint64(3) + np.uint64(1)) * _FACTOR ^ other
    both = (both ^ (both >> np.uint64(29))) * _FACTOR
    return both ^ (both >> np.uint64(32))
