# SPDX-License-Identifier: MIT
"""Scans on a dask cluster: the same numbers as here, whoever is killed, and little that stays on workers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.scans import install_stub_edg

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.cli.app import main
from edgphys.errors import ArgumentValueError, ClusterError
from edgphys.reruns.comparison import differences
from edgphys.scans import cluster as module
from edgphys.scans.cluster import cluster_client
from edgphys.scans.progress import ScanProgress
from studies.cluster.loopback import ROOT, cluster

SQUARE = lattices.build("square", (4, 4))
SCAN = "scan ising --extent 4 --temperature 2:3:12 --method edg --method wolff --n-steps 5 --n-samples 200"
SCAN += " --n-sweeps 40000 --n-chains 4 --seed 3 --quiet"


def client_here():
    from distributed import Client

    return Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None)


def scan(client=None, n_points=20, **options):
    return ep.scan(
        lambda t: ep.Ising(SQUARE, temperature=t), temperature=[2.0 + 0.1 * k for k in range(n_points)],
        methods=["edg", "exact"], seed=0, n_samples=16, scheduler=client, progress=False, **options,
    )  # fmt: skip


def test_few_tasks_wait_and_no_result_stays(monkeypatch):
    stub = install_stub_edg(monkeypatch, conditional=True)
    held = []
    with client_here() as client:
        finish = ScanProgress.finish

        def watched(self, *about):
            held.append(len(client.futures))
            finish(self, *about)

        monkeypatch.setattr(ScanProgress, "finish", watched)
        found = scan(client)
        assert not client.futures
    assert len(held) == 40 and max(held) <= 4 + 2 and len(stub.trained) == 1
    monkeypatch.setattr(ScanProgress, "finish", finish)
    assert not differences(scan(), found)


def test_a_worker_of_another_version_is_refused(monkeypatch):
    install_stub_edg(monkeypatch)
    monkeypatch.setattr(module, "_version", iter([*["0.0.1"] * 2, *["0.0.2"] * 100]).__next__)
    with client_here() as client, pytest.raises(ClusterError, match=r"^workers must have edgphys 0\.0\.1"):
        scan(client, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("nowhere", None), "^scheduler must be the address of a dask scheduler, .* got 'nowhere'$"),
        (("tcp://127.0.0.1:9", None), "got 'tcp://127.0.0.1:9', where none answers within 0 s$"),
        (("tcp://a:1", Path("b")), "^scheduler must be left out with --scheduler-file"),
        ((None, Path("no_such_file")), "^scheduler_file must be a file that .* got no_such_file"),
    ],
)
def test_what_is_no_scheduler_is_refused_in_one_line(monkeypatch, options, words):
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    with pytest.raises(ArgumentValueError, match=words) as caught, cluster_client(*options):
        pass
    assert "\n" not in str(caught.value)


def start(folder, command):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "edgphys", *command.split()], cwd=folder, env=environment)


def wait_until(condition, process, seconds=300.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end and process.poll() is None, "ended, or nothing comes"
        time.sleep(0.02)


def n_cells(folder, method="*"):
    return len(list((folder / "out.nc.partial").glob(f"cell-{method}-*.json")))


@pytest.mark.slow
def test_a_killed_worker_and_a_killed_client_change_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(f"{SCAN} --out here.nc".split()) == 0
    with cluster(tmp_path, 2) as made:
        command = f"{SCAN} --scheduler-file {made.file} --out out.nc"
        client = start(tmp_path, command)
        wait_until(lambda: n_cells(tmp_path) >= 2, client)
        made.workers[0].kill()
        wait_until(lambda: n_cells(tmp_path) >= 4, client)
        client.kill()
        client.wait()
        finished = n_cells(tmp_path)
        (model,) = (tmp_path / "out.nc.partial").glob("*.model")
        trained_at = model.stat().st_mtime_ns
        assert 4 <= finished < 24
        again = start(tmp_path, command)
        wait_until(lambda: n_cells(tmp_path) > finished, again)
        assert model.stat().st_mtime_ns == trained_at
        assert again.wait(300) == 0
    assert not differences(dataset.read("here.nc"), dataset.read("out.nc"))
    assert ep.provenance("out.nc")["command"] == f"edgphys {command}"
    folders = [one for one in tmp_path.iterdir() if one.name.startswith("worker")]
    assert not [path for one in folders for path in one.rglob("*.nc*")]


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [1, 4])
def test_numbers_do_not_depend_on_the_workers(tmp_path, monkeypatch, n_workers):
    monkeypatch.chdir(tmp_path)
    brief = SCAN.replace("40000", "200")
    assert main(f"{brief} --out here.nc".split()) == 0
    with cluster(tmp_path, n_workers) as made:
        assert main(f"{brief} --scheduler-file {made.file} --out out.nc".split()) == 0
    assert not differences(dataset.read("here.nc"), dataset.read("out.nc"))
    other = f"{brief} --out other.nc".replace("--seed 3", "--seed 4")
    assert main(other.split()) == 0 and differences(dataset.read("here.nc"), dataset.read("other.nc"))
