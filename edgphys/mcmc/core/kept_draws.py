# SPDX-License-Identifier: MIT
"""Configurations that are kept while they are drawn: in memory, or, if they are many, in a file.

The file holds one record for each draw of each chain, all chains of a draw together, so that more draws are
appended. What is in it counts as far as the checkpoint of the run says.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgphys import _sizes
from edgphys.errors import DatasetError

__all__ = ["InMemory", "OnDisk", "in_memory_or_on_disk"]

IN_MEMORY = 1 << 26  # bytes up to which a checkpoint carries the configurations itself


class InMemory:
    """An array.

    `members` are the chains of a state, `part` is a range of draws; arrays are (chain, draw, variable).
    """

    def __init__(self, shape: tuple[int, int, int], dtype: type) -> None:
        self._array = np.empty(shape, dtype)

    def room(self, members: slice, part: slice) -> NDArray:
        """An array for the next draws, to be handed to `put`."""
        return self._array[members, part]

    def put(self, members: slice, part: slice, drawn: NDArray) -> None:
        """Keep them."""
        if not np.shares_memory(self._array, drawn):
            self._array[members, part] = drawn

    def saved(self, members: slice, n_draws: int) -> NDArray | None:
        """What a checkpoint has to carry; None where all is on disk."""
        return self._array[members, :n_draws]

    def array(self) -> NDArray:
        """All of them."""
        return self._array


class OnDisk:
    """A file; nothing of it stays in memory.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    shape : tuple of int
        Chains, draws, variables.
    dtype : type
    """

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: type) -> None:
        self._path, self._shape, self._dtype, self._file = path, shape, np.dtype(dtype), -1
        self._record = shape[2] * self._dtype.itemsize
        needed = shape[0] * shape[1] * self._record - (path.stat().st_size if path.exists() else 0)
        _sizes.check_disk(needed, path.parent, "n_sweeps", f"{shape[0]} chains of {shape[1]} configurations")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)

    def room(self, members: slice, part: slice) -> NDArray:
        return np.empty((members.stop - members.start, part.stop - part.start, self._shape[2]), self._dtype)

    def put(self, members: slice, part: slice, drawn: NDArray) -> None:
        try:
            for draw, states in zip(range(part.start, part.stop), drawn.swapaxes(0, 1), strict=True):
                place = (draw * self._shape[0] + members.start) * self._record
                _write_all(self._file, np.ascontiguousarray(states), place)
        except OSError as error:
            raise DatasetError(f"{self._path} cannot be written: {error.strerror}", "checkpoint") from error

    def saved(self, members: slice, n_draws: int) -> NDArray | None:
        """Nothing, once the disk has it."""
        last = ((n_draws - 1) * self._shape[0] + members.stop) * self._record if n_draws else 0
        if os.fstat(self._file).st_size < last:
            raise DatasetError(
                f"checkpoint: {self._path} ends before the draws that the checkpoint counts; remove both",
                "checkpoint",
            )
        os.fsync(self._file)  # before the checkpoint that counts them
        return None

    def array(self) -> NDArray:
        """A view of the file: what is looked at is read."""
        n_chains, n_draws, n_variables = self._shape
        mapped = np.memmap(self._path, self._dtype, "r", shape=(n_draws, n_chains, n_variables))
        return mapped.swapaxes(0, 1)


def _write_all(file: int, states: NDArray, place: int) -> None:
    """A system may write less than it is asked for, which is no error."""
    rest = states.data.cast("B")
    while rest:
        written = os.pwrite(file, rest, place)
        rest, place = rest[written:], place + written


def in_memory_or_on_disk(shape: tuple[int, int, int], dtype: type, path: Path | None) -> InMemory | OnDisk:
    """Room for the configurations of a run: on disk if they are many or the file is there, given a `path`."""
    large = math.prod(shape) * np.dtype(dtype).itemsize > IN_MEMORY
    if path is not None and (large or path.exists()):
        return OnDisk(path, shape, dtype)
    return InMemory(shape, dtype)
