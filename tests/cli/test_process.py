# SPDX-License-Identifier: MIT
"""The command as a process of its own, with the real generator: what it writes, prints and loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import edgphys as ep
import lattices
from edgphys import dataset

ROOT = Path(__file__).parents[2]
# What takes long to import.
HEAVY = {"torch", "netket", "jax", "scipy.stats", "scipy.signal", "arviz", "pymbar", "matplotlib", "dask"}
EXACT = "scan ising --extent 4 --temperature 2:3:3 --method exact --quiet"


def run(folder, command: str, **environment: str) -> subprocess.CompletedProcess:
    """``edgphys <command>`` in `folder`, with what it loaded as the last line of stderr."""
    code = (
        "import atexit, sys; from edgphys.cli.app import run\n"
        "atexit.register(lambda: print(*[m for m in sys.modules if sys.modules[m]], file=sys.stderr))\n"
        "run()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *command.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )
    *said, loaded = result.stderr.splitlines()
    assert result.returncode == 0 and not said, result.stdout + result.stderr
    result.loaded = set(loaded.split())
    return result


@pytest.mark.slow
def test_a_generator_is_trained_shown_and_drawn(tmp_path):
    """Few steps on 4 x 4: the weights are unbiased for any network, so log Z agrees with enumeration."""
    settings = "--n-steps 20 --n-samples 1000 --seed 1 --quiet --out a.nc"
    run(tmp_path, f"scan ising --extent 4 --temperature 2.5 --method edg --method exact {settings}")
    table = dataset.read(tmp_path / "a.nc").isel(temperature=0)
    edg, exact = (table.sel({"method": name}) for name in ("edg", "exact"))
    known = ep.Ising(lattices.build("square", (4, 4)), temperature=2.5).exact_results()["log_z"]
    assert float(exact["log_z"]) == pytest.approx(known, rel=1e-12)
    assert 0 < float(edg["log_z_err"]) < 0.2
    assert abs(float(edg["log_z"]) - known) < 4 * float(edg["log_z_err"])

    shown = run(tmp_path, "show a.nc")
    (row,) = [line.split() for line in shown.stdout.splitlines() if "log_z" in line and "elbo" not in line]
    assert row[1] == "2.5" and row[3] == f"{known:.10g}" and row[-1] == "exact"
    assert not shown.loaded & {*HEAVY, "numba", "scipy"}

    run(tmp_path, "plot a.nc -o a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.nc", "a.png"]


def test_an_exact_scan_starts_nothing_heavy_and_compiles_once(tmp_path):
    """What a process has compiled is on disk for the next."""
    run(tmp_path, f"{EXACT} --out a.nc")
    again = run(tmp_path, f"{EXACT} --out b.nc", NUMBA_DEBUG_CACHE="1")
    assert "data loaded from" in again.stdout and "data saved to" not in again.stdout
    assert not again.loaded & HEAVY


def test_help_and_systems_start_nothing_heavy(tmp_path):
    for command in ("--help", "scan --help"):
        assert not run(tmp_path, command).loaded & {*HEAVY, "numba", "scipy", "xarray"}
    # the energies of the systems are compiled functions
    assert not run(tmp_path, "systems").loaded & {*HEAVY, "xarray"}
