# SPDX-License-Identifier: MIT
"""A recorded call made once more. Only functions that leave records are called, whatever a file says."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from edgphys.errors import DatasetError
from edgphys.recording.plain_values import restored
from edgphys.recording.record import NAMES

__all__ = ["beside", "looking_in", "repeat"]

_FOLDER: ContextVar[Path] = ContextVar("folder", default=Path())


@contextmanager
def looking_in(folder: Path) -> Iterator[None]:
    """While it lasts, files that are not where they were typed are looked for in `folder`."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def beside(path: Path) -> Path:
    """`path` as typed, or beside the file whose record names it, if it is there."""
    other = _FOLDER.get() / path
    return other if other.exists() and not path.exists() else path


def repeat(call: dict[str, Any]) -> Any:
    """The dataset that a recorded call gives.

    Raises
    ------
    DatasetError
        If the function is none that leaves records, or an argument cannot be made again.
    """
    import edgphys

    name = str(call["function"]).removeprefix("edgphys.")
    try:
        function: Any = operator.attrgetter(name)(edgphys)
    except AttributeError:
        function = None
    if function is None or name not in NAMES:
        raise DatasetError(f"its record names {call['function']}, which is no function that leaves records")
    if isinstance(function, property):
        function = function.fget
    arguments = {argument: restored(value) for argument, value in call["arguments"].items()}
    return function(**arguments)
