# SPDX-License-Identifier: MIT
"""Whether a scan gives the same numbers on a cluster, whatever the workers, and if one of them is killed.

Runs the command line's scan here and on dask clusters of 1, 2 and 4 workers, processes of one thread on the
loopback, and on two of which one is killed while it computes. Question, run time and result are in README.md;
writes cluster.json into this folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from distributed import Client

from edgphys import dataset
from edgphys.recording.machine import hardware, versions
from edgphys.reruns.comparison import differences
from studies.cluster.loopback import ROOT, cluster

FOLDER = Path(__file__).parent
SCAN = "scan ising --extent 8 --temperature 1.8:3.2:12 --method edg --method wolff --seed 1 --quiet"
SIZES = "--n-steps 10 --n-samples 5000 --n-sweeps 300000 --n-chains 4"
QUICK = "--n-steps 5 --n-samples 100 --n-sweeps 10000 --n-chains 2"
CASES = {"2 workers, one killed": 2, "1 worker": 1, "2 workers": 2, "4 workers": 4}


def scan_in(folder: Path, out: str, command: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "edgphys", *command.split(), "--out", out]
    return subprocess.Popen(words, cwd=folder, env=environment)


def here(folder: Path, command: str, out: str = "here.nc") -> float:
    """Seconds of the scan in one process, one cell after the other."""
    begin = time.perf_counter()
    assert scan_in(folder, out, f"{command} --workers 1").wait() == 0
    return time.perf_counter() - begin


def on_cluster(folder: Path, command: str, n_workers: int, kill: bool) -> dict[str, Any]:
    """Seconds of the scan on a cluster whose workers are there, and what differs from the one here."""
    place = folder / f"{n_workers}{'-killed' if kill else ''}"
    place.mkdir()
    with cluster(place, n_workers) as made:
        with Client(scheduler_file=str(made.file)) as client:
            client.wait_for_workers(n_workers, timeout=300)
        begin = time.perf_counter()
        process = scan_in(place, "out.nc", f"{command} --scheduler-file {made.file}")
        n_before = 0
        while kill and process.poll() is None:
            n_before = len(list((place / "out.nc.partial").glob("cell-*.json")))
            if n_before >= 3:
                made.workers[0].kill()
                break
            time.sleep(0.02)
        assert process.wait() == 0
        seconds = time.perf_counter() - begin
    before, now = (dataset.read(path) for path in (folder / "here.nc", place / "out.nc"))
    told = {"seconds": round(seconds, 1), "differences": list(differences(before, now))}
    return told | ({"cells_before_the_kill": n_before} if kill else {})


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--quick", action="store_true", help="a smoke run: small sizes, nothing written")
    quick = options.parse_args().quick
    command = f"{SCAN} {QUICK if quick else SIZES}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results: dict[str, Any] = {"here, 1 worker": {"seconds": round(here(folder, command), 1)}}
        for case, n_workers in CASES.items():
            results[case] = on_cluster(folder, command, n_workers, "killed" in case)
            print(case, results[case], flush=True)
            if not quick:
                store(command, results)


def store(command: str, results: dict[str, Any]) -> None:
    """Write what there is by now."""
    record = {"command": f"edgphys {command}", "load": round(os.getloadavg()[0], 1), "results": results}
    record |= {"hardware": hardware(), "versions": versions()}
    (FOLDER / "cluster.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
