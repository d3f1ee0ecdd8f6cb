# SPDX-License-Identifier: MIT
"""netCDF-4 files, read through plain h5py: a file is HDF5 whose dims are scales that the variables refer to.

Xarray reads them through h5netcdf, which looks at every object of a file a dozen times: 0.15 s of CPU time
for a scan of twenty small variables, five times what it takes here. What the values and attributes mean (fill
values, coordinates, byte order) xarray decides in both cases.

References
----------
NetCDF Users Guide (Unidata), appendix "File format specifications", section "The netCDF-4 format".
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import mmap
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from edgphys._files import stamp
from edgphys.errors import DatasetError

__all__ = ["LARGE", "image", "load", "write_aside"]

# Bytes of a variable from which on it is written in pieces, and read when it is looked at.
LARGE = 1 << 26
_CHUNK = 1 << 20

# Attributes by which netCDF-4 builds dims in HDF5, beside NAME and DIMENSION_LIST.
_HIDDEN = {"CLASS", "REFERENCE_LIST", "_NCProperties", "_Netcdf4Coordinates", "_Netcdf4Dimid", "_nc3_strict"}
# The name of the scale of a dim that has no coordinate.
_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"


def load(path: Path) -> xr.Dataset:
    """Read the root group of a netCDF-4 file into memory.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset
        As ``xarray.load_dataset(path, engine="h5netcdf", decode_times=False)``, but for the encodings;
        attributes that are lists of text are arrays. Variables of more than `LARGE` bytes stay in the file
        until they are looked at.

    Raises
    ------
    OSError, KeyError, ValueError or RuntimeError
        Of h5py, if the file is damaged.
    """
    with h5py.File(path, "r") as file:
        found = {
            name: _variable(item, file, path) for name, item in file.items() if isinstance(item, h5py.Dataset)
        }
        attrs = _plain(_attrs(file))
    there = [(name, one) for name, one in found.items() if one is not None]
    there.sort(key=lambda pair: pair[1].dims == (pair[0],))  # indexes last, as xarray has them
    raw = xr.Dataset(dict(there), attrs=attrs)
    # Times stay numbers: a variable with a unit of time would turn into dates.
    return xr.decode_cf(raw, decode_times=False)


def image(ds: xr.Dataset, encoding: dict[str, dict[str, Any]]) -> memoryview:
    """The bytes of a netCDF-4 file, to be written by Python: HDF5 itself crashes after a disk was full.

    Parameters
    ----------
    ds : Dataset
    encoding : dict
        By variable, as ``xarray.Dataset.to_netcdf`` takes it.
    """
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    buffer = io.BytesIO()
    with h5netcdf.File(buffer, "w") as file:
        ds.dump_to_store(H5NetCDFStore(file), encoding=encoding)
    return buffer.getbuffer()


def write_aside(path: Path, content: memoryview, name: str, variable: xr.Variable) -> None:
    """Write a file from the `image` of all variables but one, and add that one piece by piece.

    Parameters
    ----------
    path : Path
    content : memoryview
    name : str
    variable : Variable
        Numbers; in memory, mapped, or in another file.
    """
    import h5netcdf

    path.write_bytes(content)
    lead = [dim for dim in ("chain", "draw") if dim in variable.dims]
    record = variable.dtype.itemsize * math.prod(variable.shape[len(lead) :])
    n_draws = min(variable.sizes["draw"], max(1, _CHUNK // record))
    chunks = tuple({"chain": 1, "draw": n_draws}.get(str(dim), size) for dim, size in variable.sizes.items())
    level = 4 if variable.dtype.kind == "i" else 1  # a spin takes about a bit then, and floats gain nothing
    with h5netcdf.File(path, "a") as file:
        for dim, size in variable.sizes.items():
            if dim not in file.dimensions:
                file.dimensions[dim] = size
        into = file.create_variable(
            name, variable.dims, variable.dtype, chunks=chunks, compression="gzip", compression_opts=level
        )
        starts = [range(0, size, step) for size, step in zip(variable.shape, chunks, strict=True)]
        for begins in itertools.product(*starts):
            piece = tuple(slice(begin, begin + step) for begin, step in zip(begins, chunks, strict=True))
            into[piece] = variable[piece].values
            _forget(variable)


def _forget(variable: xr.Variable) -> None:
    """Let go of what was read of a file that is mapped: it would count as memory of this process."""
    base = variable._data
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap):
        with contextlib.suppress(AttributeError):  # Windows knows no advice
            base.madvise(mmap.MADV_DONTNEED)


class _InFile(BackendArray):
    """A variable that is read from its file where it is looked at, as long as the file is the same."""

    def __init__(self, item: h5py.Dataset, path: Path) -> None:
        self.shape, self.dtype = item.shape, item.dtype
        self._path, self._name, self._stamp = path.absolute(), item.name, stamp(path)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        support = indexing.IndexingSupport.OUTER_1VECTOR
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        if stamp(self._path) != self._stamp:
            raise DatasetError(f"{self._path} is another file than the one that was opened; read it again")
        with h5py.File(self._path, "r") as file:
            return file[self._name][key]


def _variable(item: h5py.Dataset, file: h5py.File, path: Path) -> xr.Variable | None:
    """The variable with its dims, those of the scales along its axes; None for a dim without coordinate."""
    attrs = _attrs(item)
    if attrs.pop("NAME", b"").startswith(_NO_VARIABLE):
        return None
    scales = attrs.pop("DIMENSION_LIST", None)
    if scales is None:  # a scale itself, or a number
        dims = [_name(item.name)] if item.ndim else []
    else:
        dims = [_name(h5py.h5r.get_name(along[0], file.id).decode()) for along in scales]
    large = item.dtype.kind in "iuf" and item.nbytes > LARGE
    values = indexing.LazilyIndexedArray(_InFile(item, path)) if large else _values(item)
    return xr.Variable(dims, values, _plain(attrs))


def _name(path: str) -> str:
    return path.removeprefix("/")


def _values(item: h5py.Dataset) -> np.ndarray:
    text = h5py.check_string_dtype(item.dtype) is not None
    return np.asarray(item.asstr()[()], dtype=str) if text else np.asarray(item[()])


def _attrs(item: h5py.HLObject) -> dict[str, Any]:
    return {name: item.attrs[name] for name in item.attrs if name not in _HIDDEN}


def _plain(attrs: dict[str, Any]) -> dict[str, Any]:
    """Numbers, where netCDF-4 writes lists of one."""
    return {name: value[0] if np.shape(value) == (1,) else value for name, value in attrs.items()}
