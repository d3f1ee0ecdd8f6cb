# SPDX-License-Identifier: MIT
"""Options written once: a command takes records of options, and typer sees the fields of these records.

A field is an option as typer has them, ``Annotated[type, typer.Option(...)]``, or a record again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

__all__ = ["MayLack", "Without", "with_fields"]


@dataclass(frozen=True)
class Without:
    """Fields of a record that a command does not offer, as in ``Annotated[Record, Without("m2")]``."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


@dataclass(frozen=True)
class MayLack:
    """Fields of a record that one may leave out, then None, as in ``Annotated[Record, MayLack("x")]``."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


def with_fields(function: Callable[..., None]) -> Callable[..., None]:
    """`function` as typer reads it: in place of each record, its fields.

    Parameters
    ----------
    function : callable
        A command. What it is called with are the options that its signature names, and records of options.

    Returns
    -------
    callable
        Of the same name and docstring, with one keyword for each option.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Place:
    ...     x: int = 1
    ...     y: int = 2
    >>> def go(place: Place, fast: bool = False) -> None:
    ...     print(place, fast)
    >>> inspect.signature(with_fields(go))
    <Signature (*, x: int = 1, y: int = 2, fast: bool = False)>
    >>> with_fields(go)(x=3, y=4, fast=True)
    Place(x=3, y=4) True
    """
    hints = get_type_hints(function, include_extras=True)
    options, records = [], {}
    for name, parameter in inspect.signature(function).parameters.items():
        records[name], left_out, may_lack = _record_of(hints[name])
        if records[name] is None:
            options.append(_option(name, hints[name], parameter.default))
            continue
        for option in _fields_of(records[name]):
            if option.name not in left_out:
                options.append(option.replace(default=None) if option.name in may_lack else option)

    def command(**given: Any) -> None:
        # A record may be called as one of its fields is.
        function(
            **{n: given[n] if record is None else _build(record, given) for n, record in records.items()}
        )

    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = inspect.Signature(options)
    command.__annotations__ = {option.name: option.annotation for option in options}
    return command


def _record_of(hint: Any) -> tuple[type | None, tuple[str, ...], tuple[str, ...]]:
    """The record that a parameter is, None for an option; its fields left out, and those that may lack."""
    marks = []
    if get_origin(hint) is Annotated:
        hint, *marks = get_args(hint)
    left_out, may_lack = (
        tuple(name for mark in marks if isinstance(mark, kind) for name in mark.names)
        for kind in (Without, MayLack)
    )
    return (hint if isinstance(hint, type) and is_dataclass(hint) else None), left_out, may_lack


def _fields_of(record: type) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(record, include_extras=True)
    for field in fields(record):
        inner, *_ = _record_of(hints[field.name])
        if inner is None:
            yield _option(field.name, hints[field.name], _default_of(field))
        else:
            yield from _fields_of(inner)


def _option(name: str, hint: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)


def _default_of(field: Field) -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default


def _build(record: type, given: dict[str, Any]) -> Any:
    hints = get_type_hints(record, include_extras=True)
    values = {}
    for field in fields(record):
        inner, *_ = _record_of(hints[field.name])
        if inner is not None:
            values[field.name] = _build(inner, given)
        elif field.name in given:
            values[field.name] = given[field.name]
    return record(**values)
