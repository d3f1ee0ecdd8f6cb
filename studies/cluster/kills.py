# SPDX-License-Identifier: MIT
"""Twenty scans by the command line, each killed once (SIGKILL) at another moment, and run again.

A scan trains one generator for a range of temperatures and then draws from it and runs chains at each; the
moments are spread evenly over its CPU seconds. Are the datasets those of an undisturbed scan, and how much
work does a kill cost? Question, run time and result are in README.md; writes kills.json into this folder.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from edgphys import dataset
from edgphys.recording.machine import hardware, versions
from edgphys.reruns.comparison import differences
from studies.cluster.run import here, scan_in

FOLDER = Path(__file__).parent
SCAN = "scan ising --extent 8 --temperature 1.8:3.2:4 --method edg --method wolff --seed 1 --quiet"
SIZES = "--n-steps 400 --n-samples 10000 --n-sweeps 200000 --n-chains 4"
QUICK = "--n-steps 20 --n-samples 500 --n-sweeps 2000 --n-chains 2"
N_KILLS = 20


def kill_at(process: subprocess.Popen, seconds: float) -> None:
    """Kill a scan after so many CPU seconds: these hardly depend on what else the machine does."""
    scan = psutil.Process(process.pid)
    while sum(scan.cpu_times()[:2]) < seconds:
        assert process.poll() is None, "the scan ended before it could be killed"
        time.sleep(0.05)
    process.kill()
    process.wait()


def newest(partial: Path) -> float:
    """When a state was last written, in seconds since the epoch; 0 if none was."""
    return max((path.stat().st_mtime for path in partial.rglob("*") if path.is_file()), default=0.0)


def scan_with_a_kill(folder: Path, command: str, seconds: float) -> dict[str, Any]:
    """The scan killed after so many CPU seconds and run again; what differs from the one in here.nc."""
    folder.mkdir()
    begin = time.time()
    kill_at(scan_in(folder, "out.nc", f"{command} --workers 1"), seconds)
    partial = folder / "out.nc.partial"
    told: dict[str, Any] = {"cpu_seconds": round(seconds, 1), "cells": len(list(partial.glob("cell-*.json")))}
    told["seconds_lost"] = round(min(time.time() - newest(partial), time.time() - begin), 2)
    again = here(folder, command, "out.nc")
    before, now = (dataset.read(path) for path in (folder.parent / "here.nc", folder / "out.nc"))
    return told | {"seconds_of_the_rest": round(again, 1), "differences": list(differences(before, now))}


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--quick", action="store_true", help="a smoke run: small sizes, nothing written")
    quick = options.parse_args().quick
    command, n_kills = f"{SCAN} {QUICK if quick else SIZES}", 2 if quick else N_KILLS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        here(folder, command)
        undisturbed = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        results = []
        for number in range(n_kills):
            seconds = undisturbed * (number + 0.5) / n_kills
            results.append(scan_with_a_kill(folder / str(number), command, seconds))
            print(number, results[-1], flush=True)
    if quick:
        return
    record = {"command": f"edgphys {command}", "cpu_seconds": round(undisturbed, 1), "kills": results}
    record |= {"load": round(os.getloadavg()[0], 1), "hardware": hardware(), "versions": versions()}
    (FOLDER / "kills.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
