# SPDX-License-Identifier: MIT
"""What the attributes of a dataset may hold: text, numbers, lists of integers, JSON text of a form.

A file may come from anywhere, so all that is read later is checked here: a value that passes can be printed,
compared, and built from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgphys._checks import one_line
from edgphys.dataset.json_text import Form, parsed
from edgphys.errors import DatasetError

__all__ = ["JSON_ATTRS", "LISTS", "STATE", "check_values", "is_number"]

LISTS = ("extent", "pbc", "lattice_momenta")  # netCDF gives a list of one number back as a number
STATE = ("n_sites", "n_variables", "temperature", "beta", "z2_symmetric", "linear_size")
_SIZES = ("n_sites", "n_variables")
_POSITIVE = ("temperature", "beta", "linear_size")
_TEXT = ("system", "lattice", "method", "warning", "blank", "algorithm", "exact_note", "order_axis")
_NOTES: Form = {str: (str, [str])}  # several where datasets were merged
_SIZE: Form = {"extent": [float], "n_sites": float}
_RUN: Form = {"settings": {}, "cells": [str]}
_LOOK: Form = {"label": str, "colour": str, "marker": str, "is_exact": bool, "reference_rank": float}
JSON_ATTRS: dict[str, Form] = {
    "parameters": {},
    "definitions": {str: str},
    "couplings": [str],
    "settings": {},
    "versions": {},
    "provenance": {},
    "algorithms": _NOTES,
    "warnings": _NOTES,
    "draws": _NOTES,
    "methods": {str: _LOOK},
    "extents": {str: _SIZE},
    "runs": [_RUN],
    "ladder": {str: [float]},
    "rungs": [{}],
    "observables": [str],
    "basins": [str],
    "domain": [{"kind": str, "low": float, "high": float}],
    "units": {str: str},
    "constants": [str],
    "exact": [({str: float}, str)],
}


def check_values(attrs: Mapping[str, Any]) -> None:
    """Refuse the first attribute of the schema whose value is none that it may have.

    Raises
    ------
    DatasetError
    """
    for name, value in attrs.items():
        if name in _TEXT and not isinstance(value, str):
            raise _wrong(name, "text", value)
        if name in STATE:
            _check_number(name, value)
        if name in LISTS:
            _check_list(name, value)
        if name in JSON_ATTRS:
            _check_json(name, value)
    if "z2_symmetric" in attrs and attrs["z2_symmetric"] not in (0, 1):
        raise _wrong("z2_symmetric", "0 or 1", attrs["z2_symmetric"])
    _check_sites(attrs)


def _check_json(name: str, value: Any) -> None:
    try:
        read = parsed(value, JSON_ATTRS[name], f"attr {name}")
    except ValueError as error:
        raise DatasetError(str(error)) from None
    if name == "exact" and [type(one) for one in read] != [dict, str]:
        raise _wrong(name, "JSON text of an object and a text", value)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and bool(np.isfinite(value))


def _wrong(name: str, allowed: str, value: Any) -> DatasetError:
    return DatasetError(f"attr {name} must be {allowed}, got {one_line(value)}")


def _check_number(name: str, value: Any) -> None:
    if not is_number(value):
        raise _wrong(name, "a finite number", value)
    if name in _SIZES and (value < 1 or value != int(value)):
        raise _wrong(name, "an integer >= 1", value)
    if name in _POSITIVE and value <= 0:
        raise _wrong(name, "positive", value)


def _check_list(name: str, value: Any) -> None:
    listed = np.atleast_1d(value).tolist()
    if name == "lattice_momenta":
        if not all(map(is_number, listed)):
            raise _wrong(name, "a list of finite numbers", value)
        return
    if not listed or not all(isinstance(one, int | np.integer) for one in listed):
        raise _wrong(name, "a list of integers", value)
    if name == "extent" and min(listed) < 1:
        raise _wrong(name, "a list of integers >= 1", value)
    if name == "pbc" and not set(listed) <= {0, 1}:
        raise _wrong(name, "a list of 0 and 1", value)


def _check_sites(attrs: Mapping[str, Any]) -> None:
    """Whether sizes of a lattice go together: as many boundaries as extents, whole cells of sites."""
    if "extent" not in attrs:
        return
    extent = np.atleast_1d(attrs["extent"]).tolist()
    if "pbc" in attrs and len(np.atleast_1d(attrs["pbc"])) != len(extent):
        raise _wrong("pbc", f"a list of {len(extent)}, as extent is", attrs["pbc"])
    if "n_sites" in attrs and int(attrs["n_sites"]) % math.prod(map(int, extent)):
        raise _wrong("n_sites", f"a multiple of the cells of extent {extent}", attrs["n_sites"])
