# SPDX-License-Identifier: MIT
"""Golden outputs: the record of a dataset, and the file of the records of all cases.

Run ``python tests/golden/make.py`` from the root of the repository to write golden.json anew; only when a
definition changes on purpose, with a line in CHANGELOG.md. A record of a dataset holds

    sizes      of the dims
    variables  name -> ["dtype dims", mean of the finite values, sha256 of the bytes (its first 10 digits)];
               without mean and hash for what a clock has measured
    attrs      name -> value; None for what a clock or an installation decides, and for sentences; hashes of
               `settings` (without clocks and sentences) and of the names in `definitions`

NaNs count as one whatever their payload.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
import torch
import xarray as xr

__all__ = ["FILE", "fingerprint", "record"]

FILE = Path(__file__).parent / "golden.json"

_CLOCKS = ("wall_time", "training_time", "created", "versions", "provenance")
# Words may be put better.
_SENTENCES = ("definition", "sweep", "warning", "warnings")


def record(data: xr.Dataset) -> dict[str, Any]:
    """What is kept of a dataset, see the docstring of the module."""
    return {
        "sizes": {str(name): size for name, size in sorted(data.sizes.items())},
        "variables": {str(name): _column(data[name]) for name in sorted(data.variables)},
        "attrs": {name: _attribute(name, value) for name, value in sorted(data.attrs.items())},
    }


def _column(variable: xr.DataArray) -> list[Any]:
    values = np.ascontiguousarray(variable.values)
    if values.dtype.kind not in "iufb":
        return [" ".join(["text", *variable.dims]), None, _digest(values.tolist())]
    about = " ".join([str(values.dtype), *variable.dims])
    if variable.name in _CLOCKS:
        return [about]
    values = np.where(np.isnan(values), np.nan, values).astype(values.dtype)
    finite = values[np.isfinite(values)]
    return [about, float(finite.mean(dtype=np.float64)) if finite.size else None, _digest(values)]


def _digest(content: Any) -> str:
    is_array = isinstance(content, np.ndarray)
    data = content.tobytes() if is_array else json.dumps(content, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()[:10]


def _attribute(name: str, value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        value = json.loads(value)
    if name == "definitions":
        return _digest(sorted(value))
    value = _plain(name, value)
    return _digest(value) if name == "settings" else value


def _plain(name: str, value: Any) -> Any:
    """JSON types, without what a clock has measured and without sentences."""
    if name in _CLOCKS + _SENTENCES:
        return None
    if isinstance(value, dict):
        return {key: _plain(key, each) for key, each in value.items()}
    return np.asarray(value).tolist()


def fingerprint() -> dict[str, str]:
    """What decides the last bits: processor, platform, and the packages that compute."""
    features = dict(llvmlite.binding.get_host_cpu_features())
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": f"{llvmlite.binding.get_host_cpu_name()} {_digest(features)}",
        "torch vectors": torch.backends.cpu.get_cpu_capability(),
        **{package.__name__: package.__version__ for package in (torch, np, numba, llvmlite)},
    }


if __name__ == "__main__":
    import time

    from cases import SEED, cases  # beside this file

    torch.set_num_threads(1)
    records, start = {}, time.perf_counter()
    for name, compute in cases().items():
        before = time.perf_counter()
        records[name] = record(compute(SEED))
        print(f"{time.perf_counter() - before:7.2f} s  {name}")
    write = functools.partial(json.dumps, separators=(",", ":"))
    lines = ",\n".join(f"{write(name)}:{write(each)}" for name, each in records.items())
    head = write(fingerprint())
    FILE.write_text(f'{{"fingerprint": {head},\n"records": {{\n{lines}\n}}}}\n')
    print(f"{time.perf_counter() - start:.1f} s, {len(records)} records, {FILE.stat().st_size} bytes: {FILE}")
