# SPDX-License-Identifier: MIT
"""``edgphys sample`` of a generator, killed by force while it draws, goes on when it is run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import xarray as xr
from helpers.samplers import quick_field, square

from edgphys import dataset
from edgphys.cli.app import main

# Each batch is told on stdout once its state is on disk.
SCRIPT = """
import os, sys
from edgphys.edg.weights import draws_checkpoint as module
module._PERIOD, module._LARGEST_SHARE = -1.0, 1e9
remember = module.DrawsCheckpoint.remember
module.DrawsCheckpoint.remember = lambda *args: (remember(*args), os.write(1, b"\\n"))
from edgphys.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_killed_command_goes_on_to_the_same_bits_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    quick_field(square()).save("model.pt")
    command = (
        "sample --algorithm edg --model model.pt --n-samples 40000 --option batch_size=200 --quiet --out"
    )
    words = [sys.executable, "-c", SCRIPT, *command.split(), "a.nc"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert [process.stdout.readline() for _ in range(5)] == [b"\n"] * 5
        assert main([*command.split(), "a.nc"]) == 2  # both at once
        os.kill(process.pid, signal.SIGKILL)
    assert "another command is writing a.nc now" in capsys.readouterr().err
    assert os.path.exists("a.nc.chains") and not os.path.exists("a.nc")
    assert main([*command.split(), "a.nc"]) == 0 and main([*command.split(), "b.nc"]) == 0
    resumed, whole = (dataset.read(name) for name in ("a.nc", "b.nc"))
    xr.testing.assert_identical(resumed.drop_attrs(), whole.drop_attrs())
    assert (
        resumed.attrs["wall_time"] > resumed.attrs["earlier_time"] > 0.0 and "earlier_time" not in whole.attrs
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.nc", "b.nc", "model.pt"]
