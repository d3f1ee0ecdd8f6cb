# SPDX-License-Identifier: MIT
"""Names of the cells of a scan: the method and the point, the same for couplings that agree to 12 digits."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CELL_NOTES", "cell_name", "label_words", "point_words", "with_coordinate"]

# Attributes of a scan that hold a note for some of its cells, JSON text by their names.
CELL_NOTES = ("algorithms", "warnings", "draws")


def label_words(label: float | str) -> str:
    """A value of a coordinate as a key: the same for numbers that agree to 12 digits; text as it is.

    >>> label_words(16), label_words(16.0), label_words("16x8")
    ('16', '16', '16x8')
    """
    return label if isinstance(label, str) else f"{float(label) + 0.0:.12g}"


def point_words(point: Mapping[str, float | str]) -> str:
    """The point as a key, the same for values that agree to 12 digits.

    Ranges with different ends give the same coupling up to the last bits (``2.0:2.7:8``, ``2.0:2.8:9``);
    the key must not tell them apart.

    >>> point_words({"temperature": 2.1 + 1e-15, "field": 0.0})
    'field=0,temperature=2.1'
    """
    return ",".join(f"{name}={label_words(point[name])}" for name in sorted(point))


def cell_name(method: str, point: Mapping[str, float | str]) -> str:
    """The cell as the dataset of a scan names it in its notes.

    >>> cell_name("wolff", {"temperature": 2.1})
    'wolff temperature=2.1'
    """
    return f"{method} {point_words(point)}"


def with_coordinate(cell: str, name: str, label: float | str) -> str:
    """The name of a cell where its scan has one coordinate more.

    >>> with_coordinate("wolff temperature=2.1", "extent", 8)
    'wolff extent=8,temperature=2.1'
    """
    method, _, point = cell.partition(" ")
    parts = [*filter(None, point.split(",")), f"{name}={label_words(label)}"]
    return f"{method} {','.join(sorted(parts, key=lambda part: part.partition('=')[0]))}"
