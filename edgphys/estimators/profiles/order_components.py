# SPDX-License-Identifier: MIT
"""Fields of an order parameter from configurations: what correlations are products of.

Spins and fields are their own. Numbers of states stand for vectors e(s), which datasets hold as the attribute
``order_vectors`` (JSON): a list of q vectors, or ``{"simplex": q}``, e(s) . e(s') = (q delta - 1) / (q - 1).
Of rotors the attribute ``order_field`` says what they are: "angles", for (cos, sin), or "vectors", with the
components along the last axis. The attribute ``order_axis`` names a dimension, such as imaginary time, over
which products are averaged: its n entries over sqrt(n) are the components.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["n_order_axes", "n_order_states", "order_components", "sites_first"]

_FIELDS = {
    "angles": lambda angles: (np.cos(angles), np.sin(angles)),
    "vectors": lambda vectors: tuple(np.moveaxis(vectors, -1, 0)),
}


def order_components(configurations: np.ndarray, attrs: Mapping[str, Any]) -> Iterator[np.ndarray]:
    """Each component of the order parameter at the sites, of the shape of `configurations` without theirs.

    Examples
    --------
    >>> attrs = {"order_vectors": "[[1.0, 0.0], [0.0, 1.0]]"}
    >>> [field.tolist() for field in order_components(np.array([0, 1, 1]), attrs)]
    [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]
    """
    if "order_axis" in attrs:
        yield from np.moveaxis(configurations, -1, 0) / np.sqrt(configurations.shape[-1])
        return
    if "order_field" in attrs:
        yield from _FIELDS[attrs["order_field"]](configurations)
        return
    if "order_vectors" not in attrs:
        yield configurations
        return
    numbers, given = configurations.astype(np.int64), json.loads(attrs["order_vectors"])
    if isinstance(given, dict):
        q = given["simplex"]
        # In q dimensions, where the corners of the simplex are alike.
        given = np.sqrt(q / (q - 1.0)) * (np.eye(q) - 1.0 / q)
    for component in np.array(given).T:
        yield component[numbers]


def n_order_axes(attrs: Mapping[str, Any]) -> int:
    """Axes of configurations behind those of the sites: 1 for vectors or of a dimension, else 0."""
    return int(attrs.get("order_field") == "vectors" or "order_axis" in attrs)


def sites_first(
    configurations: xr.DataArray, dims: tuple[str, ...], attrs: Mapping[str, Any]
) -> xr.DataArray:
    """With the dims of draws in front, those of sites behind them, and what is averaged over at the end."""
    last = [str(attrs["order_axis"])] if "order_axis" in attrs else []
    if not set(last) <= set(configurations.dims):
        raise ValueError(f"configurations must have the dim {', '.join(last)}, got {configurations.dims}")
    return configurations.transpose(*dims, ..., *last)


def n_order_states(attrs: Mapping[str, Any]) -> int:
    """q, the number of states; 0 where configurations are no numbers of states.

    Examples
    --------
    >>> n_order_states({"order_vectors": '{"simplex": 3}'}), n_order_states({})
    (3, 0)
    """
    given = json.loads(attrs.get("order_vectors", "[]"))
    return given["simplex"] if isinstance(given, dict) else len(given)
