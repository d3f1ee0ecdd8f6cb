# SPDX-License-Identifier: MIT
"""Checks of arguments: each gives the value back in one type, or raises one line about it.

The line names the argument, what is allowed and what came, as in ``n_chains must be an integer >= 1, got 0``,
and the error carries the name (`edgphys.errors.EdgphysError`). A wrong type is an `ArgumentTypeError`, a
wrong value an `ArgumentValueError`, a name that is not in a list an `UnknownNameError`. Public functions
check once; inner loops do not.
"""

from __future__ import annotations

import math
import numbers
import reprlib
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgphys.errors import ArgumentTypeError, ArgumentValueError, EdgphysError, UnknownNameError

if TYPE_CHECKING:
    import torch

__all__ = [
    "choice",
    "count",
    "count_or",
    "device",
    "finite",
    "flag",
    "instance",
    "number",
    "numbers_of",
    "one_line",
    "positive",
    "seed",
    "share",
    "sizes",
    "whole",
    "wrong",
]

_LIMIT = 2**63  # what torch, numba and netCDF attributes all take

_T = TypeVar("_T")


def one_line(value: Any) -> str:
    """What came, as a short repr without line breaks; a numpy number as a plain one.

    Examples
    --------
    >>> one_line(["a"] * 9)
    "['a', 'a', 'a', 'a', 'a', 'a', ...]"
    >>> one_line(np.float64(0.5))
    '0.5'
    """
    return " ".join(reprlib.repr(value.item() if isinstance(value, np.generic) else value).split())


def wrong(kind: type[EdgphysError], name: str, allowed: str, value: Any) -> EdgphysError:
    """The error of the argument `name`, which must be `allowed`, for what came.

    Examples
    --------
    >>> str(wrong(ArgumentValueError, "order", "'random' or 'checkerboard'", 3))
    "order must be 'random' or 'checkerboard', got 3"
    """
    return kind(f"{name} must be {allowed}, got {one_line(value)}", name)


# -------------------------------------------------------------------------------------------- whole numbers


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool | np.bool_)


def count(value: Any, name: str, least: int, most: int | None = None) -> int:
    """`value` as an int from `least` to `most`, or below 2^63.

    Examples
    --------
    >>> count(np.int64(3), "n_chains", 1)
    3
    """
    allowed = f"an integer >= {least}" if most is None else f"an integer from {least} to {most}"
    if not _is(value, numbers.Integral):
        raise wrong(ArgumentTypeError, name, allowed, value)
    if value >= _LIMIT and most is None:
        raise wrong(ArgumentValueError, name, "an integer below 2^63", value)
    if value < least or (most is not None and value > most):
        raise wrong(ArgumentValueError, name, allowed, value)
    return int(value)


def count_or(word: str, value: Any, name: str, least: int) -> int | str:
    """`value` as an int of at least `least`, or the word that leaves the number open.

    Examples
    --------
    >>> count_or("auto", "auto", "n_views", 1)
    'auto'
    >>> count_or("auto", 0, "n_views", 1)
    Traceback (most recent call last):
    edgphys.errors.ArgumentValueError: n_views must be 'auto' or an integer >= 1, got 0
    """
    allowed = f"{word!r} or an integer >= {least}"
    if isinstance(value, str):
        if value != word:
            raise wrong(ArgumentValueError, name, allowed, value)
        return value
    if not _is(value, numbers.Integral):
        raise wrong(ArgumentTypeError, name, allowed, value)
    if value < least:
        raise wrong(ArgumentValueError, name, allowed, value)
    return count(value, name, least)


def whole(value: Any, name: str, least: int, most: int | None = None) -> int:
    """`count` of a number that may have come as a float without fraction, as from a command line.

    Examples
    --------
    >>> whole(2.0, "n_dims", 1)
    2
    """
    return count(
        int(value) if isinstance(value, float | np.floating) and value.is_integer() else value,
        name,
        least,
        most,
    )


def seed(value: Any, name: str = "seed") -> int:
    """`value` as the seed of a random generator, an int from 0 to 2^63 - 1."""
    return count(value, name, 0)


def sizes(value: Any, name: str, axes: tuple[str, ...]) -> tuple[int, ...]:
    """`value` as one positive int for each of `axes`.

    Examples
    --------
    >>> sizes([8, 2], "size", ("channels", "blocks"))
    (8, 2)
    """
    if not isinstance(value, tuple | list) or len(value) != len(axes):
        raise wrong(ArgumentTypeError, name, f"{len(axes)} integers ({', '.join(axes)})", value)
    return tuple(count(one, name, 1) for one in value)


