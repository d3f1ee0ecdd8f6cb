# SPDX-License-Identifier: MIT
"""What all that is printed shares: where to, the frame of a table, values without an error."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["PlainTable", "empty_table", "new_console", "plain_value", "print_line", "printable"]

# Numbers that are written out.
_LONGEST_LIST = 8


def new_console() -> Console:
    """Standard output."""
    # Into a file or a pipe nothing is cut: without a terminal rich would take 80 columns.
    return Console(emoji=False, width=None if sys.stdout.isatty() else 180)


class PlainTable(Table):
    """A table whose cells are text as it is: what comes from a file is no markup."""

    def add_column(self, header: Any = "", *arguments: Any, **options: Any) -> None:
        super().add_column(_plain(header), *arguments, **options)

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*map(_plain, cells), **options)


def empty_table(title: str) -> PlainTable:
    """A table with a title, to be filled."""
    frame = {"title_justify": "left", "box": box.SIMPLE_HEAD, "pad_edge": False, "title_style": "italic"}
    return PlainTable(title=_plain(title), **frame)


def print_line(console: Console, *parts: str | tuple[str, str]) -> None:
    """Print text as it is, in one line; parts may have a style."""
    styled = [part if isinstance(part, tuple) else (part, "") for part in parts]
    line = Text.assemble(*((printable(words), style) for words, style in styled))
    console.print(line, highlight=False, soft_wrap=True)


def printable(text: str) -> str:
    r"""The text with what would move a cursor or change a colour written out.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _plain(cell: Any) -> Any:
    return Text(printable(cell)) if isinstance(cell, str) else cell


def plain_value(value: Any) -> str:
    """A parameter as it was given; of a long list how many there are.

    Examples
    --------
    >>> plain_value(0.5), plain_value({"first": 1.0, "second": -0.5}), plain_value([1.0] * 72)
    ('0.5', 'first=1,second=-0.5', 'array of 72')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return ",".join(f"{name}={plain_value(one)}" for name, one in value.items())
    if isinstance(value, list) and len(value) > _LONGEST_LIST:
        return f"array of {len(value)}"
    return f"{value:g}" if isinstance(value, int | float) else json.dumps(value)
