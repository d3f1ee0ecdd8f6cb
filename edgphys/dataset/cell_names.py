# SPDX-License-Identifier: MIT
"""Names of the cells of a scan: the method and the point, the same for couplings that agree to 12 digits."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["cell_name", "point_words"]


def point_words(point: Mapping[str, float]) -> str:
    """The point as a key, the same for values that agree to 12 digits.

    Ranges with different ends give the same coupling up to the last bits (``2.0:2.7:8``, ``2.0:2.8:9``);
    the key must not tell them apart.

    >>> point_words({"temperature": 2.1 + 1e-15, "field": 0.0})
    'field=0,temperature=2.1'
    """
    return ",".join(f"{name}={float(point[name]) + 0.0:.12g}" for name in sorted(point))


def cell_name(method: str, point: Mapping[str, float]) -> str:
    """The cell as the dataset of a scan names it in its notes.

    >>> cell_name("wolff", {"temperature": 2.1})
    'wolff temperature=2.1'
    """
    return f"{method} {point_words(point)}"
