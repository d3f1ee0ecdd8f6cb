# SPDX-License-Identifier: MIT
"""Threads: how many a computation takes, in one rule, and how torch gets its own back afterwards.

Torch cuts single operations into threads that wait for each other actively, thousands of times per second.
Here operations are small, up to some hundred thousand numbers, and where another process wants one of the
CPUs, every operation waits for the thread that has lost it: a step of training on 8 x 8 sites was seen to
take 25 times as much CPU time with two threads on two busy CPUs, and a whole training thirty times as long.
So the generator takes one thread unless told (``n_threads`` of `edgphys.EDG`), which also sums in one order
everywhere: the number of threads changes the last digits and, through training, the samples.

Whole chains, blocks of annealed draws, trials of growing clusters and cells of a scan wait for nothing but
their end: they take as many threads as this process may use CPUs, chains one where cells run side by side or
on a cluster. Their number changes no result.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["cpu_count", "kept_torch_threads", "torch_threads"]


def cpu_count() -> int:
    """CPUs that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Threads within an operation of torch called from this thread; other threads keep theirs.

    Examples
    --------
    >>> import torch
    >>> before = torch.get_num_threads()
    >>> with torch_threads(2):
    ...     torch.get_num_threads()
    2
    >>> torch.get_num_threads() == before
    True
    """
    import torch

    with kept_torch_threads():
        torch.set_num_threads(count)
        yield


@contextmanager
def kept_torch_threads() -> Iterator[None]:
    """Afterwards torch has the threads that it has now, where it is imported by now."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
