# SPDX-License-Identifier: MIT
"""What came, in messages about arguments: on one line, however the caller wrote it."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_one_line", "numbers_of"]


def in_one_line(value: Any) -> str:
    """A short repr without line breaks.

    Examples
    --------
    >>> in_one_line(["a"] * 9)
    "['a', 'a', 'a', 'a', 'a', 'a', ...]"
    """
    return " ".join(reprlib.repr(value).split())


def numbers_of(values: Any, name: str, allowed: str) -> NDArray[np.float64]:
    """`values` as a float64 array, the same memory where it is one.

    Raises
    ------
    TypeError
        If they are no numbers: text, objects, complex.
    ValueError
        If they are ragged.
    """
    try:
        return np.asarray(values).astype(np.float64, casting="same_kind", copy=False)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name} must be {allowed}, got {in_one_line(values)}") from error
