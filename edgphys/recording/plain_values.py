# SPDX-License-Identifier: MIT
"""Arguments of a call as JSON types, and back.

    None, truth values, numbers, text, lists, dicts with text for keys    themselves
    anything else that can be made again          {"$tag": what it is made from}
    what cannot                                   {"$other": words for it}

A type joins by a function registered with `plain` and the way back with `made_by`, in the layer that has it.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from edgphys._checks import one_line
from edgphys.errors import DatasetError

__all__ = ["OTHER", "made_by", "others_in", "plain", "restored"]

OTHER = "$other"
_MOST = 4096  # numbers of an array; longer ones are data, not settings
_MAKERS: dict[str, Callable[[Any], Any]] = {}


@functools.singledispatch
def plain(value: Any) -> Any:
    """`value` in JSON types, see the docstring of the module.

    Examples
    --------
    >>> plain({"temperature": (2.0, np.float64(2.5))}), plain(len)
    ({'temperature': {'$tuple': [2.0, 2.5]}}, {'$other': 'a function of its own, len'})
    """
    return {OTHER: f"{type(value).__name__} {one_line(value)}"}


@plain.register(types.FunctionType)
@plain.register(types.BuiltinFunctionType)
@plain.register(types.MethodType)
def _(value: Any) -> dict[str, str]:
    return {OTHER: f"a function of its own, {value.__qualname__}"}


@plain.register(type(None))
@plain.register(bool)
@plain.register(int)
@plain.register(float)
@plain.register(str)
def _(value: Any) -> Any:
    return value


@plain.register(np.generic)
def _(value: np.generic) -> Any:
    return plain(value.item())


@plain.register(np.ndarray)
def _(value: np.ndarray) -> Any:
    if value.dtype.kind not in "iufb" or value.size > _MOST:
        return {OTHER: f"an array of {value.dtype} of shape {value.shape}"}
    return {"$array": [str(value.dtype), value.tolist()]}


@plain.register(PurePath)
def _(value: PurePath) -> str:
    return str(value)


@plain.register(list)
def _(value: list) -> list:
    return [plain(one) for one in value]


@plain.register(tuple)
@plain.register(range)
def _(value: Any) -> dict[str, list]:
    return {"$tuple": [plain(one) for one in value]}


@plain.register(Mapping)
def _(value: Mapping) -> dict[str, Any]:
    if not all(isinstance(name, str) and not name.startswith("$") for name in value):
        return {OTHER: f"{type(value).__name__} {one_line(dict(value))}"}
    return {name: plain(one) for name, one in value.items()}


def made_by(tag: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Decorator of a function that makes a value again from the content of ``{"$tag": content}``."""

    def register(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        _MAKERS[f"${tag}"] = make
        return make

    return register


@made_by("tuple")
def _(content: list) -> tuple:
    return tuple(restored(one) for one in content)


@made_by("array")
def _(content: list) -> np.ndarray:
    dtype, values = content
    return np.array(values, dtype)


def restored(value: Any) -> Any:
    """What `plain` was given.

    Raises
    ------
    DatasetError
        If it cannot be made again.

    Examples
    --------
    >>> restored(plain({"temperature": (2.0, 2.5)}))
    {'temperature': (2.0, 2.5)}
    """
    if isinstance(value, list):
        return [restored(one) for one in value]
    if not isinstance(value, dict):
        return value
    tag = next((name for name in value if name.startswith("$")), None)
    if tag is None:
        return {name: restored(one) for name, one in value.items()}
    if tag not in _MAKERS:
        raise DatasetError(f"its record holds {value[tag] if tag == OTHER else tag}, which no file holds")
    return _MAKERS[tag](value[tag])


def others_in(value: Any) -> Iterator[str]:
    """Words for all that cannot be made again.

    >>> list(others_in(plain({"a": [len]})))
    ['a function of its own, len']
    """
    if isinstance(value, dict):
        if OTHER in value:
            yield str(value[OTHER])
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from others_in(one)
