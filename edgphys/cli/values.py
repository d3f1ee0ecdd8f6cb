# SPDX-License-Identifier: MIT
"""What the words of the command line mean: values of couplings, extents, ``name=value``.

Values of a coupling are a number (``2.3``), numbers with commas (``2.0,2.3``) or a range ``start:stop:count``
with both ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from edgphys._sizes import MOST_VALUES

__all__ = [
    "parse_count",
    "parse_extent",
    "parse_extents",
    "parse_number",
    "parse_options",
    "parse_pairs",
    "parse_values",
    "parse_wave",
]

# Python's own int and float take 1_0 and the digits of all scripts too.
_COUNT = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(inf|infinity)|nan", re.IGNORECASE)

_COMPONENT = re.compile(r"([+-]?)(?=[0-9.p])([0-9]+\.?[0-9]*|\.[0-9]+)?\*?(pi)?(?:/([1-9][0-9]*))?")


def parse_number(text: str) -> float:
    """A number as it is written in ASCII, blanks around it left out.

    Examples
    --------
    >>> parse_number("2.5"), parse_number(" -1e3")
    (2.5, -1000.0)
    >>> parse_number("1_0")
    Traceback (most recent call last):
    ValueError: a number must be written in plain digits, got '1_0'
    """
    if not _NUMBER.fullmatch(text.strip(" ")):
        raise ValueError(f"a number must be written in plain digits, got {text!r}")
    return float(text)


def parse_count(text: str, option: str) -> int:
    """A whole number as it is written in ASCII.

    Examples
    --------
    >>> parse_count("-16", "--field")
    -16
    >>> parse_count("1_0", "--seed")
    Traceback (most recent call last):
    ValueError: --seed must be an integer in plain digits, got '1_0'
    """
    if not _COUNT.fullmatch(text.strip(" ")):
        raise ValueError(f"{option} must be an integer in plain digits, got {text!r}")
    return int(text)


def parse_values(text: str, option: str) -> list[float]:
    """Values of a coupling from the command line.

    Examples
    --------
    >>> parse_values("2.0:2.2:3", "--temperature")
    [2.0, 2.1, 2.2]
    >>> parse_values("2.0,2.5", "--temperature")
    [2.0, 2.5]
    >>> parse_values("2:3", "--field")
    Traceback (most recent call last):
    ValueError: --field must be start:stop:count, or a number, or numbers with commas, got '2:3' (no count)
    """
    expected = f"{option} must be start:stop:count, or a number, or numbers with commas, got {text!r}"
    parts = text.split(":")
    try:
        if len(parts) == 1:
            return [parse_number(word) for word in text.split(",")]
        numbers = [parse_number(word) for word in parts[:2]]
        count = parse_count(parts[2], option) if len(parts) > 2 else None
    except ValueError:
        raise ValueError(expected) from None
    if count is None:
        raise ValueError(f"{expected} (no count)")
    if len(parts) > 3:
        raise ValueError(expected)
    if count < 1 or (count == 1 and numbers[0] != numbers[1]):
        raise ValueError(f"{expected} (the count must be at least {1 if count < 1 else 2})")
    if count > MOST_VALUES:
        raise ValueError(f"{expected} (the count must be at most {MOST_VALUES})")
    # Ends are exact and what lies between is free of rounding in the last digits, so that labels read well.
    start, stop = numbers
    step = (stop - start) / max(count - 1, 1)
    return [float(f"{start + i * step:.12g}") for i in range(count - 1)] + [stop]


def parse_given(text: str, option: str) -> list[Any]:
    """`parse_values`, or one value that is no number: by kind ``first=1,second=-0.5``, or an array ``x.npy``.

    Examples
    --------
    >>> parse_given("first=1,second=-0.5", "--coupling"), parse_given("0.5,1", "--coupling")
    ([{'first': 1.0, 'second': -0.5}], [0.5, 1.0])
    >>> parse_given("first=1,second", "--coupling")
    Traceback (most recent call last):
    ValueError: --coupling must be name=number with commas, got 'first=1,second'
    """
    if text.endswith(".npy"):
        return [_array(text, option)]
    if "=" not in text:
        return parse_values(text, option)
    by_name: dict[str, float] = {}
    for word in text.split(","):
        name, equals, number = (part.strip() for part in word.partition("="))
        try:
            value = parse_number(number)
        except ValueError:
            value = None
        if not (name and equals) or value is None or name in by_name:
            raise ValueError(f"{option} must be name=number with commas, got {text!r}")
        by_name[name] = value
    return [by_name]


def _array(path: str, option: str) -> list[float]:
    """The numbers of a file that numpy.save wrote."""
    import numpy as np

    try:
        values = np.load(path, allow_pickle=False)
        if values.dtype.kind not in "iuf" or values.ndim != 1:
            raise ValueError(f"it holds {values.dtype} of shape {values.shape}")
    except (OSError, ValueError, EOFError) as error:
        words = "the file of an array of numbers, one for each bond or site"
        raise ValueError(f"{option} must be {words}, got {path!r}: {error}") from None
    return values.astype(float).tolist()


def parse_wave(text: str, option: str) -> tuple[float, ...]:
    """A wave vector in multiples of the reciprocal vectors, of numbers, fractions, and multiples of pi.

    A component h is the phase 2 pi h from cell to cell along its axis, so that ``pi`` is 1/2.

    Examples
    --------
    >>> parse_wave("1/2,0", "--k"), parse_wave("pi,-2pi/3", "--k")
    ((0.5, 0.0), (0.5, -0.3333333333333333))
    >>> parse_wave("1/0", "--k")
    Traceback (most recent call last):
    ValueError: --k must be numbers, fractions or multiples of pi with commas, as 1/2,0 or pi,pi, got '1/0'
    """
    components = []
    for word in text.split(","):
        match = _COMPONENT.fullmatch(word.strip(" "))
        if match is None:
            words = "numbers, fractions or multiples of pi with commas, as 1/2,0 or pi,pi"
            raise ValueError(f"{option} must be {words}, got {text!r}")
        sign, number, pi, divisor = match.groups()
        phase = float(number or 1.0) / int(divisor or 1) / (2.0 if pi else 1.0)
        components.append(-phase if sign == "-" else phase)
    return tuple(components)


def parse_extent(text: str, n_axes: int | None) -> tuple[int, ...]:
    """Extent of a lattice from ``16`` (the same along all `n_axes`) or ``16x8``.

    Examples
    --------
    >>> parse_extent("16", 2)
    (16, 16)
    >>> parse_extent("16x8", 2)
    (16, 8)
    """
    if not re.fullmatch(r"-?[0-9]+(x-?[0-9]+)*", text):
        raise ValueError(f"--extent must be integers such as 16 or 16x8, got {text!r}")
    extent = tuple(int(word) for word in text.split("x"))
    return extent * n_axes if len(extent) == 1 and n_axes is not None else extent


def parse_extents(text: str, n_axes: int | None) -> list[int | str]:
    """Sizes of a lattice: ``8,16``, a range ``8:32:4``, or shapes ``16x8,32x16``; labels of a scan.

    Examples
    --------
    >>> parse_extents("8,16", 2), parse_extents("8:32:4", 2), parse_extents("16x8,16", 2)
    ([8, 16], [8, 16, 24, 32], ['16x8', '16x16'])
    >>> parse_extents("8,8x8", 2)
    Traceback (most recent call last):
    ValueError: --extent must not name a size twice, got '8,8x8'
    """
    words = text.split(",")
    if ":" in text:
        values = parse_values(text, "--extent")
        if not all(value.is_integer() for value in values):
            raise ValueError(f"--extent must be integers, got {text!r} with {values[1]:g}")
        words = [f"{value:.0f}" for value in values]
    shapes = [parse_extent(word, n_axes) for word in words]
    if len(set(shapes)) < len(shapes):
        raise ValueError(f"--extent must not name a size twice, got {text!r}")
    if any("x" in word for word in words):
        return ["x".join(map(str, shape)) for shape in shapes]
    return [shape[0] for shape in shapes]


def parse_pairs(words: Iterable[str], option: str, form: str = "name=value") -> list[tuple[str, str]]:
    """Names and texts of ``name=value`` words, as they come.

    Examples
    --------
    >>> parse_pairs(["order=random"], "--option")
    [('order', 'random')]
    >>> parse_pairs(["order"], "--option")
    Traceback (most recent call last):
    ValueError: --option must be name=value, got 'order'
    """
    pairs = []
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise ValueError(f"{option} must be {form}, got {word!r}")
        pairs.append((name, text))
    return pairs


def parse_options(words: list[str] | None) -> dict[str, Any]:
    """Options of an algorithm from ``name=value`` words; JSON is read as such, and integers with commas.

    Examples
    --------
    >>> parse_options(["order=random", "step_size=0.1", "improved=false"])
    {'order': 'random', 'step_size': 0.1, 'improved': False}
    >>> parse_options(["decoder_size=32,2", 'train_at={"temperature":2}'])
    {'decoder_size': [32, 2], 'train_at': {'temperature': 2}}
    """
    options = {}
    for name, text in parse_pairs(words or (), "--option"):
        if name in options:
            raise ValueError(f"--option must not give an option twice, got {name!r} again")
        listed = re.fullmatch(r"-?[0-9]+(,-?[0-9]+)+", text)
        try:
            options[name] = json.loads(f"[{text}]" if listed else text)
        except ValueError:
            options[name] = text
    return options
