# SPDX-License-Identifier: MIT
"""A file is the old one or the new one in full; a lock holds between processes and dies with them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from helpers.datasets import weighted
from helpers.scans import stub_scan

import edgphys as ep
from edgphys import dataset
from edgphys._files import check_target, locked, write_whole
from edgphys.edg.core.archive import write_archive
from edgphys.errors import DatasetError, FileTakenError
from edgphys.mcmc.core.checkpoint import write_arrays


def test_a_file_takes_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "a.json"
    seen = []

    def write(temporary):
        temporary.write_text("new")
        seen.append((temporary.parent, temporary.suffix, path.exists()))

    write_whole(path, write)
    assert path.read_text() == "new" and seen == [(tmp_path, ".json", False)]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "failure", [OSError(28, "disk full", "a.tmp"), RuntimeError("disk full\nfrom C++")], ids=["system", "C++"]
)
def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def write(temporary):
        temporary.write_bytes(b"half")
        raise failure

    with pytest.raises(DatasetError, match=r"a\.bin cannot be written: disk full$"):
        write_whole(path, write)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@contextlib.contextmanager
def full_disk(limit):
    """No file grows beyond `limit` bytes; the system says so as it does on a full disk, at a write."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("kind", ["netCDF", "archive of torch", "archive of numpy", "picture"])
def test_on_a_full_disk_every_kind_of_file_is_one_line_and_the_old_one(tmp_path, kind):
    path, big = tmp_path / "a.png", np.random.default_rng(0).standard_normal(20_000)

    def write():
        if kind == "netCDF":
            dataset.write(weighted(20_000), path, overwrite=True)
        elif kind == "archive of torch":
            write_archive(path, {"weights": torch.from_numpy(big)})
        elif kind == "archive of numpy":
            write_arrays(path, {}, {"rows": big})
        else:
            ep.plot(stub_scan(), path=path, overwrite=True)

    write()  # everything is imported before files may not grow
    assert len(path.read_bytes()) > 8_000
    path.write_bytes(b"old")
    with full_disk(8_000), pytest.raises(DatasetError, match=r"a\.png cannot be written: File too large$"):
        write()
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_file_that_appears_while_writing_is_kept_and_the_new_one_is_beside_it(tmp_path, monkeypatch, links):
    path = tmp_path / "a.bin"

    def refused(*names):
        raise OSError(1, "Operation not permitted")

    def write(temporary):
        temporary.write_bytes(b"mine")
        path.write_bytes(b"theirs")

    if not links:
        monkeypatch.setattr(os, "link", refused)
    for number in (1, 2):
        with pytest.raises(
            FileTakenError, match=rf"not overwritten; the new file is .*a-{number}\.bin$"
        ) as caught:
            write_whole(path, write, overwrite=False)
        assert caught.value.kept == tmp_path / f"a-{number}.bin" and caught.value.kept.read_bytes() == b"mine"
    assert path.read_bytes() == b"theirs" and len(list(tmp_path.iterdir())) == 3
    write_whole(path, lambda temporary: temporary.write_bytes(b"mine"))
    assert path.read_bytes() == b"mine"
    write_whole(tmp_path / "b.bin", write, overwrite=False)
    assert (tmp_path / "b.bin").read_bytes() == b"mine"


def test_paths_that_cannot_be_written_are_refused_one_line(tmp_path):
    path = tmp_path / "a.nc"
    assert check_target(str(path), "out", overwrite=False) == path
    path.touch()
    assert check_target(path, "out") == path
    with pytest.raises(
        DatasetError, match=r"^out: .*a\.nc exists and is not overwritten; name another"
    ) as caught:
        check_target(path, "out", overwrite=False)
    assert caught.value.argument == "out"
    with pytest.raises(DatasetError, match=r"^out: the folder .*none does not exist$"):
        check_target(tmp_path / "none" / "a.nc", "out")
    (tmp_path / "nowhere.nc").symlink_to(tmp_path / "gone")
    with pytest.raises(DatasetError, match=r"nowhere\.nc exists and is not overwritten"):
        check_target(tmp_path / "nowhere.nc", "out", overwrite=False)
    with pytest.raises(DatasetError, match=r"^out must be a file, got the folder "):
        check_target(tmp_path, "out")


def test_a_lock_is_held_by_one_process_and_freed_by_its_end(tmp_path):
    path = tmp_path / "lock"
    code = f"""
from pathlib import Path
from edgphys._files import locked
with locked(Path({str(path)!r}), "held"):
    print("mine", flush=True)
    input()
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"mine\n"
    with pytest.raises(DatasetError, match=r"^held by another$"), locked(path, "held by another"):
        pass
    other.kill()
    other.wait()
    other.stdin.close()
    other.stdout.close()
    with locked(path, "held by another"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_lock_that_is_given_up_is_taken_by_one_of_those_that_want_it(tmp_path):
    """Whoever has opened the file that its holder then removes must not hold it beside the next one."""
    path, inside, most = tmp_path / "lock", [0], [0]

    def work():
        for _ in range(200):
            with contextlib.suppress(DatasetError), locked(path, "held by another"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] and not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"none cannot be written to: No such file or directory$"):
        with locked(tmp_path / "none" / "lock", "held"):
            pass
