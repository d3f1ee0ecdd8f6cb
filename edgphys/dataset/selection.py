# SPDX-License-Identifier: MIT
"""Parts of a dataset by the values of its dims, the dim ``method`` among them.

``table.sel(method="exact")`` selects nothing: xarray takes the word for an argument of its own.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import xarray as xr

from edgphys._checks import instance, one_line
from edgphys.dataset.cell_names import point_words
from edgphys.errors import UnknownNameError

__all__ = ["at"]

_Labelled = TypeVar("_Labelled", xr.Dataset, xr.DataArray)


def at(table: _Labelled, /, **labels: Any) -> _Labelled:
    """The part of a dataset at some values of its dims.

    Parameters
    ----------
    table : Dataset or DataArray
        A scan, a curve, a ladder, anything with labelled dims.
    **labels : str, number, or a sequence of these
        Value of a dim, or values; numbers that agree to 12 digits are the same, as ``numpy.linspace`` and
        ``start:stop:count`` give them.

    Returns
    -------
    Dataset or DataArray
        Without the dims of which one value was asked for; those of several are kept, in the order asked.

    Raises
    ------
    TypeError
        If `table` is neither.
    UnknownNameError
        If it has no such dim or value; the message lists what there is.

    Examples
    --------
    >>> table = xr.DataArray([1.0, 2.0], {"method": ["edg", "exact"]}, name="log_z")
    >>> float(at(table, method="exact"))
    2.0
    >>> at(table, method="wolff")
    Traceback (most recent call last):
    edgphys.errors.UnknownNameError: method must be among 'edg', 'exact', got 'wolff'
    """
    instance(table, "table", (xr.Dataset, xr.DataArray), "an xarray.Dataset or DataArray")
    places: dict[str, int | list[int]] = {}
    for name, wanted in labels.items():
        if name not in table.dims or name not in table.coords:
            there = ", ".join(str(dim) for dim in table.dims if dim in table.coords) or "none"
            raise UnknownNameError(f"labels must be of the dims {there}, got {one_line(name)}", name)
        if isinstance(wanted, str) or np.ndim(wanted) == 0:
            places[name] = _place(table, name, wanted)
        else:
            places[name] = [_place(table, name, one) for one in wanted]
    return table.isel(places)


def _place(table: xr.Dataset | xr.DataArray, name: str, wanted: Any) -> int:
    there = table[name].values.tolist()
    keys = [_key(label) for label in there]
    if _key(wanted) not in keys:
        raise UnknownNameError(f"{name} must be among {_listed(there)}, got {one_line(wanted)}", name)
    return keys.index(_key(wanted))


def _key(label: Any) -> str:
    """The same for numbers that agree to 12 digits; text is none of them."""
    return repr(label) if isinstance(label, str) else point_words({"": label})


def _listed(labels: list[Any]) -> str:
    words = [repr(label) if isinstance(label, str) else f"{label:.12g}" for label in labels]
    return ", ".join(words if len(words) <= 8 else [*words[:4], "...", words[-1]])
