# SPDX-License-Identifier: MIT
"""Calls in a few threads at once, that stop soon when they are told to.

Threads rather than processes: what takes time (torch, numba) lets go of the interpreter lock, nothing has to
be pickled, and no worker pays for the imports again. Workers talk to the caller through one queue, so that
files, locks and the progress bar stay with the thread that called.
"""

from __future__ import annotations

import ctypes
import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

__all__ = ["run_in_threads"]

Call = tuple[Any, Callable[[], Any]]  # a key, and what to call

_POLL = 0.5  # seconds between two looks; on Windows a wait without end does not see Ctrl-C
_PATIENCE = 2.0  # seconds that stopped workers have to end
_RETRY = 0.5


class _Stopped(BaseException):
    """Raised in a worker from outside; no `Exception`, so that no handler for failures takes it for one."""


def run_in_threads(
    calls: Sequence[Call], n_workers: int, started: Callable[[Any], None] = lambda key: None
) -> Generator[tuple[Any, Any], None, None]:
    """Results of `calls` as they come, `n_workers` at a time, begun in the order given.

    Parameters
    ----------
    calls : sequence of (key, callable)
    n_workers : int
        Threads, at least 1.
    started : callable
        Called with the key of each call that begins, in the thread of the caller.

    Yields
    ------
    (key, result)
        In order of completion.

    Raises
    ------
    BaseException
        The first that a call raises. Then, and when the caller leaves early or is interrupted, the other
        calls are stopped between two instructions of Python. What does not come back to Python within two
        seconds runs on in a daemon thread, and its result is dropped.

    Examples
    --------
    >>> sorted(run_in_threads([("a", lambda: 1), ("b", lambda: 2)], n_workers=2))
    [('a', 1), ('b', 2)]
    """
    todo: queue.SimpleQueue = queue.SimpleQueue()
    news: queue.SimpleQueue = queue.SimpleQueue()
    for call in calls:
        todo.put(call)
    workers = [threading.Thread(target=_work, args=(todo, news), daemon=True) for _ in calls[:n_workers]]
    try:
        for worker in workers:
            worker.start()
        n_done = 0
        while n_done < len(calls):
            kind, key, value = _next(news)
            if kind == "started":
                started(key)
            elif kind == "failed":
                raise value
            else:
                n_done += 1
                yield key, value
    finally:
        _stop([worker for worker in workers if worker.is_alive()])


def _work(todo: queue.SimpleQueue, news: queue.SimpleQueue) -> None:
    try:
        while True:
            try:
                key, call = todo.get_nowait()
            except queue.Empty:
                return
            news.put(("started", key, None))
            try:
                news.put(("done", key, call()))
            except _Stopped:
                raise
            except BaseException as error:
                news.put(("failed", key, error))
                return
    except _Stopped:
        return


def _next(news: queue.SimpleQueue) -> tuple[str, Any, Any]:
    while True:
        try:
            return news.get(timeout=_POLL)
        except queue.Empty:
            continue


def _stop(workers: list[threading.Thread]) -> None:
    """Raise `_Stopped` in the workers, again where it was swallowed, until they end or patience does."""
    end = time.monotonic() + _PATIENCE
    while workers and time.monotonic() < end:
        for worker in workers:
            identity = ctypes.c_ulong(worker.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(_Stopped))
        retry = time.monotonic() + _RETRY
        for worker in workers:
            worker.join(max(0.0, retry - time.monotonic()))
        workers = [worker for worker in workers if worker.is_alive()]
