# SPDX-License-Identifier: MIT
"""Checks of the options of an algorithm: one line that names the option, what is allowed, and what came."""

from __future__ import annotations

import numbers

__all__ = ["check_between", "check_count"]


def check_count(name: str, value, lowest: int) -> None:
    """Raise ValueError unless the option is an integer >= lowest."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < lowest:
        raise ValueError(f"{name} must be an integer >= {lowest}, got {value!r}")


def check_between(name: str, value, top: float) -> None:
    """Raise ValueError unless the option is a number in (0, top)."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not 0 < float(value) < top:
        raise ValueError(f"{name} must be a number in (0, {top:g}), got {value!r}")
