# SPDX-License-Identifier: MIT
"""Pieces of a page: text, tables and pictures as HTML that needs no other file."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from edgphys.report.console import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["escaped", "escaped_lines", "folded", "picture", "table", "unordered"]


def escaped(text: object) -> str:
    """Text as it is, whatever a file has put into it.

    >>> escaped("<b>1 & 2")
    '&lt;b&gt;1 &amp; 2'
    """
    return html.escape(printable(str(text)))


def escaped_lines(text: str) -> str:
    """`escaped`, with its line breaks."""
    return "\n".join(map(escaped, text.splitlines()))


def table(view: Table) -> str:
    """A table of the terminal: numbers to the right, what is in colour there stands out here."""
    kinds = [" class='number'" if column.justify == "right" else "" for column in view.columns]

    def line(cells: Iterable[object], tag: str, end: str = "") -> str:
        words = (f"<{tag}{kind}>{_cell(one)}</{tag}>" for one, kind in zip(cells, kinds, strict=True))
        return f"<tr{end}>{''.join(words)}</tr>"

    head = line((column.header for column in view.columns), "th")
    rows = zip(*(column.cells for column in view.columns), strict=True)
    ends = (" class='end'" if row.end_section else "" for row in view.rows)
    body = "".join(line(row, "td", end) for row, end in zip(rows, ends, strict=True))
    caption = f"<caption>{_cell(view.title)}</caption>" if view.title else ""
    return f"<div class='wide'><table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table></div>"


def _cell(cell: object) -> str:
    words = escaped(cell.plain if isinstance(cell, Text) else cell)
    alarm = isinstance(cell, Text) and bool(cell.style)
    return f"<strong class='alarm'>{words}</strong>" if alarm else words


def picture(figure: Figure, words: str) -> str:
    """A figure within the page, and beneath it the words that also stand for it where it cannot be seen."""
    from matplotlib import rc_context

    content = io.BytesIO()
    with rc_context({"svg.hashsalt": "edgphys"}):  # the same page for the same data
        figure.savefig(content, format="svg", metadata={"Date": None})
    source = base64.b64encode(content.getvalue()).decode()
    return (
        f"<figure><img alt='{escaped(words)}' src='data:image/svg+xml;base64,{source}'>"
        f"<figcaption>{escaped(words)}</figcaption></figure>"
    )


def unordered(lines: Iterable[str]) -> str:
    """A list of lines of text."""
    return f"<ul>{''.join(f'<li>{escaped(line)}</li>' for line in lines)}</ul>"


def folded(title: str, content: str) -> str:
    """HTML that is shown on demand, and in print."""
    return f"<details><summary>{escaped(title)}</summary>{content}</details>"
