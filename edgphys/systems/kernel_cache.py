# SPDX-License-Identifier: MIT
"""Where compiled kernels are kept: beside the package, or in the user's cache folder, as numba does it.

Where neither can be written, in a system-wide install or a container, numba refuses to define a kernel that
is to be kept. Then they are kept in a folder of this process; without any folder, not at all.
"""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
from typing import Any

import numba
from numba.core.ccallback import CFunc
from numba.core.dispatcher import Dispatcher

__all__ = ["ensure_cache"]


def ensure_cache() -> None:
    """Give numba a folder for compiled kernels if it finds none; a line in the log says so."""
    if _finds_a_folder():
        return
    words = "edgphys: no folder for compiled kernels can be written (set NUMBA_CACHE_DIR)"
    try:
        folder = tempfile.mkdtemp(prefix="edgphys-")
    except OSError:
        Dispatcher.enable_caching = CFunc.enable_caching = _keep_nothing
        logging.getLogger("edgphys").warning("%s; every process compiles them anew", words)
        return
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    numba.config.CACHE_DIR = folder  # pyright: ignore[reportAttributeAccessIssue]
    logging.getLogger("edgphys").warning("%s; they are kept in %s until this process ends", words, folder)


def _finds_a_folder() -> bool:
    try:
        numba.njit(cache=True)(_probe)
    except RuntimeError:  # "no locator available"
        return False
    return True


def _probe() -> None:
    """Never compiled: numba looks for the folder when a kernel is defined."""


def _keep_nothing(self: Any) -> None:
    """In place of numba's own: a kernel that is to be kept is compiled as any other."""


ensure_cache()
