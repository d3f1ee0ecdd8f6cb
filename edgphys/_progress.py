# SPDX-License-Identifier: MIT
"""The progress bar, on stderr, of everything that takes long: scans, training, weighted draws, chains."""

from __future__ import annotations

import sys
from typing import Self

__all__ = ["ProgressBar"]


class ProgressBar:
    """A bar with words beside it, and lines above it; as a context manager it begins and ends.

    Parameters
    ----------
    words : str
        What is at work.
    total : int or None
        Steps; None as long as their number is unknown.
    progress : bool or None
        Whether to show anything. None: only if stderr is a terminal.
    keep : bool
        Leave the finished bar on the screen, and write it into a file or a pipe too.

    Examples
    --------
    >>> with ProgressBar("draws", total=10, progress=False) as bar:
    ...     bar.advance(4)
    ...     bar.update(done=10)
    """

    def __init__(self, words: str, total: int | None, progress: bool | None, *, keep: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        shown = sys.stderr.isatty() if progress is None else bool(progress)
        about = TextColumn("{task.description}", markup=False)
        columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(), about)
        self._console = Console(stderr=True, quiet=not shown)
        silent = not (shown and (keep or self._console.is_terminal))
        self._bar = Progress(*columns, console=self._console, transient=not keep, disable=silent)
        self._task = self._bar.add_task(words, total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def advance(self, steps: int) -> None:
        """So many steps more; from any thread."""
        self._bar.advance(self._task, steps)

    def update(self, done: int | None = None, words: str | None = None, total: int | None = None) -> None:
        """Set what is given: steps done, the words, the number of steps."""
        self._bar.update(self._task, completed=done, description=words, total=total)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
