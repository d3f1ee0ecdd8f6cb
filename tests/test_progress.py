# SPDX-License-Identifier: MIT
"""One progress bar for all: on stderr, silent unless asked for, told from any thread."""

from __future__ import annotations

import threading

import pytest

from edgphys import _progress
from edgphys._progress import ProgressBar, reporting_to
from edgphys.scans.progress import ScanProgress


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


@pytest.mark.parametrize("progress", [True, None])
def test_without_a_terminal_a_line_now_and_then_says_how_far_it_is(capsys, monkeypatch, progress):
    with ProgressBar("training", 10, progress) as bar:
        bar.update(1, "bound -9.00")
        monkeypatch.setattr(_progress, "_LOG_EVERY", -1.0)
        bar.update(5, "bound -3.00")
        bar.advance(2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == (
        ["5/10 bound -3.00", "7/10 bound -3.00"] if progress else []
    )


def test_a_bar_within_another_tells_its_steps_and_the_time_that_is_left(monkeypatch):
    heard = []
    with reporting_to(heard.append), ProgressBar("draws", 4, False) as bar:
        for _ in range(3):
            bar.advance(1)
    assert heard[0] == "1/4 draws" and heard[-1].startswith("3/4 draws") and "left" in heard[-1]
    with ProgressBar("draws", 4, False) as bar:
        bar.advance(1)
    assert len(heard) == 3


def test_the_bar_of_a_scan_tells_of_the_cells_at_work(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "_LOG_EVERY", -1.0)
    progress = ScanProgress(True)
    with progress:
        progress.begin(2, 0)
        progress.start("edg", "temperature=2")
        with reporting_to(progress.listener("edg", "temperature=2")), ProgressBar("", 9, False) as bar:
            bar.update(3, "bound -1.50")
        progress.finish("edg", "temperature=2", 1.0)
    err = capsys.readouterr().err
    assert "0/2 edg temperature=2: 3/9 bound -1.50\n" in err
    assert "[1/2] edg        temperature=2" in err.splitlines()[-1]
