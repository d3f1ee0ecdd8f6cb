# SPDX-License-Identifier: MIT
"""Where the curves of neighbouring sizes cross: an estimate of the critical coupling from each pair.

A quantity of no dimension, such as the Binder cumulant or xi/L, is the same for all large sizes at the
critical coupling; K. Binder, Z. Phys. B 43, 119 (1981). Crossings of small sizes are displaced by
corrections to scaling: look at how they move with the size.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import brentq

from edgphys import _checks
from edgphys.dataset.schema import SCHEMA_VERSION
from edgphys.recording.record import recorded
from edgphys.scaling import gaussian_process as gp
from edgphys.scaling.sizes import Size, read_sizes

__all__ = ["crossings"]

_N_GRID = 200
_WORDS = {
    "length": "linear size of the smaller lattice, in lattice spacings",
    "length_other": "linear size of the larger lattice, in lattice spacings",
    "crossing": "coupling at which both have the same value of the quantity",
    "crossing_err": "one standard error of crossing, from resampled values",
    "value": "the quantity at the crossing",
    "value_err": "one standard error of value, from resampled values",
}


@recorded("scaling.crossings")
def crossings(
    tables: xr.Dataset | Iterable[xr.Dataset],
    quantity: str = "binder_cumulant",
    *,
    method: str | None = None,
    per_length: bool = False,
    n_resamples: int = 200,
    seed: int = 0,
) -> xr.Dataset:
    """Crossing of each size with the next larger one.

    Parameters
    ----------
    tables : Dataset or iterable of Dataset
        One scan with the dim ``extent``, or scans and curves over one coupling, each of one linear size.
    quantity : str
        Of no dimension: ``"binder_cumulant"``, or ``"correlation_length"`` with `per_length`.
    method : str, optional
        Of scans with several methods.
    per_length : bool
        Divide the quantity by the linear size, as in xi/L.
    n_resamples : int
        Copies of the values within their errors, from which the errors of the crossings come.
    seed : int
        Of the copies.

    Returns
    -------
    Dataset
        Dim ``pair``: ``crossing`` and ``value`` with errors, and both sizes; NaN where two curves do not
        cross in the common range, or fail to in more than a tenth of the copies.

    Raises
    ------
    DatasetError, ArgumentValueError
        If the tables are of another kind, over several couplings, or of fewer than two sizes.
    """
    n_resamples, seed = _checks.count(n_resamples, "n_resamples", 2), _checks.seed(seed)
    sizes = read_sizes(tables, quantity, method)
    if per_length:
        sizes = [_divided(size) for size in sizes]
    rng = np.random.default_rng(seed)
    rows = [_crossing(a, b, n_resamples, rng) for a, b in pairwise(sizes)]
    lengths = np.array([size.length for size in sizes])
    columns = dict(zip(_WORDS, [lengths[:-1], lengths[1:], *np.array(rows).T], strict=True))
    return xr.Dataset(
        {name: ("pair", columns[name], {"definition": text}) for name, text in _WORDS.items()},
        attrs={
            "schema_version": SCHEMA_VERSION,
            "kind": "crossings",
            "quantity": f"{quantity} / linear size" if per_length else quantity,
            "method": method or "",
            "seed": seed,
            "definitions": json.dumps(_WORDS),
        },
    )


def _divided(size: Size) -> Size:
    length = size.length
    return Size(length, size.couplings, size.values / length, size.covariance / length**2)


class _Curve:
    """A size as a smooth function of the coupling; the kernel is fitted once and serves all copies."""

    def __init__(self, size: Size) -> None:
        x, y = size.couplings, size.values
        self._center, self._width = x.mean(), 0.5 * np.ptp(x)
        self._x = (x - self._center) / self._width
        self._middle, self._scale = y.mean(), y.std() or 1.0
        self._noise = size.covariance / self._scale**2
        self._kernel = gp.fitted(self._x, self._scaled(y), self._noise)

    def _scaled(self, values: NDArray) -> NDArray:
        return (values - self._middle) / self._scale

    def at(self, values: NDArray, couplings: NDArray) -> NDArray:
        """The function that belongs to `values`, at some couplings."""
        at = (couplings - self._center) / self._width
        smoothed = gp.smooth(self._x, self._scaled(values), self._noise, self._kernel, at)
        return self._middle + self._scale * smoothed


def _crossing(a: Size, b: Size, n_resamples: int, rng: np.random.Generator) -> list[float]:
    """Crossing and value there, each with its error."""
    low, high = max(a.couplings[0], b.couplings[0]), min(a.couplings[-1], b.couplings[-1])
    curves = _Curve(a), _Curve(b)
    found = _where(curves, (a.values, b.values), low, high)
    copies = [
        _where(curves, (a.resampled(rng).values, b.resampled(rng).values), low, high)
        for _ in range(n_resamples)
    ]
    kept = np.array([copy for copy in copies if np.isfinite(copy[0])]).reshape(-1, 2)
    if len(kept) < 0.9 * n_resamples:
        return [np.nan] * 4
    errors = kept.std(axis=0, ddof=1)
    return [found[0], errors[0], found[1], errors[1]]


def _where(
    curves: tuple[_Curve, _Curve], values: tuple[NDArray, NDArray], low: float, high: float
) -> tuple[float, float]:
    """The crossing at the steepest angle, and the value there; NaN if there is none."""
    if not low < high:
        return np.nan, np.nan

    def difference(couplings: NDArray) -> NDArray:
        return curves[1].at(values[1], couplings) - curves[0].at(values[0], couplings)

    grid = np.linspace(low, high, _N_GRID)
    on_grid = difference(grid)
    steps = np.flatnonzero(np.sign(on_grid[1:]) != np.sign(on_grid[:-1]))
    if not len(steps):
        return np.nan, np.nan
    k = steps[np.argmax(np.abs(np.diff(on_grid))[steps])]
    place = brentq(lambda c: float(difference(np.array([c]))[0]), grid[k], grid[k + 1])
    return float(place), float(curves[0].at(values[0], np.array([place]))[0])
