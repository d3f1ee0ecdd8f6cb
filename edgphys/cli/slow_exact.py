# SPDX-License-Identifier: MIT
"""Exact results that take long: a line says so meanwhile, and the dataset keeps them for all later looks."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["keep_slow_exact"]

# Seconds after which a line says what takes so long, and from which on the values are kept.
_PATIENCE = 3.0
_KINDS = ("samples", "estimates")


def keep_slow_exact(result: xr.Dataset) -> None:
    """Compute the exact results beside samples or estimates; keep them, as the attr ``exact``, if slow.

    Ctrl-C leaves them out, not what they are to stand beside.
    """
    from edgphys.report.dataset_tables import exact_of

    if result.attrs.get("kind") not in _KINDS or "exact" in result.attrs:
        return
    words = f"exact results of {result.attrs['system']} take their time; Ctrl-C goes on without them"
    timer = threading.Timer(_PATIENCE, lambda: print(words, file=sys.stderr))
    timer.daemon, begin = True, time.perf_counter()
    timer.start()
    try:
        known = exact_of(result)
    except KeyboardInterrupt:
        known = {}, f"{result.attrs['system']}: interrupted"
    finally:
        timer.cancel()
    if time.perf_counter() - begin > _PATIENCE:
        result.attrs["exact"] = json.dumps(known)
