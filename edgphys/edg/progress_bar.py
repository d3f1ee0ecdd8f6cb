# SPDX-License-Identifier: MIT
"""The bar that training and sampling show on stderr."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(total: int, progress: bool | None) -> Iterator[Callable[[int, float], None]]:
    """A function to call with (done, loss); silent without a terminal unless asked for."""
    if progress is None:
        progress = os.isatty(2)
    if not progress:
        yield lambda done, loss: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def on_step(done: int, loss: float) -> None:
            description = f"bound {-loss:.2f}" if loss else "draws"
            bar.update(task, completed=done, description=description)

        yield on_step
