# SPDX-License-Identifier: MIT
"""Datasets as arguments: known by where they were read, or by the call that gave them, and by their content.

The content is known by a digest of all variables, so that a result is repeated from what it was made from or
not at all.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.json_text import depth
from edgphys.errors import DatasetError
from edgphys.recording.plain_values import made_by, plain
from edgphys.recording.record import ATTR
from edgphys.recording.repeat import beside, repeat

__all__ = ["SOURCE", "digest"]

SOURCE = "source"  # where xarray keeps the path of a dataset, in its encoding

_ABOUT = ("kind", "system", "lattice", "extent", "pbc", "parameters")
_MOST_BYTES = 2**28  # of larger variables so many are looked at, evenly over the draws
_DEEPEST = 24  # levels of JSON; what was made from that is known by its digest alone


def digest(ds: xr.Dataset) -> str:
    """SHA-256 of the variables, with names, dims and types, and of what they are about.

    Examples
    --------
    >>> one, other = xr.Dataset({"energy": 1.0}), xr.Dataset({"energy": 1.0 + 1e-15})
    >>> digest(one) == digest(one.copy(deep=True)), digest(one) == digest(other)
    (True, False)
    """
    about = [np.atleast_1d(ds.attrs.get(name, "")).tolist() for name in _ABOUT]
    total = hashlib.sha256(json.dumps(about).encode())
    for name in sorted(map(str, ds.variables)):
        _add(total, name, ds.variables[name])
    return total.hexdigest()


def _add(total: Any, name: str, variable: xr.Variable) -> None:
    if variable.dtype.kind in "OUS":
        total.update(json.dumps([name, variable.dims, variable.values.tolist()]).encode())
        return
    total.update(json.dumps([name, variable.dims, variable.dtype.str, variable.shape]).encode())
    step = -(-variable.nbytes // _MOST_BYTES)
    if step > 1:
        along = next(dim for dim in ("draw", *variable.dims) if dim in variable.dims)
        variable = variable.isel({along: slice(None, None, step)})
    total.update(np.ascontiguousarray(variable.values).tobytes())


@plain.register(xr.Dataset)
def _(value: xr.Dataset) -> dict[str, Any]:
    about: dict[str, Any] = {"digest": digest(value)}
    if SOURCE in value.encoding:
        return {"$dataset": about | {"path": str(value.encoding[SOURCE])}}
    with suppress(KeyError, ValueError, TypeError):  # of another program, or of before there were records
        call = json.loads(value.attrs[ATTR])["call"]
        if depth(call) < _DEEPEST:
            about["call"] = call
    return {"$dataset": about}


@made_by("dataset")
def _(content: dict[str, Any]) -> xr.Dataset:
    """Read or computed again, and the same as it was.

    Raises
    ------
    DatasetError
        If it is in no file, the file is missing, or it holds something else by now.
    """
    from edgphys.dataset.files import read

    if "path" in content:
        path = beside(Path(content["path"]))
        if not path.exists():
            raise DatasetError(f"its source {content['path']} is missing")
        found, words = read(path), f"its source {content['path']} has changed since, or was used in part"
    elif "call" in content:
        found, words = repeat(content["call"]), "its source was changed in Python before it was used"
    else:
        raise DatasetError("its source was made in Python by no call that is known, and is in no file")
    if digest(found) != content["digest"]:
        raise DatasetError(words)
    return found
