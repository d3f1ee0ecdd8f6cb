# SPDX-License-Identifier: MIT
"""What a long scan says while it runs: a bar that tells of the cells at work, a line for each finished cell.

Of a cell at work it tells what that tells itself: steps, bound, remaining time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Self

from edgphys._progress import ProgressBar, foreseen_by, reporting_to, who_foresees

__all__ = ["ScanProgress"]

_ALL = "for all points"


class ScanProgress:
    """The bar of a scan and its lines, on stderr; a context manager.

    Parameters
    ----------
    progress : bool or None
        As for `edgphys._progress.ProgressBar`.
    """

    def __init__(self, progress: bool | None) -> None:
        self._foresee = who_foresees()
        with foreseen_by(None):  # cells know more than the bar over all of them
            self._bar = ProgressBar(self._words, None, progress)
        self._finished = self._total = 0
        self._at_work: dict[str, str] = {}  # cells, and what they tell
        self._begun: dict[str, float] = {}
        self._left: dict[str, int] = {}  # cells of each method
        self._seconds: dict[str, float] = {}  # of a cell of each, as far as is known
        self._n_workers, self._told = 1, 0.0

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

    def begin(
        self, total: int, finished: int, left: Mapping[str, int] | None = None, n_workers: int = 1
    ) -> None:
        """Cells in all, those finished before, those left of each method, and how many at once."""
        self._left, self._n_workers = dict(left or {}), n_workers
        self._total, self._finished = total, finished
        self._bar.update(finished, total=total)
        if finished:
            self._bar.say(f"{finished} of {total} cells were finished before")

    @contextlib.contextmanager
    def preparing(self, method: str, size: str = "") -> Iterator[None]:
        """While the method prepares what all points share, or those of one size."""
        label = f"{_ALL} of {size}" if size else _ALL
        self.start(method, label)
        try:
            with reporting_to(self.listener(method, label)):
                yield
        finally:
            self._at_work.clear()

    def start(self, method: str, label: str) -> None:
        """The cell of `method` at the point `label` begins."""
        self._at_work[f"{method} {label}"] = ""
        self._begun[f"{method} {label}"] = time.monotonic()

    def listener(self, method: str, label: str) -> Callable[[str], None]:
        """What that cell is to tell its state to, in words; from any thread."""
        name = f"{method} {label}"

        def listen(words: str) -> None:
            if name in self._at_work:
                self._at_work[name] = words
            self._bar.tell()

        return listen

    def finish(self, method: str, label: str, seconds: float) -> None:
        """The cell has taken so many seconds."""
        self._finished += 1
        self._left[method] = self._left.get(method, 1) - 1
        begun = self._begun.pop(f"{method} {label}", None)
        if begun is not None:
            self.foresee(method, time.monotonic() - begun)
        # On a cluster nobody tells which cells are at work.
        self._at_work.pop(f"{method} {label}", None)
        self._bar.update(self._finished)
        width = len(str(self._total))
        self._bar.say(
            f"[{self._finished:{width}d}/{self._total}] {method:<10s} {label:<24s} {seconds:7.1f} s"
        )

    def foresee(self, method: str, seconds: float) -> None:
        """A cell of `method` takes so long: who has asked is told what all will, if twice as much."""
        if self._foresee is None:
            return
        self._seconds[method] = max(seconds, self._seconds.get(method, 0.0))
        total = sum(each * self._left.get(name, 0) for name, each in self._seconds.items()) / self._n_workers
        if total > 2.0 * self._told:
            self._told = total
            self._foresee(total)

    def _words(self) -> str:
        at_work = [f"{name}: {words}" if words else name for name, words in list(self._at_work.items())]
        more = f" and {len(at_work) - 2} more" if len(at_work) > 2 else ""
        return "; ".join(at_work[:2]) + more
