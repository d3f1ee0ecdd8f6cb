# SPDX-License-Identifier: MIT
"""What datasets that are to be merged must agree in, and what adds up over them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.schema import JSON_ATTRS
from edgphys.errors import DatasetError
from edgphys.observables import COSTS

__all__ = ["common", "same", "summed"]


def summed(datasets: Sequence[xr.Dataset]) -> dict[str, Any]:
    """Costs over all datasets that state them."""
    return {
        name: sum(ds.attrs[name] for ds in datasets if name in ds.attrs)
        for name in COSTS
        if any(name in ds.attrs for ds in datasets)
    }


def common(datasets: Sequence[xr.Dataset], name: str) -> Any:
    """The attribute that all must agree on."""
    first = datasets[0].attrs.get(name)
    for ds in datasets[1:]:
        if not same(name, ds.attrs.get(name), first):
            raise DatasetError(
                f"attr {name} must agree in datasets to be merged, got {first} and {ds.attrs.get(name)}"
            )
    return first


def same(name: str, one: Any, other: Any) -> bool:
    """Whether two values of an attribute say the same, JSON text in whatever order."""
    if name in JSON_ATTRS and isinstance(one, str) and isinstance(other, str):
        return json.loads(one) == json.loads(other)
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(one, other))
