# SPDX-License-Identifier: MIT
"""Chains of unequal length in one dataset: where each of them ends, and numbers that no padding enters.

The dims (chain, draw) are as long as the longest chain. Beyond the end of a shorter one variables are NaN
(configurations of integers 0), and the boolean coordinate ``drawn`` (chain, draw) is False: its sum over
draws is the length of each chain. It follows every selection of chains and draws. Datasets of chains of equal
length have no such coordinate, and a NaN in them is no padding.

In arrays of shape (n_chains, n_draws) padding is NaN at the end of a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

__all__ = [
    "DRAWN",
    "drawn",
    "flat",
    "in_places",
    "is_padded",
    "lengths",
    "mean_draw",
    "padded",
    "pooled",
    "scattered",
    "side_by_side",
]

DRAWN = "drawn"


def padded(chains: xr.Dataset, n_draws: int) -> xr.Dataset:
    """Chains with the coordinate ``drawn``, made longer to `n_draws` at least as long as they are.

    Examples
    --------
    >>> short = xr.Dataset({"energy": (("chain", "draw"), [[1.0, 2.0]])})
    >>> long = padded(short, 3)
    >>> long["energy"].values, long["drawn"].values
    (array([[ 1.,  2., nan]]), array([[ True,  True, False]]))
    """
    there = xr.DataArray(drawn(chains, ("chain", "draw")), dims=("chain", "draw"))
    chains = chains.drop_vars("draw", errors="ignore").assign_coords({DRAWN: there})
    more = n_draws - chains.sizes["draw"]

    def longer(variable: xr.Variable) -> xr.Variable:
        if "draw" not in variable.dims:
            return variable
        fill = np.nan if variable.dtype.kind == "f" else 0
        return variable.pad(draw=(0, more), mode="constant", constant_values=fill)

    variables = {name: longer(chains.variables[name]) for name in chains.data_vars}
    coords = {name: longer(chains.variables[name]) for name in chains.coords}
    return xr.Dataset(variables, coords, chains.attrs)


def drawn(samples: xr.Dataset, dims: Sequence[str]) -> np.ndarray:
    """Where there are draws, boolean, shape of `dims`.

    Raises
    ------
    ValueError
        If a chain does not begin with its draws.
    """
    if DRAWN not in samples.coords:
        return np.ones(tuple(samples.sizes[dim] for dim in dims), bool)
    there = samples.coords[DRAWN].transpose(*dims).values.astype(bool)
    if (there[..., 1:] & ~there[..., :-1]).any():
        raise ValueError(f"{DRAWN} must be True up to the end of each chain, got draws behind the end of one")
    return there


def is_padded(series: np.ndarray) -> bool:
    """Whether a row of an array of draws ends with padding."""
    return bool(np.isnan(series[..., -1:]).any())


def lengths(series: np.ndarray) -> np.ndarray:
    """Draws of each chain, shape (n_chains,), of an array (n_chains, n_draws).

    Examples
    --------
    >>> lengths(np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0]]))
    array([2, 3])
    """
    if not is_padded(series):
        return np.full(len(series), series.shape[1])
    return series.shape[1] - np.isnan(series).sum(axis=1)


def pooled(series: np.ndarray) -> np.ndarray:
    """All draws, without padding; an array without any as it is."""
    return series[~np.isnan(series)] if is_padded(series) else series


def side_by_side(chains: Sequence[np.ndarray]) -> np.ndarray:
    """Chains as the rows of one array, NaN beyond the end of a shorter one.

    Examples
    --------
    >>> side_by_side([np.ones(1), np.zeros(2)])
    array([[ 1., nan],
           [ 0.,  0.]])
    """
    out = np.full((len(chains), max(map(len, chains))), np.nan)
    for row, chain in zip(out, chains, strict=True):
        row[: len(chain)] = chain
    return out


def mean_draw(columns: np.ndarray) -> np.ndarray:
    """Mean over all draws of arrays of shape (n_columns, n_chains, n_draws)."""
    if not is_padded(columns):
        return columns.mean(axis=(1, 2))
    return np.array([pooled(column).mean() for column in columns])


def flat(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Numbers of the draws that there are, shape (n, ...), in their order."""
    return values.reshape(-1, *values.shape[there.ndim :]) if there.all() else values[there]


def scattered(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Inverse of `flat`: numbers in their places, shape (*there.shape, ...), NaN elsewhere."""
    if there.all():
        return values.reshape(*there.shape, *values.shape[1:])
    out = np.full((*there.shape, *values.shape[1:]), np.nan)
    out[there] = values
    return out


def in_places(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """As `scattered`, of numbers of shape (..., n)."""
    return np.moveaxis(scattered(np.moveaxis(values, -1, 0), there), range(there.ndim), range(-there.ndim, 0))
