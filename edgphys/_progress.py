# SPDX-License-Identifier: MIT
"""The progress of everything that takes long: scans, training, weighted draws, chains; on stderr.

On a terminal it is a bar: steps, time that has passed, time that remains, words. In a file or a pipe it is a
line now and then. A bar within another (the training of a cell of a scan) tells its words to that one.

Whoever wants to know beforehand how long something is going to take, asks to be told (`foreseen_by`): each
bar tells it once, from its own rate, a second after its first step.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Self

__all__ = ["Foresee", "ProgressBar", "duration", "foreseen_by", "reporting_to", "who_foresees"]

Foresee = Callable[[float], None]  # told how many seconds are left

_LOG_EVERY = 30.0  # seconds between two lines where there is no terminal
_SECOND = 1.0  # after which a rate is one, without what was compiled for the first step
_FORESEE: ContextVar[Foresee | None] = ContextVar("foresee", default=None)
_LISTENER: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


class ProgressBar:
    """A bar with words beside it, and lines above it; as a context manager it begins and ends.

    Parameters
    ----------
    words : str or callable
        What is at work; a callable is asked anew for every picture of the bar.
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

    def __init__(
        self,
        words: str | Callable[[], str],
        total: int | None,
        progress: bool | None,
        *,
        keep: bool = False,
    ) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.text import Text

        class About(ProgressColumn):
            def render(column, task) -> Text:
                return Text(self._about())

        shown = sys.stderr.isatty() if progress is None else bool(progress)
        columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(), About())
        self._console = Console(stderr=True, quiet=not shown)
        silent = not (shown and (keep or self._console.is_terminal))
        self._bar = Progress(*columns, console=self._console, transient=not keep, disable=silent)
        self._words = words if callable(words) else None
        self._task = self._bar.add_task("" if callable(words) else words, total=total)
        self._listener, self._foresee = _LISTENER.get(), _FORESEE.get()
        self._first: tuple[float, float] | None = None
        self._logs = shown and not self._console.is_terminal
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def advance(self, steps: int) -> None:
        """So many steps more; from any thread."""
        self._bar.advance(self._task, steps)
        self._look_ahead()
        self.tell()

    def update(self, done: int | None = None, words: str | None = None, total: int | None = None) -> None:
        """Set what is given: steps done, the words, the number of steps."""
        self._bar.update(self._task, completed=done, description=words, total=total)
        self._look_ahead()
        self.tell()

    def _look_ahead(self) -> None:
        """Tell how long all will take, as soon as it can be told, to who has asked."""
        foresee, task = self._foresee, self._bar.tasks[0]
        if foresee is None or task.total is None:
            return
        now = time.monotonic()
        if self._first is None:
            self._first = now, task.completed
            return
        seconds, steps = now - self._first[0], task.completed - self._first[1]
        if seconds >= _SECOND and steps > 0:
            self._foresee = None
            foresee((task.total - task.completed) * seconds / steps)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def tell(self) -> None:
        """Tell the state to the bar around this one, or print it, if the last time is long ago."""
        if self._listener is not None:
            self._listener(self.line())
        elif self._logs and time.monotonic() - self._last > _LOG_EVERY:
            self._last = time.monotonic()
            self.say(self.line())

    def line(self) -> str:
        """The state in words, such as ``250/1000 bound -43.21, 12.0 s left``."""
        task = self._bar.tasks[0]
        steps = f"{task.completed:.0f}/{task.total:.0f} " if task.total is not None else ""
        # Of what tells its parts in words these know more: they differ too much for a rate of all.
        left = None if self._words is not None else task.time_remaining
        return f"{steps}{self._about()}" + (f", {duration(left)} left" if left else "")

    def _about(self) -> str:
        return self._bar.tasks[0].description if self._words is None else self._words()


@contextlib.contextmanager
def reporting_to(listener: Callable[[str], None]) -> Iterator[None]:
    """While it lasts, bars that this thread makes tell their state to `listener`, whether shown or not.

    Examples
    --------
    >>> with reporting_to(print), ProgressBar("draws", total=10, progress=False) as bar:
    ...     bar.advance(4)
    4/10 draws
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


@contextlib.contextmanager
def foreseen_by(foresee: Foresee | None) -> Iterator[None]:
    """While it lasts, bars that this thread makes tell `foresee` how many seconds are left, each once.

    What it raises ends the computation.
    """
    token = _FORESEE.set(foresee)
    try:
        yield
    finally:
        _FORESEE.reset(token)


def who_foresees() -> Foresee | None:
    """Who has asked, in this thread."""
    return _FORESEE.get()


def duration(seconds: float) -> str:
    """Words for a time.

    Examples
    --------
    >>> duration(3.14159), duration(75.2), duration(5e4), duration(1e6)
    ('3.1 s', '1 min 15 s', '13 h 53 min', '11 d 13 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, days = minutes // 60, minutes // 1440
    if hours < 1:
        return f"{minutes} min {rest} s"
    return f"{hours} h {minutes % 60} min" if days < 1 else f"{days} d {hours % 24} h"
