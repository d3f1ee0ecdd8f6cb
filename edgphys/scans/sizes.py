# SPDX-License-Identifier: MIT
"""Sizes of a lattice as points of a scan: labels of the coupling ``extent``, and plans for each size.

A label is an integer, cells along all axes, or text such as ``16x8``, which `make_system` gets as a tuple.
What methods share, as one model for a range of temperatures, is shared by the points of one size.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgphys._checks import one_line
from edgphys.dataset.cell_names import label_words
from edgphys.dataset.extents import EXTENT
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.methods.base import AbstractMethod

__all__ = ["Label", "extent_labels", "group_of", "planned", "settings_of", "value_of"]

Label = float | str
_TEXT = re.compile("[1-9][0-9]*(x[1-9][0-9]*)+")
_ALLOWED = "integers, or all text such as 16x8 or tuples such as (16, 8)"


def extent_labels(values: Any) -> list[Label]:
    """Labels of the sizes that are given.

    Raises
    ------
    ArgumentTypeError, ArgumentValueError
        If they are no sizes, of mixed kinds, none, or one is there twice.

    Examples
    --------
    >>> extent_labels([8, 16]), extent_labels([(16, 8), (32, 16)]), extent_labels("16x8")
    ([8, 16], ['16x8', '32x16'], ['16x8'])
    """
    single = isinstance(values, str | numbers.Number)
    labels = [_label(one) for one in ([values] if single else values)]
    if not labels or len({isinstance(label, str) for label in labels}) > 1:
        raise ArgumentValueError(f"{EXTENT} must be {_ALLOWED}, got {one_line(values)}", EXTENT)
    if len(set(labels)) < len(labels):
        raise ArgumentValueError(f"{EXTENT} must not name a value twice, got {one_line(labels)}", EXTENT)
    return labels


def _label(value: Any) -> Label:
    if isinstance(value, tuple | list | np.ndarray) and len(value) > 1:
        value = "x".join(str(_label(side)) for side in value)
    if isinstance(value, str) and _TEXT.fullmatch(value):
        return str(value)
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise ArgumentTypeError(f"{EXTENT} must be {_ALLOWED}, got {one_line(value)}", EXTENT)
    if value < 1:
        raise ArgumentValueError(f"{EXTENT} must be at least 1, got {value}", EXTENT)
    return int(value)


def value_of(name: str, label: Label) -> Any:
    """What `make_system` gets for a label.

    Examples
    --------
    >>> value_of("extent", "16x8"), value_of("extent", 16), value_of("temperature", 2.0)
    ((16, 8), 16, 2.0)
    """
    if name == EXTENT and isinstance(label, str):
        return tuple(int(side) for side in label.split("x"))
    return label


def group_of(point: Mapping[str, Label]) -> dict[str, Label]:
    """What the points have in common that share what a method prepares."""
    return {EXTENT: point[EXTENT]} if EXTENT in point else {}


def planned(
    methods: Sequence[AbstractMethod],
    systems: Sequence[Any],
    points: Sequence[Mapping[str, Label]],
    plan: Callable[..., AbstractMethod],
) -> list[tuple[AbstractMethod, ...]]:
    """The methods at every point, as ``plan(method, systems, points)`` gives them for those of its size."""
    groups: dict[str, list[int]] = {}
    for k, point in enumerate(points):
        groups.setdefault(str(group_of(point)), []).append(k)
    at: dict[int, tuple[AbstractMethod, ...]] = {}
    for places in groups.values():
        shared = [systems[k] for k in places], [points[k] for k in places]
        at |= dict.fromkeys(places, tuple(plan(method, *shared) for method in methods))
    return [at[k] for k in range(len(points))]


def settings_of(
    methods: Sequence[tuple[AbstractMethod, ...]], points: Sequence[Mapping[str, Label]]
) -> dict[str, Any]:
    """Settings of every method; one that sizes differ in is an object with a value for each."""
    by_size = {
        label_words(point.get(EXTENT, "")): {one.name: one.settings() for one in each}
        for each, point in zip(methods, points, strict=True)
    }
    first = next(iter(by_size.values()))
    return {name: _together({size: one[name] for size, one in by_size.items()}) for name in first}


def _together(by_size: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for settings in by_size.values() for name in settings)
    found = {name: {size: settings.get(name) for size, settings in by_size.items()} for name in names}
    first = {name: next(iter(values.values())) for name, values in found.items()}
    return {
        name: first[name] if all(one == first[name] for one in values.values()) else values
        for name, values in found.items()
    }
