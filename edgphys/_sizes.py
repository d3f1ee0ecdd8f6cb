# SPDX-License-Identifier: MIT
"""How much a call is going to need, asked before it starts: memory, and work that no machine finishes.

The figures are lower bounds from the sizes alone. What passes may still be too large; what is refused is.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

from edgphys.errors import ArgumentValueError

__all__ = ["MOST_DIMS", "MOST_VALUES", "at_most", "check_memory", "check_work"]

MOST_VALUES = 100_000  # points of a scan, rungs of a ladder, steps of a path, views
MOST_DIMS = 1_000_000  # variables of a continuous system

_GIB = 1 << 30
# Elementary updates: three years at a billion a second.
_MOST_WORK = 1e17


def check_memory(n_bytes: float, name: str, what: str) -> None:
    """Refuse what needs more than all the memory of this machine.

    Parameters
    ----------
    n_bytes : float
        At least needed.
    name : str
        Argument to make smaller.
    what : str
        What is held, for the message.

    Raises
    ------
    ArgumentValueError
        With the figure and the limit.

    Examples
    --------
    >>> check_memory(1e18, "n_chains", "1000000000 chains")
    Traceback (most recent call last):
    edgphys.errors.ArgumentValueError: n_chains must be smaller: 1000000000 chains need at least ...
    """
    limit = memory_limit()
    if n_bytes > limit:
        words = f"{what} need at least {n_bytes / _GIB:.3g} GiB".replace("e+0", "e")
        raise ArgumentValueError(
            f"{name} must be smaller: {words} of memory, this machine has {limit / _GIB:.3g} GiB", name
        )


def check_work(n_updates: float, name: str, what: str) -> None:
    """Refuse what would take years.

    Raises
    ------
    ArgumentValueError
        With the figure and the limit.
    """
    if n_updates > _MOST_WORK:
        raise ArgumentValueError(
            f"{name} must be smaller: {what} are {n_updates:.1e} elementary updates, at most "
            f"{_MOST_WORK:.0e} are begun (three years at a billion a second)",
            name,
        )


def at_most(value: Any, name: str, most: int = MOST_VALUES) -> None:
    """Refuse a count above `most`; what is no number has been looked at elsewhere.

    Examples
    --------
    >>> at_most(10**9, "n_views")
    Traceback (most recent call last):
    edgphys.errors.ArgumentValueError: n_views must be at most 100000, got 1000000000
    """
    if isinstance(value, int) and value > most:
        raise ArgumentValueError(f"{name} must be at most {most}, got {value}", name)


@functools.cache
def memory_limit() -> float:
    """Bytes of memory for this process: of the machine or of its container, inf if unknown."""
    limits = []
    try:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not on Windows
        limits.append(float("inf"))
    try:
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        pass
    return float(min(limits))
