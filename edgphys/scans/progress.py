# SPDX-License-Identifier: MIT
"""What a long scan says while it runs: a bar that names the cells at work, a line for each finished cell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Self

from edgphys._progress import ProgressBar

__all__ = ["ScanProgress"]


class ScanProgress:
    """The bar of a scan and its lines, on stderr; a context manager.

    Parameters
    ----------
    progress : bool or None
        As for `edgphys._progress.ProgressBar`.
    """

    def __init__(self, progress: bool | None) -> None:
        self._bar = ProgressBar("", None, progress)
        self._finished = self._total = 0
        self._at_work: list[str] = []

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.__exit__(*exception)

    def plan(self, plans: Mapping[str, str]) -> None:
        """What methods, by name, are going to prepare for all points, of those that have a plan."""
        for method, words in plans.items():
            if words:
                self._bar.say(f"{method}: {words}")

    def begin(self, total: int, finished: int) -> None:
        """Cells in all, and those that an earlier scan has finished."""
        self._total, self._finished = total, finished
        self._bar.update(finished, total=total)
        if finished:
            self._bar.say(f"{finished} of {total} cells were finished before")

    @contextlib.contextmanager
    def preparing(self, method: str) -> Iterator[None]:
        """While the method prepares what all points share."""
        self.start(method, "for all points")
        try:
            yield
        finally:
            self._at_work.clear()
            self._describe()

    def start(self, method: str, label: str) -> None:
        """The cell of `method` at the point `label` begins."""
        self._at_work.append(f"{method} {label}")
        self._describe()

    def finish(self, method: str, label: str, seconds: float) -> None:
        """The cell has taken so many seconds."""
        self._finished += 1
        with contextlib.suppress(ValueError):  # on a cluster nobody tells which cells are at work
            self._at_work.remove(f"{method} {label}")
        self._describe()
        width = len(str(self._total))
        self._bar.say(
            f"[{self._finished:{width}d}/{self._total}] {method:<10s} {label:<24s} {seconds:7.1f} s"
        )

    def _describe(self) -> None:
        more = f" and {len(self._at_work) - 2} more" if len(self._at_work) > 2 else ""
        self._bar.update(self._finished, ", ".join(self._at_work[:2]) + more)
