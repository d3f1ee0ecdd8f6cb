# SPDX-License-Identifier: MIT
"""The record that a dataset carries: how it came about, as JSON text, its attr ``provenance``.

    command    the command line as typed, where there was one
    call       {"function": public name, "arguments": all of them, in the types of `plain`}
    settings   what the call has made of its settings, of a scan by method
    versions, hardware, started    of `edgphys.recording.machine`; ISO 8601, UTC

Public functions that give a dataset are `recorded`. Of calls within calls the outermost counts. Where and how
fast a result is computed (`WHERE`) is no part of a record.
"""

from __future__ import annotations

import functools
import inspect
import json
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar

from edgphys.recording.machine import hardware, versions
from edgphys.recording.plain_values import plain

__all__ = [
    "ATTR",
    "NAMES",
    "WHERE",
    "Record",
    "call_of",
    "command_line",
    "current",
    "merged",
    "recorded",
    "unrecorded",
]

ATTR = "provenance"
WHERE = ("out", "overwrite", "resume", "checkpoint", "progress", "workers", "scheduler")

NAMES: set[str] = set()  # of the functions that leave records, as far as they are imported

_P = ParamSpec("_P")
_T = TypeVar("_T")

_COMMAND: ContextVar[str] = ContextVar("command", default="")
_CURRENT: ContextVar[Record | None] = ContextVar("record", default=None)


@dataclass
class Record:
    """What is known of a computation while it runs."""

    call: dict[str, Any]
    command: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def argument(self, name: str, value: Any) -> None:
        """Put what an argument has turned out to be in place of what was given."""
        self.call["arguments"][name] = plain(value)

    def note(self, settings: Mapping[str, Any]) -> None:
        """Settings as the computation has resolved them; those that are None are still open."""
        self.settings = merged(self.settings, {name: plain(one) for name, one in settings.items()})

    @property
    def text(self) -> str:
        """JSON text, for the attr."""
        parts: dict[str, Any] = {"command": self.command} if self.command else {}
        parts |= {"call": self.call} | ({"settings": self.settings} if self.settings else {})
        parts |= {"versions": versions(), "hardware": hardware(), "started": self.started}
        return json.dumps(parts)


def merged(one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both, level by level; where both have a value that of `other`, unless it is None.

    Examples
    --------
    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}, "d": None})
    {'a': {'b': 1, 'c': 3}}
    """
    result = dict(one)
    for name, value in other.items():
        before = result.get(name)
        if isinstance(value, Mapping):
            result[name] = merged(before if isinstance(before, dict) else {}, value)
        elif value is not None:
            result[name] = value
    return result


def current() -> Record:
    """The record of the call that runs; of none, one that goes nowhere."""
    return _CURRENT.get() or Record({"function": "", "arguments": {}})


@contextmanager
def command_line(text: str) -> Iterator[None]:
    """While it lasts, records say that this command was typed."""
    token = _COMMAND.set(text)
    try:
        yield
    finally:
        _COMMAND.reset(token)


@contextmanager
def _running(record: Record) -> Iterator[Record]:
    token = _CURRENT.set(record)
    try:
        yield record
    finally:
        _CURRENT.reset(token)


def unrecorded() -> AbstractContextManager[Record]:
    """A context in which calls leave no records, as within another; gives the notes that they make."""
    return _running(Record({"function": "", "arguments": {}}))


def call_of(name: str, signature: inspect.Signature, args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The call of a function by its public name: all arguments with their defaults, but those of `WHERE`."""
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    arguments: dict[str, Any] = {}
    for parameter, value in bound.arguments.items():
        if signature.parameters[parameter].kind is inspect.Parameter.VAR_KEYWORD:
            arguments |= {other: plain(one) for other, one in value.items()}
        elif parameter not in WHERE:
            arguments[parameter] = plain(value)
    return {"function": f"edgphys.{name}", "arguments": arguments}


def recorded(name: str) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Decorator of a function that gives a dataset, which then carries its record.

    Parameters
    ----------
    name : str
        Its public name, as in ``edgphys.<name>``.

    Examples
    --------
    >>> import xarray as xr
    >>> @recorded("estimators.two")
    ... def two(seed, *, n=3):
    ...     return xr.Dataset({"two": 2.0})
    >>> json.loads(two(1).attrs["provenance"])["call"]
    {'function': 'edgphys.estimators.two', 'arguments': {'seed': 1, 'n': 3}}
    """

    def decorate(function: Callable[_P, _T]) -> Callable[_P, _T]:
        NAMES.add(name)
        signature = inspect.signature(function)
        running, record_of, attr = _running, _record_of, ATTR

        def call(*args: Any, **kwargs: Any) -> Any:
            record = record_of(name, signature, args, kwargs)
            if record is None:
                return function(*args, **kwargs)
            with running(record):
                result: Any = function(*args, **kwargs)
            result = result.assign_attrs({attr: record.text})
            result.encoding = {}  # it is no longer what is in a file that it was made from
            return result

        # With the globals of the function, by which doctest knows the module that it belongs to.
        own = types.FunctionType(call.__code__, function.__globals__, name, None, call.__closure__)
        return functools.wraps(function)(own)  # pyright: ignore[reportReturnType]

    return decorate


def _record_of(
    name: str, signature: inspect.Signature, args: Any, kwargs: Mapping[str, Any]
) -> Record | None:
    """A record for the outermost call, if it is one that can be made at all."""
    if _CURRENT.get() is not None:
        return None
    try:
        return Record(call_of(name, signature, args, kwargs), _COMMAND.get())
    except TypeError:  # the function says better which argument is wrong
        return None
