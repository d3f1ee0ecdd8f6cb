# SPDX-License-Identifier: MIT
"""How a dataset came about, in lines to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgphys.dataset.provenance import provenance

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["print_provenance", "provenance_lines"]

_INDENT = 2
_PLACES = {"$system", "$systems", "$lattice", "$dataset", "$generator"}  # their content says what they are
_VALUES = {"$tuple", "$array", "$other"}


def print_provenance(dataset: xr.Dataset) -> None:
    """Print `provenance_lines`; plain text, as long as it is, to be copied."""
    print("\n".join(provenance_lines(dataset)))


def provenance_lines(dataset: xr.Dataset) -> Iterator[str]:
    """The parts of `edgphys.provenance`, one name and value to a line.

    Examples
    --------
    >>> import edgphys as ep
    >>> list(provenance_lines(ep.wasserstein([0.0, 1.0], [1.0, 2.0], 3)))[0]
    'call       edgphys.wasserstein'
    """
    told = provenance(dataset)
    if told["command"]:
        yield f"command    {told['command']}"
    call = told["call"]
    yield f"call       {'unknown: the file has no record' if call is None else call['function']}"
    if call is not None:
        yield from _lines(call["arguments"])
    for part in ("settings", "seeds", "versions", "hardware"):
        if told[part]:
            yield part
            yield from _lines(told[part])
    yield f"started    {told['started'] or 'unknown'}"


def _lines(value: dict[str, Any], depth: int = 1) -> Iterator[str]:
    for name, one in value.items():
        head = f"{' ' * _INDENT * depth}{name.removeprefix('.')}"
        if isinstance(one, dict) and len(one) == 1 and set(one) <= _PLACES:
            (one,) = one.values()
        if isinstance(one, dict) and not set(one) & _VALUES:
            yield head if one else f"{head}  none"
            yield from _lines(one, depth + 1)
        else:
            yield f"{head}  {_words(one)}"


def _words(value: Any) -> str:
    if isinstance(value, dict):
        if "$tuple" in value:
            return f"({', '.join(map(_words, value['$tuple']))})"
        if "$array" in value:
            return _words(value["$array"][1])
        if "$other" in value:
            return f"not recorded: {value['$other']}"
        return ", ".join(f"{name} {_words(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "none"
    return "default" if value is None else str(value)
