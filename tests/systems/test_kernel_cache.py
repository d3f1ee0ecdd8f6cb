# SPDX-License-Identifier: MIT
"""Where no folder for compiled kernels can be written, the package is imported all the same, in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import edgphys
from edgphys.systems import kernel_cache

ROOT = Path(edgphys.__file__).parents[1]


@pytest.fixture
def no_folder(monkeypatch):
    """A numba that finds none until it is given one; what is changed in it is put back."""
    for kind in (kernel_cache.Dispatcher, kernel_cache.CFunc):
        monkeypatch.setattr(kind, "enable_caching", kind.enable_caching)
    monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)
    monkeypatch.setattr(kernel_cache, "_finds_a_folder", lambda: False)
    monkeypatch.setattr(kernel_cache.atexit, "register", lambda *arguments, **options: None)


def test_a_folder_of_the_process_stands_in(no_folder, caplog):
    kernel_cache.ensure_cache()
    (line,) = caplog.messages
    folder = numba.config.CACHE_DIR
    assert line == (
        "edgphys: no folder for compiled kernels can be written (set NUMBA_CACHE_DIR); "
        f"they are kept in {folder} until this process ends"
    )
    assert os.path.isdir(folder) and not os.listdir(folder)
    shutil.rmtree(folder)


def test_without_any_folder_kernels_are_not_kept(no_folder, monkeypatch, caplog):
    def none(**options):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(kernel_cache.tempfile, "mkdtemp", none)
    kernel_cache.ensure_cache()
    assert caplog.messages[0].endswith("; every process compiles them anew") and len(caplog.messages) == 1
    kernel = numba.njit(cache=True)(lambda x: x + 1)  # of a lambda numba would keep one file
    assert kernel(1) == 2 and not kernel.stats.cache_path


def test_where_there_is_a_folder_nothing_changes(monkeypatch, caplog):
    before = numba.config.CACHE_DIR
    kernel_cache.ensure_cache()
    assert numba.config.CACHE_DIR == before and not caplog.messages


@pytest.mark.slow
@pytest.mark.parametrize("temporary", [True, False])
def test_a_package_in_folders_that_cannot_be_written(tmp_path, temporary):
    for package in ("edgphys", "lattices"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [tmp_path, *(one for one in tmp_path.rglob("*") if one.is_dir())]:
        (folder / "__pycache__").touch()  # a file, so that nobody, not even root, can write into it
    nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache"}
    # No folder at all: not the usual ones, and the current one neither.
    code = "" if temporary else "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/dev/null']; "
    code += "import edgphys as ep; s = ep.DoubleWell(); "
    code += "print(ep.mcmc.run(s, 'random_walk', n_chains=1, n_sweeps=20, seed=0).sizes['draw'])"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=tmp_path,
        env=os.environ | nowhere | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout == "20\n", done.stderr
    said = [line for line in done.stderr.splitlines() if "edgphys" in line]
    assert len(said) == 1 and ("until this process ends" in said[0]) == temporary
