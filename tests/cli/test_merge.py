# SPDX-License-Identifier: MIT
"""``edgphys merge``: what `edgphys.merge` gives, in a file, or one line and exit code 2."""

from __future__ import annotations

import pytest
import xarray as xr
from helpers.datasets import bare, chains, exact, weighted

import edgphys as ep
from edgphys import dataset
from edgphys.cli.app import main


def written(folder, *datasets):
    return [str(dataset.write(each, folder / f"{k}.nc")) for k, each in enumerate(datasets)]


@pytest.mark.parametrize(
    "parts",
    [(weighted(seed=1), weighted(seed=2)), (chains(seed=1), chains(seed=2)), (exact(2.0), exact(3.0))],
    ids=["draws", "chains", "estimates"],
)
def test_the_file_is_what_the_function_gives(tmp_path, capsys, parts):
    assert main(["merge", *written(tmp_path, *parts), "--out", str(tmp_path / "all.nc")]) == 0
    xr.testing.assert_identical(bare(dataset.read(tmp_path / "all.nc")), bare(ep.merge(parts)))
    assert capsys.readouterr().out.startswith(f"wrote {tmp_path}/all.nc (")


def test_copies_and_files_that_are_there_are_refused(tmp_path, capsys):
    (one,) = written(tmp_path, weighted(seed=1))
    assert main(["merge", one, one, "--out", str(tmp_path / "all.nc")]) == 2
    assert "the same draws twice" in capsys.readouterr().err and not (tmp_path / "all.nc").exists()
    assert main(["merge", one, "--out", one]) == 2
    assert "is not overwritten" in capsys.readouterr().err
