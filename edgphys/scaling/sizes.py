# SPDX-License-Identifier: MIT
"""One quantity over a coupling at several linear sizes, read from scans and curves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgphys.dataset.extents import attrs_at
from edgphys.errors import ArgumentValueError, DatasetError

__all__ = ["Size", "read_sizes"]

_KINDS = ("scan", "curve")


@dataclass(frozen=True)
class Size:
    """A quantity at one linear size.

    Attributes
    ----------
    length : float
        Linear size in lattice spacings.
    couplings, values : array, shape (n,)
        Increasing, and the quantity there.
    covariance : array, shape (n, n)
        Of the errors of the values.
    """

    length: float
    couplings: NDArray
    values: NDArray
    covariance: NDArray

    def resampled(self, rng: np.random.Generator) -> Size:
        """Other values that the errors allow."""
        return replace(self, values=rng.multivariate_normal(self.values, self.covariance, method="eigh"))


def read_sizes(tables: xr.Dataset | Iterable[xr.Dataset], quantity: str, method: str | None) -> list[Size]:
    """The quantity at all sizes, smallest first.

    Parameters
    ----------
    tables : Dataset or iterable of Dataset
        One scan with the dim ``extent``, or scans and curves over one coupling, each of one size.
    quantity : str
    method : str or None
        Of scans; None where they have one only that estimates.

    Raises
    ------
    DatasetError
        If a dataset is of another kind, scans several couplings or lacks the quantity.
    ArgumentValueError
        If `method` is missing or unknown, or there are fewer than two sizes.
    """
    given = [tables] if isinstance(tables, xr.Dataset) else list(tables)
    found = [size for table in given for size in _sizes_of(table, quantity, method)]
    found.sort(key=lambda size: size.length)
    lengths = [size.length for size in found]
    if len(set(lengths)) < max(2, len(lengths)):
        raise ArgumentValueError(f"tables must have two or more different sizes, got {lengths}", "tables")
    return found


def _sizes_of(table: xr.Dataset, quantity: str, method: str | None) -> list[Size]:
    kind = table.attrs.get("kind")
    if kind not in _KINDS:
        raise DatasetError(f"tables must be of kind {' or '.join(_KINDS)}, got {kind!r}")
    if quantity not in table or f"{quantity}_err" not in table:
        known = sorted(str(name) for name in table if f"{name}_err" in table)
        raise DatasetError(f"quantity must be one of {', '.join(known)}, got {quantity!r}")
    couplings = [name for name in json.loads(table.attrs["couplings"]) if name != "extent"]
    if len(couplings) != 1:
        raise DatasetError(f"tables must be over one coupling, got {couplings}")
    if "method" in table.dims:
        table = table.sel({"method": _method(table, method)})
    if "extent" not in table.dims:
        return [_size(table, quantity, couplings[0], float(table.attrs["linear_size"]))]
    labels = table["extent"].values.tolist()
    lengths = [_linear_size(table.attrs, label) for label in labels]
    return [
        _size(table.sel(extent=label), quantity, couplings[0], length)
        for label, length in zip(labels, lengths, strict=True)
    ]


def _linear_size(attrs: dict[str, Any], label: Any) -> float:
    """Of one size of a scan over sizes; the label itself where the table was put together by hand."""
    return float(attrs_at(attrs, label)["linear_size"] if "extents" in attrs else label)


def _method(table: xr.Dataset, method: str | None) -> str:
    known = [str(name) for name in table["method"].values]
    if method is None and len(known) == 1:
        return known[0]
    if method not in known:
        raise ArgumentValueError(f"method must be one of {', '.join(known)}, got {method!r}", "method")
    return method


def _size(table: xr.Dataset, quantity: str, coupling: str, length: float) -> Size:
    errors = table[f"{quantity}_err"].values
    covariance: Any = np.diag(errors**2)
    if f"{quantity}_covariance" in table:
        covariance = table[f"{quantity}_covariance"].values
    kept = np.flatnonzero(np.isfinite(table[quantity].values) & np.isfinite(errors))
    order = kept[np.argsort(table[coupling].values[kept])]
    if len(order) < 4:
        raise DatasetError(f"tables must have four values of {quantity} with errors, got {len(order)}")
    return Size(
        length,
        table[coupling].values[order],
        table[quantity].values[order],
        covariance[np.ix_(order, order)],
    )
