# SPDX-License-Identifier: MIT
"""What all that is printed shares: where to, the frame of a table, values without an error."""

from __future__ import annotations

import sys

from rich import box
from rich.console import Console
from rich.table import Table

__all__ = ["empty_table", "new_console", "plain_value"]


def new_console() -> Console:
    """Standard output."""
    # Into a file or a pipe nothing is cut: without a terminal rich would take 80 columns.
    return Console(emoji=False, width=None if sys.stdout.isatty() else 180)


def empty_table(title: str) -> Table:
    """A table with a title, to be filled."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, title_style="italic")


def plain_value(value: float | str) -> str:
    """A parameter as it was given."""
    return value if isinstance(value, str) else f"{value:g}"
