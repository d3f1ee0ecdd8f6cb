# SPDX-License-Identifier: MIT
"""Other packages without their warnings, in one thread at a time: cells of a scan are judged side by side."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet"]

_LOCK = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore all warnings. Python has one list of filters for all threads: another thread waits its turn."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
