# SPDX-License-Identifier: MIT
"""The range of couplings that one model serves, and how networks see a point of it.

Every coupling c of a range [low, high] becomes a number in [-1, 1],

    u = (2 g(c) - g(low) - g(high)) / |g(high) - g(low)| ,

with g(c) = 1/c for a temperature, in which the reduced energy is linear, and c itself for all others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgphys._checks import finite, instance, one_line
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.systems.base import AbstractSystem

__all__ = ["Conditions"]

# Relative to the range: what rounding of an end may be.
_ROUNDING = 1e-9
# Seen linearly in their inverse.
_INVERSE = ("temperature",)


@dataclass(frozen=True)
class Conditions:
    """Ranges of couplings by name; none for a model of one set of couplings.

    Attributes
    ----------
    ranges : dict of str to (float, float)
        Lowest and highest value.

    Examples
    --------
    >>> conditions = Conditions({"temperature": (1.0, 2.0)})
    >>> conditions.encoded({"temperature": 4.0 / 3.0})
    [0.0]
    >>> [round(node["temperature"], 3) for node in conditions.nodes(3)]
    [2.0, 1.333, 1.0]
    """

    ranges: Mapping[str, tuple[float, float]]

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __str__(self) -> str:
        return ", ".join(f"{name} from {low:g} to {high:g}" for name, (low, high) in self.ranges.items())

    @classmethod
    def of(cls, system: AbstractSystem, given: Any) -> Conditions:
        """Checked against a system; of None, none.

        Raises
        ------
        ArgumentTypeError
            If they are no dict, or a range is no pair of numbers.
        ArgumentValueError
            If the system has no such condition, or a range is empty or reversed, or has a bad end.
        """
        if given is None:
            return cls({})
        instance(given, "conditions", Mapping, "a dict from names to (low, high)")
        return cls({name: _range(system, name, one) for name, one in given.items()})

    def couplings(self, system: AbstractSystem, given: Mapping[str, Any]) -> dict[str, float]:
        """All of them: those that are given, the others as the system has them.

        Raises
        ------
        ArgumentTypeError
            If one of those given is none of these, or is no number.
        ArgumentValueError
            If one is outside its range.
        """
        self.check_names(given)
        own = system.couplings
        values = {name: given.get(name, own[name]) for name in self.ranges}
        return {name: self._inside(name, value, name in given) for name, value in values.items()}

    def check_names(self, given: Mapping[str, Any]) -> None:
        """Refuse what is none of them, as `couplings` does."""
        for name, value in given.items():
            if name not in self.ranges:
                words = ", ".join(self.ranges) or "none, the sampler is for one set of couplings"
                raise ArgumentTypeError(
                    f"{name} must be left out: it is no option, and no condition of the sampler ({words}), "
                    f"got {one_line(value)}",
                    name,
                )

    def _inside(self, name: str, value: Any, is_given: bool) -> float:
        (low, high), value = self.ranges[name], finite(value, name)
        margin = _ROUNDING * (high - low)
        if not low - margin <= value <= high + margin:
            what = "" if is_given else " (that of the system)"
            raise ArgumentValueError(
                f"{name} must be in [{low:g}, {high:g}], for which the model is, got {value:g}{what}", name
            )
        return min(max(value, low), high)

    def encoded(self, couplings: Mapping[str, float]) -> list[float]:
        """Numbers in [-1, 1], in the order of `ranges`: what networks see."""
        return [_encoded(name, couplings[name], one) for name, one in self.ranges.items()]

    def decoded(self, numbers: Sequence[float]) -> dict[str, float]:
        """Inverse of `encoded`."""
        pairs = zip(self.ranges.items(), numbers, strict=True)
        return {name: _decoded(name, u, one) for (name, one), u in pairs}

    def nodes(self, n: int) -> list[dict[str, float]]:
        """`n` couplings, equidistant as `encoded`, the ends included; `n` along each of several: a grid."""
        numbers = itertools.product(np.linspace(-1.0, 1.0, n), repeat=len(self.ranges))
        return [self.decoded(one) for one in numbers]


def _range(system: AbstractSystem, name: Any, given: Any) -> tuple[float, float]:
    if name not in system.conditions:
        allowed = ", ".join(system.conditions) or "none"
        raise ArgumentValueError(
            f"conditions must be among {allowed} for {system.name}, got {one_line(name)}", "conditions"
        )
    words = f"conditions: {name} must be a pair (low, high) of numbers with low < high, got {one_line(given)}"
    if not isinstance(given, tuple | list | np.ndarray) or len(given) != 2:
        raise ArgumentTypeError(words, "conditions")
    try:
        low, high = (finite(end, name) for end in given)
    except (TypeError, ValueError) as error:
        raise type(error)(words, "conditions") from error  # pyright: ignore[reportCallIssue]
    if not low < high:
        raise ArgumentValueError(words, "conditions")
    for end in (low, high):
        _check_end(system, name, end)
    return low, high


def _check_end(system: AbstractSystem, name: str, end: float) -> None:
    """The system itself says which values it takes."""
    try:
        system.replace(**{name: end})
    except ValueError as error:
        raise ArgumentValueError(f"conditions: {error}", "conditions") from error


def _of(name: str, value: float) -> float:
    return 1.0 / value if name in _INVERSE else value


def _encoded(name: str, value: float, ends: tuple[float, float]) -> float:
    low, high = (_of(name, end) for end in ends)
    return (2.0 * _of(name, value) - low - high) / math.fabs(high - low)


def _decoded(name: str, u: float, ends: tuple[float, float]) -> float:
    low, high = (_of(name, end) for end in ends)
    value = _of(name, 0.5 * (low + high + float(u) * math.fabs(high - low)))
    return min(max(value, ends[0]), ends[1])
