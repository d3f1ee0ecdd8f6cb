# SPDX-License-Identifier: MIT
"""Datasets on disk: samples, estimates and scans in netCDF-4 files of schema 1 (`edgphys.dataset.schema`).

A file names its ``schema_version`` and its ``kind``, and carries everything needed to say what was computed:
the system and its parameters, the definition of every number, the method, the seed. Writing is atomic: a file
is there in full, or not at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from edgphys._files import check_target, write_whole
from edgphys.dataset import netcdf
from edgphys.dataset.merging import merge
from edgphys.dataset.schema import KINDS, LISTS, SCHEMA_VERSION, validate
from edgphys.dataset.source import SOURCE
from edgphys.errors import DatasetError

__all__ = ["KINDS", "SCHEMA_VERSION", "merge", "read", "validate", "write", "write_or_keep"]

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def write(ds: xr.Dataset, path: str | Path, overwrite: bool = False) -> Path:
    """Write a dataset to a netCDF-4 file, all of it or nothing.

    Parameters
    ----------
    ds : Dataset
        Of schema 1.
    path : path
        In a folder that exists.
    overwrite : bool
        Whether a file of that name may be replaced.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    DatasetError
        If `ds` is not of schema 1, the folder does not exist, the file does and `overwrite` is False, or the
        disk refuses; the old file is as before.
    """
    validate(ds)
    return write_or_keep(ds, check_target(path, "path", overwrite), overwrite)


def write_or_keep(ds: xr.Dataset, path: Path, overwrite: bool) -> Path:
    """`write` at the end of a long computation: a result that finds its name taken is kept beside it.

    Raises
    ------
    FileTakenError
        If `overwrite` is False and the file exists; the error says where the result is.
    DatasetError
        As `write`.
    """
    validate(ds)
    plain = ds.assign_attrs({name: _writable(name, value) for name, value in ds.attrs.items()})
    encoding = {"configurations": {"zlib": True, "complevel": 1}} if "configurations" in ds else {}
    content = netcdf.image(plain, encoding)
    write_whole(path, lambda temporary: temporary.write_bytes(content), overwrite)
    return path


def read(path: str | Path) -> xr.Dataset:
    """Read a dataset into memory and check it.

    Parameters
    ----------
    path : path
        A file that `write` made.

    Returns
    -------
    Dataset
        With attrs as plain str, int, float and lists.

    Raises
    ------
    DatasetError
        If there is no such file, it is no netCDF-4 file or a damaged one, or not of schema 1.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(f"path must be an existing file, got {path}: there is none")
    if path.is_dir():
        raise DatasetError(f"path must be a file, got the folder {path}")
    try:
        with open(path, "rb") as file:
            signature = file.read(len(_HDF5_SIGNATURE))
        if signature != _HDF5_SIGNATURE:
            raise DatasetError(f"{path} must be a netCDF-4 file, got one that begins with {signature!r}")
        ds = netcdf.load(path)
    except DatasetError:
        raise
    except PermissionError as error:
        raise DatasetError(f"{path} cannot be read: {_first_line(error)}") from error
    except Exception as error:  # on damage OSError, KeyError, ValueError or RuntimeError of h5py and xarray
        raise DatasetError(
            f"{path} must be a complete netCDF-4 file, got a damaged one: {_first_line(error)}"
        ) from error
    ds.attrs = {name: _plain(name, value) for name, value in ds.attrs.items()}
    try:
        validate(ds)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
    ds.encoding[SOURCE] = str(path)
    return ds


def _writable(name: str, value: Any) -> Any:
    """The value in a form that netCDF holds; True and False as 1 and 0."""
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, str | int | float | np.integer | np.floating):
        return value
    array = np.asarray(value)
    if array.ndim == 1 and array.size and array.dtype.kind in "iuf":
        return array
    raise DatasetError(f"attr {name} must be text, a number or a list of numbers, got {value!r}")


def _plain(name: str, value: Any) -> Any:
    if name in LISTS:
        return np.atleast_1d(value).tolist()
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
