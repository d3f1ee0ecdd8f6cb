# SPDX-License-Identifier: MIT
"""How long the command line takes to start: CPU seconds over those of the imports that nobody can avoid.

    python studies/benchmarks/startup/run.py

One minute on a quiet machine. The two processes of a pair run one after the other; a first round fills the
caches of byte code and of numba and does not count. Writes ``startup.json`` beside this file.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

N_PAIRS = 7
LIMIT = 1.3
LIGHT = "import numpy, xarray, h5netcdf, typer, rich"
HEAVY = "import torch, numba, xarray, h5netcdf, typer, rich"
SCAN = "scan ising --extent 4 --temperature 2:3:3 --method exact --overwrite --out x.nc"
COMMANDS = {SCAN: HEAVY, "--help": LIGHT, "systems": LIGHT, "show x.nc": LIGHT}


def cpu_seconds(arguments: list[str], folder: str) -> float:
    """User and system time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(command: str, imports: str, folder: str) -> dict:
    """CPU seconds of `command` and of `imports` by turns, and the median of their ratios."""
    pairs = [
        (cpu_seconds(["-m", "edgphys.cli", *command.split()], folder), cpu_seconds(["-c", imports], folder))
        for _ in range(N_PAIRS + 1)
    ][1:]
    ratios = [ours / theirs for ours, theirs in pairs]
    return {
        "imports": imports,
        "seconds": round(statistics.median(ours for ours, _ in pairs), 2),
        "seconds_imports": round(statistics.median(theirs for _, theirs in pairs), 2),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_lowest": round(min(ratios), 2),
        "ratio_highest": round(max(ratios), 2),
    }


def main() -> None:
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for command, imports in COMMANDS.items():
            results[command] = measure(command, imports, folder)
            row = results[command]
            verdict = "" if row["ratio"] <= LIMIT else f", above {LIMIT}"
            print(f"edgphys {command}: {row['seconds']} s, ratio {row['ratio']}{verdict}", flush=True)
    Path(__file__).with_name("startup.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
