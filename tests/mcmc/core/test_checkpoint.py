# SPDX-License-Identifier: MIT
"""A run of chains that is cut anywhere goes on to the same bits, and a file of another run is refused."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import xarray as xr

import lattices
from edgphys.errors import DatasetError
from edgphys.mcmc import algorithms_for, run
from edgphys.systems import Ising, Phi4

driver = importlib.import_module("edgphys.mcmc.core.driver")
checkpoint_module = importlib.import_module("edgphys.mcmc.core.checkpoint")

SYSTEMS = {
    "square": lambda: Ising(lattices.build("square", (4, 6)), 2.3),
    "square_field": lambda: Ising(lattices.build("square", (4, 6)), 2.3, field=0.1),
    "phi4": lambda: Phi4(lattices.build("square", (4, 6)), 0.25, 0.022),
}
CASES = [(name, algorithm) for name, make in SYSTEMS.items() for algorithm in algorithms_for(make())]


class Killed(Exception):
    pass


def cut_after(monkeypatch, n_pieces):
    """The process dies after so many pieces; what is on disk stays."""
    left = [n_pieces]

    def remember(self, c):
        real(self, c)
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    real = checkpoint_module.Checkpoint.remember
    monkeypatch.setattr(checkpoint_module.Checkpoint, "remember", remember)


@pytest.mark.parametrize("name, algorithm", CASES)
def test_a_run_cut_anywhere_continues_to_the_same_bits(monkeypatch, tmp_path, name, algorithm):
    system = SYSTEMS[name]()
    arguments = dict(n_chains=3, n_sweeps=40, seed=5, n_warmup=20, thin=2, keep=True)
    reference = run(system, algorithm, **arguments)
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 6 * system.n_sites)
    monkeypatch.setattr(checkpoint_module, "_PERIOD", 0.0)
    path = tmp_path / "chain.npz"
    # One group of multi-spin coding is done in eleven pieces, three chains in three times as many.
    for n_pieces in (1, 2, 3) if algorithm == "multispin" else (1, 2, 4, 7):
        with monkeypatch.context() as patch:
            cut_after(patch, n_pieces)
            with pytest.raises(Killed):
                run(system, algorithm, **arguments, checkpoint=path)
        assert path.stat().st_size > 0
    xr.testing.assert_equal(run(system, algorithm, **arguments, checkpoint=path), reference)
    # A finished file gives the result again, and can be extended.
    xr.testing.assert_equal(run(system, algorithm, **arguments, checkpoint=path), reference)
    longer = arguments | {"n_sweeps": 60}
    xr.testing.assert_equal(
        run(system, algorithm, **longer, checkpoint=path), run(system, algorithm, **longer)
    )


SCRIPT = """
import os, sys, lattices, edgphys.mcmc.core.checkpoint as c, importlib
importlib.import_module("edgphys.mcmc.core.driver")._UPDATES_PER_PIECE = 20_000
c._PERIOD = 0.0
remember = c.Checkpoint.remember
c.Checkpoint.remember = lambda *args: (remember(*args), os.write(1, b"\\n"))
from edgphys.systems import Ising
system = Ising(lattices.build("square", (16, 16)), 2.3)
ds = importlib.import_module("edgphys.mcmc").run(
    system, "wolff", n_chains=2, n_sweeps=20_000, seed=3, checkpoint=sys.argv[1])
ds.to_netcdf(sys.argv[2], engine="h5netcdf")
"""


def test_a_killed_process_resumes_to_the_same_bits(tmp_path):
    path, out = tmp_path / "chain.npz", tmp_path / "out.nc"
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        lines = [process.stdout.readline() for _ in range(20)]  # each comes after a writing, or at the end
        os.kill(process.pid, signal.SIGKILL)
    assert lines == [b"\n"] * 20 and process.returncode == -signal.SIGKILL
    assert path.exists() and not out.exists(), "the run ended before it could be killed"
    system = Ising(lattices.build("square", (16, 16)), 2.3)
    resumed = run(system, "wolff", n_chains=2, n_sweeps=20_000, seed=3, checkpoint=path)
    xr.testing.assert_equal(resumed, run(system, "wolff", n_chains=2, n_sweeps=20_000, seed=3))


def test_a_file_of_another_run_or_a_damaged_one_is_refused_and_kept(tmp_path):
    system, path = SYSTEMS["square"](), tmp_path / "chain.npz"
    run(system, "wolff", 2, 20, seed=1, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(DatasetError, match="belongs to a run with seed = 1, got 2"):
        run(system, "wolff", 2, 20, seed=2, checkpoint=path)
    with pytest.raises(DatasetError, match="belongs to a run with parameters = "):
        run(system.replace(temperature=2.0), "wolff", 2, 20, seed=1, checkpoint=path)
    with pytest.raises(DatasetError, match="belongs to a run with n_warmup = 4, got 2"):
        run(system, "wolff", 2, 10, seed=1, checkpoint=path)
    with pytest.raises(ValueError, match="n_sweeps must be at least the 20 in"):
        run(system, "wolff", 2, 10, seed=1, n_warmup=4, checkpoint=path)
    assert path.read_bytes() == before
    path.write_bytes(before[:100])
    with pytest.raises(DatasetError, match="cannot be read"):
        run(system, "wolff", 2, 20, seed=1, checkpoint=path)
    assert path.read_bytes() == before[:100]
    with pytest.raises(DatasetError, match=r"folder .* does not exist"):
        run(system, "wolff", 2, 20, seed=1, checkpoint=tmp_path / "none" / "chain.npz")


def test_a_failed_writing_leaves_the_old_file(monkeypatch, tmp_path):
    system, path = SYSTEMS["square"](), tmp_path / "chain.npz"
    run(system, "wolff", 2, 20, seed=1, n_warmup=4, checkpoint=path)
    before = path.read_bytes()

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(DatasetError, match=r"chain\.npz cannot be written: No space left"):
        run(system, "wolff", 2, 40, seed=1, n_warmup=4, checkpoint=path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["chain.npz"]
