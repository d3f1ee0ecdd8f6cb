# SPDX-License-Identifier: MIT
"""A dask scheduler and workers as processes of their own on the loopback, each in an empty folder."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["Cluster", "cluster"]

ROOT = Path(__file__).parents[2]


class Cluster:
    """Processes of one cluster; `file` is its scheduler file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", self.file
        )
        self.workers: list[subprocess.Popen] = []

    def add_worker(self) -> subprocess.Popen:
        """Start one more worker of one thread, in a folder of its own."""
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60")
        worker = self._start("worker", "--scheduler-file", self.file, *options)
        self.workers.append(worker)
        return worker

    def _start(self, kind: str, *options) -> subprocess.Popen:
        place = self.folder / f"{kind}-{time.monotonic_ns()}"
        place.mkdir()
        if kind == "worker":
            options = (*options, "--local-directory", place)
        command = [sys.executable, "-m", "dask", kind, "--host", "127.0.0.1", *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with open(place / "log", "w") as log:
            return subprocess.Popen(
                list(map(str, command)), cwd=place, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def wait_for_file(self, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while not self.file.exists():
            assert time.monotonic() < end and self.scheduler.poll() is None
            time.sleep(0.1)

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@contextlib.contextmanager
def cluster(folder: Path, n_workers: int):
    """A cluster with some workers, stopped at the end."""
    made = Cluster(folder)
    try:
        made.wait_for_file()
        for _ in range(n_workers):
            made.add_worker()
        yield made
    finally:
        made.stop()
