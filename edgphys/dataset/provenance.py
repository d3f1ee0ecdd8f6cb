# SPDX-License-Identifier: MIT
"""What a dataset says of how it came about, as one dictionary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from edgphys._checks import instance
from edgphys.errors import DatasetError
from edgphys.recording.record import ATTR, merged

__all__ = ["dataset_of", "provenance"]

_SEEDS = ("seed", "estimate_seed")


def provenance(dataset: xr.Dataset | str | Path) -> dict[str, Any]:
    """How a dataset came about.

    Parameters
    ----------
    dataset : Dataset or path
        Of any kind; a path of a file that `edgphys.dataset.write` or a command has written.

    Returns
    -------
    dict
        ``command``, as typed, None where it was none; ``call``, the public function with all arguments in
        JSON types, None in files from before there were records; ``settings``, as the computation has
        resolved them; ``seeds`` by name; ``versions``; ``hardware``; ``started``, ISO 8601, UTC. What is not
        known is None or empty. Datasets and generators among the arguments tell of themselves likewise.

    Raises
    ------
    TypeError
        If it is neither.
    DatasetError
        If the file cannot be read, or its record is none.

    Examples
    --------
    >>> import edgphys as ep
    >>> told = provenance(ep.wasserstein([0.0, 1.0], [1.0, 2.0], 3))
    >>> told["call"]["function"]
    'edgphys.wasserstein'
    """
    ds = dataset_of(dataset)
    record = _json(ds.attrs, ATTR)
    call = record.get("call")
    if call is not None and not (isinstance(call, dict) and {"function", "arguments"} <= call.keys()):
        raise DatasetError(f"attr {ATTR} must hold a call with its function and arguments, got {call!r}")
    own = {name: np.asarray(ds.attrs[name]).tolist() for name in _SEEDS if name in ds.attrs}
    inner = {} if call is None else dict(_seeds(call["arguments"]))
    return {
        "command": record.get("command"),
        "call": call,
        "settings": merged(record.get("settings", {}), _json(ds.attrs, "settings")),
        "seeds": own | inner,
        "versions": record.get("versions") or _json(ds.attrs, "versions"),
        "hardware": record.get("hardware", {}),
        "started": record.get("started") or ds.attrs.get("created"),
    }


def dataset_of(given: Any) -> xr.Dataset:
    """The dataset, or that of the file.

    Raises
    ------
    TypeError
        If it is neither a dataset nor a path.
    """
    allowed = "an xarray.Dataset or the path of a file"
    if isinstance(instance(given, "dataset", (xr.Dataset, str, Path), allowed), xr.Dataset):
        return given
    from edgphys.dataset.files import read

    return read(given)


def _json(attrs: dict[Any, Any], name: str) -> dict[str, Any]:
    try:
        return dict(json.loads(attrs.get(name, "{}")))
    except (TypeError, ValueError) as error:
        raise DatasetError(f"attr {name} must be JSON text of an object, got {attrs[name]!r}") from error


def _seeds(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Seeds among arguments, and of what the arguments were made with, by dotted names without tags."""
    if not isinstance(value, dict):
        return
    for name, one in value.items():
        inner = path if name.startswith("$") or name in ("call", "arguments") else f"{path}{name}."
        if name in _SEEDS and not isinstance(one, dict):
            yield f"{path}{name}", one
        yield from _seeds(one, inner)