# --------------------------------------------------------------------------------------------- real numbers


def finite(value: Any, name: str) -> float:
    """`value` as a finite float."""
    return number(value, name)


def positive(value: Any, name: str) -> float:
    """`value` as a finite float above zero."""
    return number(value, name, above=0.0)


def temperature_of(value: Any) -> float:
    """`value` as a temperature: a finite float above zero whose inverse is finite too.

    Examples
    --------
    >>> temperature_of(1e-320)
    Traceback (most recent call last):
    edgphys.errors.ArgumentValueError: temperature must be at least 5.6e-309, got 1e-320
    """
    checked = positive(value, "temperature")
    if checked * sys.float_info.max < 1.0:
        raise wrong(ArgumentValueError, "temperature", "at least 5.6e-309", value)
    return checked


def share(value: Any, name: str) -> float:
    """`value` as a float from 0 to 1."""
    return number(value, name, least=0.0, most=1.0)


def number(
    value: Any,
    name: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> float:
    """`value` as a finite float within bounds, `least` and `most` included, `above` and `below` not.

    Examples
    --------
    >>> number(np.float32(0.5), "target_acceptance", above=0.0, below=1.0)
    0.5
    """
    if not _is(value, numbers.Real):
        raise wrong(ArgumentTypeError, name, "a real number", value)
    inside = (
        (least is None or value >= least)
        and (above is None or value > above)
        and (most is None or value <= most)
        and (below is None or value < below)
    )
    if not (math.isfinite(value) and inside):
        raise wrong(ArgumentValueError, name, _interval(least, above, most, below), value)
    return float(value)


def _interval(least, above, most, below) -> str:
    """Words for an interval.

    >>> _interval(None, 0.0, None, None), _interval(None, 0.0, 1.0, None)
    ('positive and finite', 'a number in (0, 1]')
    """
    if most is None and below is None:
        if least is None and above is None:
            return "finite"
        if above == 0.0 or least == 0.0:
            return "positive and finite" if least is None else "finite and not negative"
    low = f"[{least:g}" if least is not None else f"({-math.inf if above is None else above:g}"
    high = f"{most:g}]" if most is not None else f"{math.inf if below is None else below:g})"
    return f"a number in {low}, {high}"


def numbers_of(values: Any, name: str, allowed: str) -> NDArray[np.float64]:
    """`values` as a float64 array, the same memory where it is one.

    Raises
    ------
    ArgumentTypeError
        If they are no numbers: text, objects, complex.
    ArgumentValueError
        If they are ragged.
    """
    try:
        return np.asarray(values).astype(np.float64, casting="same_kind", copy=False)
    except TypeError as error:
        raise wrong(ArgumentTypeError, name, allowed, values) from error
    except ValueError as error:
        raise wrong(ArgumentValueError, name, allowed, values) from error


# --------------------------------------------------------------------------------------------------- the rest


def choice(value: Any, name: str, allowed: Collection[str]) -> str:
    """`value` if it is one of the names `allowed`.

    Examples
    --------
    >>> choice("random", "order", ("checkerboard", "random"))
    'random'
    """
    if not isinstance(value, str) or value not in allowed:
        raise wrong(UnknownNameError, name, f"one of {', '.join(allowed)}", value)
    return value


def flag(value: Any, name: str) -> bool:
    """`value` as a bool."""
    if not isinstance(value, bool | np.bool_):
        raise wrong(ArgumentTypeError, name, "True or False", value)
    return bool(value)


def instance(value: Any, name: str, kind: type[_T] | tuple[type[_T], ...], words: str) -> _T:
    """`value` if it is of the type `kind`, which the message calls `words`.

    Examples
    --------
    >>> instance({}, "options", dict, "a dict")
    {}
    """
    if not isinstance(value, kind):
        raise ArgumentTypeError(f"{name} must be {words}, got {type(value).__name__}", name)
    return value


def device(value: str | torch.device | None, name: str = "device") -> torch.device:
    """The device of that name; of None a GPU when there is one."""
    import torch

    if value is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(value)
        torch.zeros(1, device=chosen).item()  # meta holds no numbers
    except Exception as error:  # torch has one for each kind of device
        raise wrong(ArgumentValueError, name, "one that torch has here", value) from error
    return chosen
