# SPDX-License-Identifier: MIT
"""A file made by something else while a command computes is not replaced; the result is beside it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers.datasets import weighted
from helpers.scans import install_stub_edg, stub_scan

import edgphys as ep
import edgphys.mcmc
from edgphys import dataset
from edgphys.cli.app import main
from edgphys.errors import FileTakenError

SCAN = "scan ising --extent 3 --method edg --method exact --n-samples 50 --temperature 2:3:3 --workers 1"
SAMPLE = "sample ising --extent 4 --temperature 2.5 --n-sweeps 50 --n-chains 2"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def meanwhile(monkeypatch, owner, name, path="a.nc", content=b"theirs"):
    """Something else writes `path` while `owner` is at its function `name`."""
    real, path = getattr(owner, name), __import__("pathlib").Path(path)

    def both(*arguments, **options):
        path.write_bytes(content)
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, both)
    return path


def assert_kept_beside(path, folder, err, kept):
    assert err.count("\n") == 1 and re.fullmatch(
        rf"edgphys: error: {path} was made by something else meanwhile and is not overwritten; "
        rf"the new file is {kept}\n",
        err,
    )
    assert path.read_bytes() == b"theirs"
    assert sorted(file.name for file in folder.iterdir()) == sorted([path.name, kept])


@pytest.mark.parametrize("command", [SCAN, SAMPLE], ids=["scan", "sample"])
def test_a_command_keeps_what_was_made_meanwhile_and_its_own_result_beside_it(
    folder, monkeypatch, capsys, command
):
    stub = install_stub_edg(monkeypatch)
    owner, name = (stub, "fit") if command is SCAN else (edgphys.mcmc, "run")
    with monkeypatch.context() as patch:
        path = meanwhile(patch, owner, name)
        assert main([*command.split(), "--quiet", "--out", "a.nc"]) == 2
    assert_kept_beside(path, folder, capsys.readouterr().err, "a-1.nc")
    assert main([*command.split(), "--quiet", "--out", "b.nc"]) == 0
    for each, wanted in dataset.read("b.nc").drop_vars("wall_time", errors="ignore").data_vars.items():
        np.testing.assert_array_equal(dataset.read("a-1.nc")[each], wanted)


@pytest.mark.parametrize("command", [SCAN, SAMPLE], ids=["scan", "sample"])
def test_with_overwrite_it_is_replaced(folder, monkeypatch, capsys, command):
    stub = install_stub_edg(monkeypatch)
    owner, name = (stub, "fit") if command is SCAN else (edgphys.mcmc, "run")
    path = meanwhile(monkeypatch, owner, name)
    assert main([*command.split(), "--quiet", "--overwrite", "--out", "a.nc"]) == 0
    assert dataset.read(path).attrs["system"] == "ising" and list(folder.iterdir()) == [folder / "a.nc"]


def test_a_scan_that_is_extended_is_replaced_only_as_it_was(folder, monkeypatch, capsys):
    stub = install_stub_edg(monkeypatch)
    assert main([*SCAN.split(), "--quiet", "--out", "a.nc"]) == 0
    more = [*SCAN.split(), "--quiet", "--method", "mcmc", "--n-sweeps", "50", "--out", "a.nc"]
    more[more.index("2:3:3")] = "2:3:5"
    before = (folder / "a.nc").read_bytes()
    with monkeypatch.context() as patch:
        path = meanwhile(patch, stub, "fit")
        assert main(more) == 2
    assert_kept_beside(path, folder, capsys.readouterr().err.splitlines(True)[-1], "a-1.nc")
    assert dataset.read("a-1.nc").sizes == {"method": 3, "temperature": 5}
    path.write_bytes(before)
    assert main(more) == 0
    assert dataset.read("a.nc").sizes == {"method": 3, "temperature": 5}


@pytest.mark.slow
def test_python_keeps_pictures_samplers_and_datasets_beside(folder, monkeypatch):
    from matplotlib.figure import Figure

    from edgphys.edg import storage

    edg = ep.EDG(ep.DoubleWell()).fit(seed=0, n_steps=1)
    writes = {
        "a.png": (Figure, "savefig", lambda path: ep.plot(stub_scan(), ["energy"], path=path)),
        "a.pt": (storage, "package_versions", edg.save),
        "a.nc": (dataset.netcdf, "image", lambda path: dataset.write(weighted(), path)),
    }
    for name, (owner, function, write) in writes.items():
        with monkeypatch.context() as patch:
            path = meanwhile(patch, owner, function, name)
            with pytest.raises(FileTakenError) as caught:
                write(name)
        assert path.read_bytes() == b"theirs" and str(caught.value.kept) == name.replace("a.", "a-1.")
        assert len(caught.value.kept.read_bytes()) > 100
    assert ep.EDG.load("a-1.pt").system.name == edg.system.name
