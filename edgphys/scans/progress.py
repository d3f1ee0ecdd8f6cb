# SPDX-License-Identifier: MIT
"""What a long scan says while it runs: a bar on stderr, and a line for each finished cell."""

from __future__ import annotations

import contextlib
import sys

__all__ = ["SilentReport", "report"]


def report(progress: bool | None) -> SilentReport:
    """The report that `progress` asks for; None: a bar if stderr is a terminal."""
    if progress is None:
        progress = sys.stderr.isatty()
    return _BarReport() if progress else SilentReport()


class SilentReport:
    """Says nothing."""

    def __enter__(self) -> SilentReport:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def begin(self, total: int, finished: int) -> None:
        pass

    def start(self, method: str, label: str) -> None:
        pass

    def finish(self, method: str, label: str, seconds: float) -> None:
        pass


class _BarReport(SilentReport):
    """A bar on stderr that names the cells at work, and a line for each finished cell."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        console = Console(stderr=True)
        self.bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.console = console
        self.task = self.bar.add_task("", total=None)
        self.finished = self.total = 0
        self.at_work: list[str] = []

    def __enter__(self) -> _BarReport:
        self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.stop()

    def begin(self, total: int, finished: int) -> None:
        self.total, self.finished = total, finished
        self.bar.update(self.task, total=total, completed=finished)
        if finished:
            self.console.print(f"{finished} of {total} cells were finished before", highlight=False)

    def start(self, method: str, label: str) -> None:
        self.at_work.append(f"{method} {label}")
        self._describe()

    def finish(self, method: str, label: str, seconds: float) -> None:
        self.finished += 1
        with contextlib.suppress(ValueError):  # on a cluster nobody tells which cells are at work
            self.at_work.remove(f"{method} {label}")
        self.bar.update(self.task, completed=self.finished)
        self._describe()
        width = len(str(self.total))
        line = f"[{self.finished:{width}d}/{self.total}] {method:<10s} {label:<24s} {seconds:7.1f} s"
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _describe(self) -> None:
        more = f" and {len(self.at_work) - 2} more" if len(self.at_work) > 2 else ""
        self.bar.update(self.task, description=", ".join(self.at_work[:2]) + more)
