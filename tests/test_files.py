# SPDX-License-Identifier: MIT
"""A file is the old one or the new one in full; a lock holds between processes and dies with them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgphys._files import check_target, locked, write_whole
from edgphys.errors import DatasetError


def test_a_file_takes_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "a.json"
    seen = []

    def write(temporary):
        temporary.write_text("new")
        seen.append((temporary.parent, temporary.suffix, path.exists()))

    write_whole(path, write)
    assert path.read_text() == "new" and seen == [(tmp_path, ".json", False)]
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def write(temporary):
        temporary.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, write)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_file_that_appears_while_writing_is_kept(tmp_path):
    path = tmp_path / "a.bin"

    def write(temporary):
        temporary.write_bytes(b"mine")
        path.write_bytes(b"theirs")

    with pytest.raises(
        DatasetError, match=r"a\.bin exists and is not overwritten: it was made while writing"
    ):
        write_whole(path, write, overwrite=False)
    assert path.read_bytes() == b"theirs" and list(tmp_path.iterdir()) == [path]
    write_whole(path, lambda temporary: temporary.write_bytes(b"mine"))
    assert path.read_bytes() == b"mine"


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
