# SPDX-License-Identifier: MIT
"""A scan that runs or was stopped is shown as far as it is; what is beside a file and not ours is refused."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from helpers.scans import install_stub_edg

from edgphys import dataset
from edgphys.cli.app import main
from edgphys.errors import DatasetError
from edgphys.scans.unfinished import unfinished

SCAN = (
    "scan ising --extent 3 --method edg --method exact --n-samples 50 --temperature 2:3:3 --workers 1".split()
)
SCAN += ["--quiet", "--out", "a.nc"]
NOT_OURS = ["[]", "3", "null", '"text"', "{}", '{"settings": [1]}', "[" * 100_000, "\x00", ""]


@pytest.fixture
def stub(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return install_stub_edg(monkeypatch)


def stopped(stub, after, words=SCAN):
    stub.fail_at = len(stub.log) + after
    assert main(words) == 130
    stub.fail_at = None


def test_a_scan_is_shown_while_it_runs(stub, tmp_path, capsys, monkeypatch):
    real, texts = stub.sample, []

    def sample(self, *arguments, **options):
        assert main(["show", "a.nc"]) == 0
        texts.append(capsys.readouterr().out)
        return real(self, *arguments, **options)

    monkeypatch.setattr(stub, "sample", sample)
    assert main(SCAN) == 0
    assert [text.splitlines()[0] for text in texts] == [f"unfinished: {n} of 6 cells" for n in range(3)]
    assert "ising on square 3x3 periodic" in texts[0] and "energy" not in texts[0]
    # The first of three points is there; the others are neither trusted nor untrusted.
    diagnostics = texts[1].split("diagnostics")[1]
    assert re.search(r"edg +2\.0 .* (yes|no) ", diagnostics)
    assert len(re.findall(r"^ +(?:2\.5|3\.0)(?: +-){5} *$", diagnostics, re.MULTILINE)) == 2


def test_a_stopped_scan_is_a_table_of_what_is_finished(stub, tmp_path, capsys):
    stopped(stub, 2)
    found = unfinished(tmp_path / "a.nc")
    assert (found.n_finished, found.n_cells, found.line) == (2, 6, "unfinished: 2 of 6 cells")
    assert found.table.sizes == {"method": 2, "temperature": 3}
    assert np.isfinite(found.table["energy"].values).tolist() == [[True, True, False], [False] * 3]
    dataset.validate(found.table)
    capsys.readouterr()
    assert main(["plot", "a.nc", "-o", "a.png"]) == 0 and (tmp_path / "a.png").exists()
    assert capsys.readouterr().out.startswith("unfinished: 2 of 6 cells\nwrote a.png")
    assert main(["show", "a.nc.partial"]) == 0
    assert main(SCAN) == 0 and unfinished(tmp_path / "a.nc") is None
    done = dataset.read("a.nc")
    np.testing.assert_array_equal(found.table["energy"][0, :2], done["energy"][0, :2])


def test_a_file_to_which_a_scan_adds_is_shown_and_counts(stub, capsys):
    assert main(SCAN) == 0
    more = [word.replace("2:3:3", "2:3:5") for word in SCAN]
    stopped(stub, 1, more)
    capsys.readouterr()
    assert main(["show", "a.nc"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("unfinished: 7 of 10 cells, of the scan that adds to a.nc\n") and "log_z" in out


def test_the_state_of_another_command_is_named(stub, tmp_path, capsys):
    (tmp_path / "b.nc.chains").write_bytes(b"state")
    assert main(["show", "b.nc"]) == 2
    assert "b.nc is unfinished, b.nc.chains holds the state" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["scan.json", "plan.json"])
def test_what_is_beside_the_file_and_not_ours_is_refused_by_name(stub, tmp_path, capsys, name):
    stopped(stub, 1)
    for text in NOT_OURS:
        (tmp_path / "a.nc.partial" / name).write_text(text)
        with pytest.raises(
            DatasetError, match=rf"{name} cannot be read \(.*; remove the folder .*partial, or"
        ):
            unfinished(tmp_path / "a.nc")
        capsys.readouterr()
        assert main(["show", "a.nc"]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    # A plan is written anew; what the cells are is not known without the other.
    assert main(SCAN) == (2 if name == "scan.json" else 0)
    if name == "scan.json":
        assert "scan.json cannot be read" in capsys.readouterr().err
        assert main([*SCAN, "--overwrite"]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["a.nc"]


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_cells_that_are_none_are_computed_again(stub, tmp_path, capsys, overwrite):
    assert main(SCAN) == 0
    wanted = dataset.read("a.nc")
    (tmp_path / "a.nc").unlink()
    cells = [*NOT_OURS, '{"method": "edg", "point": "temperature=2", "result": 3}']
    cells += ['{"method": "edg", "point": "temperature=2", "result": {"values": {"energy": "x"}}}']
    stopped(stub, 1)
    (cell,) = (tmp_path / "a.nc.partial").glob("cell-*.json")
    for number, text in enumerate(cells):
        cell.write_text(text) if number == 0 else cell.with_name(f"cell-edg-{number}.json").write_text(text)
    cell.with_name("cell-edg-state.pt").write_text("no state")
    cell.with_name("cell-edg-folder.json").mkdir()
    assert unfinished(tmp_path / "a.nc").n_finished == 0
    assert main([*SCAN, *overwrite]) == 0
    np.testing.assert_array_equal(dataset.read("a.nc")["energy"], wanted["energy"])
    assert [file.name for file in tmp_path.iterdir()] == ["a.nc"]


def test_cells_without_a_word_of_what_they_are_do_not_count(stub, tmp_path):
    stopped(stub, 2)
    (tmp_path / "a.nc.partial" / "scan.json").unlink()
    for cell in (tmp_path / "a.nc.partial").glob("cell-*.json"):
        record = json.loads(cell.read_text())
        record["result"]["values"]["energy"] = 1e6
        cell.write_text(json.dumps(record))
    assert main(SCAN) == 0
    assert float(np.abs(dataset.read("a.nc")["energy"]).max()) < 1e3
