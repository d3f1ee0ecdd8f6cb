# SPDX-License-Identifier: MIT
"""One progress bar for all: on stderr, silent unless asked for, told from any thread."""

from __future__ import annotations

import threading

import pytest

from edgphys._progress import ProgressBar


@pytest.mark.parametrize("progress", [False, None])
def test_without_a_terminal_nothing_is_said_unless_asked_for(capsys, progress):
    with ProgressBar("at work", 3, progress, keep=True) as bar:
        bar.advance(1)
        bar.update(2, "nearly")
        bar.say("a line")
    assert capsys.readouterr() == ("", "")


def test_lines_and_the_bar_that_is_kept_are_on_stderr(capsys):
    with ProgressBar("at [work]", 3, True, keep=True) as bar:
        bar.say("a [line]")
        threads = [threading.Thread(target=bar.advance, args=(1,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    out, err = capsys.readouterr()
    assert not out and err.startswith("a [line]\n") and "at [work]" in err and "2/3" in err


def test_a_bar_that_is_not_kept_leaves_its_lines_only(capsys):
    with ProgressBar("at work", None, True) as bar:
        bar.update(1, "nearly", total=2)
        bar.say("a line")
    assert capsys.readouterr() == ("", "a line\n")
