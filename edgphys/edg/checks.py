# SPDX-License-Identifier: MIT
"""Checks of what a caller hands to `EDG`: one line that names the argument, what is allowed and what came."""

from __future__ import annotations

import numbers
from typing import Any

from edgphys.errors import UnknownNameError

__all__ = ["choice", "count", "positive", "share", "size"]


def count(value: Any, name: str, least: int) -> int:
    """`value` as an int, at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer >= {least}, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value}")
    if value >= 2**63:
        raise ValueError(f"{name} must be an integer below 2^63, got {value}")
    return int(value)


def size(value: Any, name: str) -> tuple[int, int]:
    """`value` as two positive ints."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} must be two integers (channels, blocks), got {value!r}")
    return count(value[0], name, 1), count(value[1], name, 1)


def positive(value: Any, name: str) -> float:
    """`value` as a float above zero."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0.0 < value < float("inf"):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return float(value)


def share(value: Any, name: str) -> float:
    """`value` as a float from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie in [0, 1], got {value!r}")
    return float(value)


def choice(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    """`value` if it is one of `allowed`."""
    if value not in allowed:
        raise UnknownNameError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return value
