# SPDX-License-Identifier: MIT
"""What will take long says so, from its own rate; what takes days is not gone on with unless told."""

from __future__ import annotations

import importlib
import itertools
from types import SimpleNamespace

import pytest

from edgphys import _progress
from edgphys._progress import ProgressBar, foreseen_by
from edgphys.cli import run_arguments
from edgphys.cli.app import main

driver = importlib.import_module("edgphys.mcmc.core.driver")

POINT = "ising --extent 4 --temperature 2.5"
COMMANDS = {
    "sample": f"sample {POINT} --n-sweeps 1000 --n-chains 1",
    "edg": f"free-energy {POINT} --method edg --option n_steps=3 --n-samples 50",
    "scan": f"scan {POINT} --method wolff --n-sweeps 1000 --n-chains 1 --workers 1",
}


def clock_of(monkeypatch, read):
    """Bars read another clock than all else."""
    monkeypatch.setattr(_progress, "time", SimpleNamespace(monotonic=read))


@pytest.fixture
def slow(monkeypatch):
    """An hour goes by whenever a bar looks at the clock, and pieces of a run are small."""
    hours = itertools.count()
    clock_of(monkeypatch, lambda: 3600.0 * next(hours))
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 1600)


def test_a_bar_tells_once_how_long_is_left_from_its_own_rate(monkeypatch):
    told, clock = [], [0.0]
    clock_of(monkeypatch, lambda: clock[0])
    with foreseen_by(told.append), ProgressBar("steps", 100, progress=False) as bar:
        for seconds, steps in ((50.0, 1), (0.5, 1), (1.5, 3), (2.0, 4)):  # the first compiles
            clock[0] += seconds
            bar.advance(steps)
    assert told == [pytest.approx(95 * 2.0 / 4)]
    with ProgressBar("steps", 100, progress=False) as bar:
        bar.advance(1)
    assert len(told) == 1


@pytest.mark.parametrize("name", ["sample", "scan", pytest.param("edg", marks=pytest.mark.slow)])
def test_what_takes_days_is_refused_and_leaves_nothing(slow, tmp_path, capsys, monkeypatch, name):
    words = [*COMMANDS[name].split(), "--quiet", "--out", str(tmp_path / "a.nc")]
    monkeypatch.setattr(run_arguments, "_MOST", 1800.0)
    assert main(words) == 2
    _, err = capsys.readouterr()
    assert err.startswith("edgphys: error: about ") and err.count("\n") == 1
    assert "are left, at the rate of the first second; what takes more than 30 min 0 s is computed" in err
    assert not list(tmp_path.iterdir())
    assert main([*words, "--yes"]) == 0


def test_what_takes_hours_says_so_and_what_is_short_says_nothing(slow, tmp_path, capsys, monkeypatch):
    words = [*COMMANDS["sample"].split(), "--out"]
    assert main([*words, str(tmp_path / "a.nc"), "--yes"]) == 0
    assert " are left, at the rate of the first second\n" in capsys.readouterr().err
    monkeypatch.undo()
    assert main([*words, str(tmp_path / "b.nc")]) == 0
    assert "are left" not in capsys.readouterr().err
