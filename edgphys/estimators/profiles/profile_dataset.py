# SPDX-License-Identifier: MIT
"""Datasets of kind "profile": numbers over bins, basins, or nothing, and what is known of their draws."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr

from edgphys.estimators.diagnosis import Diagnosis

__all__ = ["profile_dataset"]


def profile_dataset(
    samples: xr.Dataset,
    diagnosis: Diagnosis,
    axes: Mapping[str, np.ndarray],
    values: Mapping,
    errors: Mapping,
    reason: str = "",
) -> xr.Dataset:
    """Variables with definitions, their errors, and the centres of the bins as coordinates.

    Parameters
    ----------
    samples : Dataset
        Its attributes are those of the result.
    diagnosis : Diagnosis
        Of the draws: its values and notes are carried along.
    axes : mapping of name -> array
        Edges of the bins of a dimension.
    values : mapping of name -> (dims, data, definition)
    errors : mapping of name -> (dims, data)
        One standard error of the variable of that name.
    reason : str
        Why the result is not to be trusted, beyond what makes its draws so.
    """
    variables = {name: (dims, data, {"definition": text}) for name, (dims, data, text) in values.items()}
    for name, (dims, data) in errors.items():
        variables[f"{name}_err"] = (dims, data, {"definition": f"one standard error of {name}"})
    variables |= {name: data for name, data in diagnosis.variables().items() if name not in variables}
    coords = {}
    for name, edges in axes.items():
        coords[name] = (name, 0.5 * (edges[1:] + edges[:-1]), {"definition": "centre of the bin"})
        coords[f"{name}_low"] = (name, edges[:-1], {"definition": "lower edge of the bin"})
        coords[f"{name}_high"] = (name, edges[1:], {"definition": "upper edge of the bin"})
    definitions = json.dumps({name: data[2]["definition"] for name, data in variables.items()})
    attrs = diagnosis.attrs(samples, reason) | {"kind": "profile", "definitions": definitions}
    return xr.Dataset(variables, coords, attrs)
