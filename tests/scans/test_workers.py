# SPDX-License-Identifier: MIT
"""Calls in threads: every result once, who is told what in which thread; stopping is soon and complete."""

from __future__ import annotations

import threading
import time

import pytest

from edgphys._threads import cpu_count
from edgphys.scans.workers import run_in_threads


def forever():
    while True:
        time.sleep(0.005)


def workers():
    return [thread for thread in threading.enumerate() if "_work" in thread.name]


@pytest.mark.parametrize("n_workers", [1, 2, 7, 50])
def test_every_call_is_made_once(n_workers):
    made = []

    def call(n):
        made.append(n)
        return n * n

    results = list(run_in_threads([(n, lambda n=n: call(n)) for n in range(20)], n_workers))
    assert sorted(results) == [(n, n * n) for n in range(20)] and sorted(made) == list(range(20))
    assert not workers()


def test_no_calls_give_nothing():
    assert list(run_in_threads([], 3)) == []


def test_calls_overlap():
    barrier = threading.Barrier(3, timeout=10)
    assert len(list(run_in_threads([(n, barrier.wait) for n in range(3)], 3))) == 3


def test_started_is_told_in_the_thread_of_the_caller():
    told = []
    calls = [(n, threading.get_ident) for n in range(4)]
    results = dict(run_in_threads(calls, 2, lambda key: told.append((key, threading.get_ident()))))
    assert sorted(told) == [(n, threading.get_ident()) for n in range(4)]
    assert threading.get_ident() not in results.values()


@pytest.mark.parametrize("failure", [ValueError("seven"), KeyboardInterrupt()])
def test_failure_of_one_stops_the_others(failure):
    def fail():
        raise failure

    with pytest.raises(type(failure)):
        list(run_in_threads([("a", forever), ("b", fail), ("c", forever)], 2))
    assert not workers()


def test_leaving_early_stops_the_others():
    results = run_in_threads([("a", forever), ("b", int)], 2)
    assert next(results) == ("b", 0)
    results.close()
    assert not workers()


def test_stopping_cleans_up_and_is_repeated_where_it_is_swallowed():
    """As in a callback from compiled code, where Python prints an exception and goes on."""
    begun, swallowed, cleaned = threading.Event(), threading.Event(), threading.Event()

    def stubborn():
        try:
            try:
                begun.set()
                forever()
            except BaseException:
                swallowed.set()
            forever()
        finally:
            cleaned.set()

    results = run_in_threads([("a", stubborn), ("b", begun.wait)], 2)
    assert next(results) == ("b", True)
    results.close()
    assert swallowed.is_set() and cleaned.is_set() and not workers()


@pytest.mark.parametrize(("seconds", "n_left"), [(1.0, 0), (4.0, 1)])
def test_what_does_not_come_back_soon_is_not_waited_for(seconds, n_left):
    release = threading.Event()
    results = run_in_threads([("a", lambda: release.wait(seconds)), ("b", int)], 2)
    next(results)
    results.close()
    left = workers()
    release.set()
    for thread in left:
        thread.join()
    assert len(left) == n_left


def test_there_is_a_cpu():
    assert cpu_count() >= 1
