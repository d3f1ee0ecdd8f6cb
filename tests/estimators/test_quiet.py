# SPDX-License-Identifier: MIT
"""Silence belongs to one thread at a time, and leaves the filters as they were."""

from __future__ import annotations

import threading
import time
import warnings

import pytest

from edgphys.estimators.quiet import quiet


def test_warnings_are_ignored_inside_and_errors_again_after():
    with quiet():
        warnings.warn("unheard", stacklevel=1)
    with pytest.raises(UserWarning, match="heard"):  # pytest turns them into errors here
        warnings.warn("heard", stacklevel=1)


def test_threads_that_overlap_put_the_filters_back():
    before, order = list(warnings.filters), []
    entered, tried, leave = (threading.Event() for _ in range(3))

    def first():
        with quiet():
            entered.set()
            leave.wait(10)
            order.append("first")

    def second():
        entered.wait(10)
        tried.set()
        with quiet():
            order.append("second")

    threads = [threading.Thread(target=call) for call in (first, second)]
    for thread in threads:
        thread.start()
    tried.wait(10)
    time.sleep(0.05)  # enough for the second to come in if nothing kept it out
    leave.set()
    for thread in threads:
        thread.join()
    assert order == ["first", "second"] and list(warnings.filters) == before
