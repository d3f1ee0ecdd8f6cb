# SPDX-License-Identifier: MIT
"""Datasets of kind "profile": numbers with error bars over bins, basins, or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr

__all__ = ["profile_dataset"]


def profile_dataset(
    samples: xr.Dataset, axes: Mapping[str, np.ndarray], values: Mapping, errors: Mapping
) -> xr.Dataset:
    """Variables with definitions, their errors, and the centres of the bins as coordinates.

    Parameters
    ----------
    samples : Dataset
        Its attributes are those of the result.
    axes : mapping of name -> array
        Edges of the bins of a dimension.
    values : mapping of name -> (dims, data, definition)
    errors : mapping of name -> (dims, data)
        One standard error of the variable of that name.
    """
    variables = {name: (dims, data, {"definition": text}) for name, (dims, data, text) in values.items()}
    for name, (dims, data) in errors.items():
        variables[f"{name}_err"] = (dims, data, {"definition": f"one standard error of {name}"})
    coords = {}
    for name, edges in axes.items():
        coords[name] = (name, 0.5 * (edges[1:] + edges[:-1]), {"definition": "centre of the bin"})
        coords[f"{name}_low"] = (name, edges[:-1], {"definition": "lower edge of the bin"})
        coords[f"{name}_high"] = (name, edges[1:], {"definition": "upper edge of the bin"})
    definitions = json.dumps({name: data[2]["definition"] for name, data in variables.items()})
    return xr.Dataset(variables, coords, {**samples.attrs, "kind": "profile", "definitions": definitions})
