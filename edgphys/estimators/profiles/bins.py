# SPDX-License-Identifier: MIT
"""Bins along one axis: their edges, and what falls into them."""

from __future__ import annotations

import numbers
from collections.abc import Sequence

import numpy as np

from edgphys._checks import numbers_of, wrong
from edgphys.errors import ArgumentValueError

__all__ = ["bin_edges", "bin_of", "counts_in", "one_hot"]


def bin_edges(bins: int | Sequence[float], low: float, high: float) -> np.ndarray:
    """Equal bins from low to high, or the edges that are given."""
    allowed = "an integer >= 1 or finite increasing edges"
    if isinstance(bins, numbers.Integral) and not isinstance(bins, bool):
        if bins < 1:
            raise wrong(ArgumentValueError, "bins", allowed, bins)
        return np.linspace(low, high if high > low else low + 1.0, int(bins) + 1)
    edges = numbers_of(bins, "bins", allowed)
    fits = edges.ndim == 1 and len(edges) >= 2 and np.isfinite(edges).all()
    if not fits or not (np.diff(edges) > 0).all():
        raise wrong(ArgumentValueError, "bins", allowed, bins)
    return edges


def bin_of(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each value, -1 outside of all and of NaN; the last bin has both its edges."""
    where = np.searchsorted(edges, values, side="right") - 1
    where[values == edges[-1]] = len(edges) - 2
    where[~(values <= edges[-1])] = -1
    return where


def counts_in(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many values of each row, shape (n_rows, n), are in each bin."""
    n_bins, where = len(edges) - 1, bin_of(values, edges)
    inside = where >= 0
    flat = (np.arange(len(values))[:, None] * n_bins + where)[inside]
    return np.bincount(flat, minlength=len(values) * n_bins).reshape(len(values), n_bins).astype(np.float64)


def one_hot(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """1 in the bin of each draw, shape (n_bins, *draw dims)."""
    return counts_in(values.reshape(-1, 1), edges).T.reshape(-1, *values.shape)
