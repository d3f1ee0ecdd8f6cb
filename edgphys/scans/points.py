# SPDX-License-Identifier: MIT
"""A point of a scan as a label, and as the seed of its cells.

The seed of a cell is derived from the seed of the scan, the name of the method and the values of the
couplings, so a cell has the same result whichever other cells are computed with it, in whichever order, and
by however many workers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from edgphys.dataset.cell_names import point_words

__all__ = ["point_label", "seed_sequence"]


def point_label(point: Mapping[str, float | str]) -> str:
    """The point for human readers, couplings in the order scanned.

    >>> point_label({"temperature": 2.1 + 1e-15, "field": 0.0})
    'temperature=2.1 field=0'
    """
    words = {name: one if isinstance(one, str) else f"{one:.8g}" for name, one in point.items()}
    return " ".join(f"{name}={one}" for name, one in words.items())


def seed_sequence(seed: int, method: str, point: Mapping[str, float | str]) -> np.random.SeedSequence:
    """Seed of one cell: child of the scan's `seed` under a key made of the method and the point.

    >>> a = seed_sequence(0, "wolff", {"temperature": 2.0}).generate_state(1)
    >>> b = seed_sequence(0, "edg", {"temperature": 2.0}).generate_state(1)
    >>> bool(a == b)
    False
    """
    digest = hashlib.sha256(f"{method}|{point_words(point)}".encode()).digest()
    return np.random.SeedSequence(seed, spawn_key=tuple(np.frombuffer(digest[:16], np.uint32).tolist()))
