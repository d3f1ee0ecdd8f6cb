# SPDX-License-Identifier: MIT
"""Datasets computed once more from their records: the same numbers, or one line about why not.

Controls: another seed in the record is found, as is a source that has changed.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.cli.app import main
from edgphys.errors import DatasetError
from edgphys.reruns.comparison import differences

ISING = ep.Ising(lattices.build("square", (4, 4)), temperature=2.3)
BRIEF = "--n-chains 2 --n-sweeps 100 --quiet"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str) -> int:
    return main(command.split())


def chains(seed=1, keep=False):
    return ep.mcmc.run(ISING, "wolff", n_chains=2, n_sweeps=50, seed=seed, keep=keep)


def changed(made, **arguments):
    """The dataset with other arguments in its record."""
    record = json.loads(made.attrs["provenance"])
    record["call"]["arguments"] |= arguments
    return made.assign_attrs(provenance=json.dumps(record))


def test_the_same_numbers_and_with_another_seed_others():
    made = chains()
    again = ep.rerun(made)
    assert again.is_same and again.lines == ("the numbers are the same, bit for bit",)
    other = ep.rerun(changed(made, seed=2))
    assert not other.is_same and any(line.startswith("energy: by up to ") for line in other.differences)
    assert other.lines[-1] == "versions and processor are the same"


def test_other_versions_are_named():
    made = changed(chains(), seed=2)
    record = json.loads(made.attrs["provenance"])
    record["versions"]["numpy"] = "1.0"
    line = ep.rerun(made.assign_attrs(provenance=json.dumps(record))).lines[-1]
    assert line == f"possible reasons: numpy was 1.0 and is {np.__version__}"


def test_a_derived_dataset_computes_its_source_again():
    made = ep.estimate(chains())
    assert ep.rerun(made).is_same
    source = json.loads(made.attrs["provenance"])["call"]["arguments"]["samples"]["$dataset"]
    source["call"]["arguments"]["seed"] = 2
    with pytest.raises(DatasetError, match="its source was changed in Python before it was used"):
        ep.rerun(changed(made, samples={"$dataset": source}))


def test_a_source_file_must_be_there_and_the_same(here):
    dataset.write(chains(), "draws.nc")
    made = ep.estimate(dataset.read("draws.nc"))
    assert ep.rerun(made).is_same
    dataset.write(chains(2), "draws.nc", overwrite=True)
    with pytest.raises(DatasetError, match=r"its source draws\.nc has changed since, or was used in part$"):
        ep.rerun(made)
    (here / "draws.nc").unlink()
    with pytest.raises(DatasetError, match=r"its source draws\.nc is missing$"):
        ep.rerun(made)


def test_a_source_beside_the_file_is_found_from_elsewhere(here, monkeypatch):
    dataset.write(chains(), "draws.nc")
    dataset.write(ep.estimate(dataset.read("draws.nc")), "made.nc")
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert ep.rerun("../made.nc").is_same


def test_part_of_a_file_is_not_taken_for_the_file(here):
    dataset.write(chains(), "draws.nc")
    made = ep.estimate(dataset.read("draws.nc").isel(draw=slice(20, None)))
    with pytest.raises(DatasetError, match="has changed since, or was used in part"):
        ep.rerun(made)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: ep.mcmc.run(ep.Potential(lambda x: (x**2).sum(1), n_dims=1), "random_walk", 2, 16, 1),
            "a system with a class, a function or data of its own, Potential",
        ),
        (
            lambda: ep.basins(chains(keep=True), lambda s: 1 * (s[:, 0, 0] > 0), ["down", "up"]),
            "a function of its own, ",
        ),
        (lambda: chains().drop_attrs(), "it has no record of its call"),
        (lambda: ep.wasserstein(np.arange(5000.0), [0.0, 1.0], 0), "an array of float64"),
    ],
)
def test_what_cannot_be_repeated_is_refused_in_one_line(make, words):
    with pytest.raises(DatasetError, match=r"^dataset cannot be computed again: ") as caught:
        ep.rerun(make())
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["os.system", "edgphys.dataset.write", "edgphys.mcmc.best_algorithm", ""])
def test_only_functions_that_leave_records_are_called(name):
    made = chains()
    record = json.loads(made.attrs["provenance"])
    record["call"]["function"] = name
    with pytest.raises(DatasetError, match="no function that leaves records"):
        ep.rerun(made.assign_attrs(provenance=json.dumps(record)))


def test_a_scan_of_a_lambda_is_repeated_by_its_systems():
    table = ep.scan(
        lambda t: ISING.replace(temperature=t), temperature=[2.0, 2.5], methods=["wolff", "exact"], seed=0,
        mcmc={"n_sweeps": 50, "n_chains": 2}, progress=False,
    )  # fmt: skip
    assert ep.rerun(table).is_same
    other = ep.rerun(changed(table, seed=1))
    assert any("errors" in line for line in other.differences if line.startswith("energy:"))
    settings = ep.provenance(table)["settings"]["wolff"]
    assert settings["n_warmup"] == 10 and settings["thin"] == 1 and settings["n_chains"] == 2


@pytest.mark.slow
def test_a_generator_is_trained_again_or_read_from_its_file(here):
    edg = ep.EDG(ep.DoubleWell(), decoder_size=(4, 1), encoder_size=(4, 1), n_components=1)
    edg.fit(seed=3, n_steps=2, batch_size=8, progress=False)
    made = edg.sample(16, seed=1, n_views=1, progress=False)
    told = ep.provenance(made)
    assert told["seeds"] == {"seed": 1, "self.fit.seed": 3}
    assert told["settings"]["training"].keys() >= {"annealing", "patience", "learning_rate", "device"}
    edg.save("model.pt")
    read = ep.EDG.load("model.pt").sample(16, seed=1, n_views=1, progress=False)
    for one in (made, read):
        assert ep.rerun(one).is_same
    edg.fit(seed=4, n_steps=2, batch_size=8, progress=False).save("model.pt", overwrite=True)
    with pytest.raises(DatasetError, match=r"its generator model\.pt has changed since"):
        ep.rerun(read)


COMMANDS = {
    "sample": f"sample ising --extent 4 --temperature 2.3 {BRIEF}",
    "temper": f"temper ising --extent 4 --temperature 2:3:3 {BRIEF}",
    "reweight": "reweight ladder.nc --temperature 2:3:3 --quiet",
    "merge": "merge one.nc two.nc",
    "scan": f"scan ising --extent 4 --temperature 2:3:2 --method wolff --method exact {BRIEF}",
    "free-energy": f"free-energy ising --extent 4 --temperature 2.3 {BRIEF}",
    "curve": "curve model.pt --temperature 2:2.4:3 --n-samples 64 --n-nodes 2 --quiet",
    "draws": "sample --model model.pt --algorithm edg --n-samples 64 --quiet",
}


def make_sources(name):
    """The files that a command reads."""
    if name == "reweight":
        made = ep.mcmc.temper(ISING, {"temperature": [2.0, 3.0]}, n_chains=2, n_sweeps=100, seed=1)
        dataset.write(made, "ladder.nc")
    if name == "merge":
        dataset.write(chains(1), "one.nc")
        dataset.write(chains(2), "two.nc")
    if name in ("curve", "draws"):
        edg = ep.EDG(ISING, conditions={"temperature": (2.0, 2.4)})
        edg.fit(seed=0, n_steps=2, progress=False).save("model.pt")


@pytest.mark.parametrize(
    "name",
    [
        "sample",
        "merge",
        *(pytest.param(one, marks=pytest.mark.slow) for one in COMMANDS if one not in ("sample", "merge")),
    ],
)
def test_what_a_command_writes_is_repeated(name, here, capsys):
    make_sources(name)
    command = f"{COMMANDS[name]} --out made.nc"
    assert run(command) == 0
    assert ep.provenance("made.nc")["command"] == f"edgphys {command}"
    capsys.readouterr()
    assert run("rerun made.nc --out again.nc") == 0
    assert capsys.readouterr().out.startswith("the numbers are the same, bit for bit\nwrote again.nc")
    assert not differences(dataset.read("made.nc"), dataset.read("again.nc"))
    made = dataset.read("made.nc")
    if name not in ("merge", "reweight"):
        dataset.write(changed(made, seed=5), "made.nc", overwrite=True)
        assert run("rerun made.nc --out other.nc") == 1
        assert "the numbers differ in " in capsys.readouterr().out


def test_show_provenance_tells_the_command_in_lines(here, capsys):
    assert (
        main(["sample", "ising", "--extent", "4", "--temperature", "2.3", *BRIEF.split(), "--out", "a b.nc"])
        == 0
    )
    capsys.readouterr()
    assert main(["show", "--provenance", "a b.nc"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("command    edgphys sample ising") and lines[0].endswith("--out 'a b.nc'")
    assert "call       edgphys.mcmc.run" in lines and "  n_warmup  20" in lines and "  seed  0" in lines
    assert any(line.startswith("  processor  ") for line in lines)
    assert str(here) not in "\n".join(lines)


def test_rerun_touches_nothing_where_it_is_refused(here, capsys):
    dataset.write(ep.basins(chains(keep=True), lambda s: 1 * (s[:, 0, 0] > 0), ["down", "up"]), "made.nc")
    assert run("rerun made.nc --out again.nc") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1 and not Path("again.nc").exists()
    assert run("rerun made.nc --out made.nc") == 2
    assert "exists" in capsys.readouterr().err


def test_a_file_of_before_says_that_it_has_no_record():
    old = dataset.read(Path(__file__).parents[1] / "data" / "samples_schema_1.nc")
    told = ep.provenance(old)
    assert told["call"] is None and told["versions"] and told["started"]
    with pytest.raises(DatasetError, match="no record of its call"):
        ep.rerun(old)


def test_differences_are_named_by_their_size():
    one = xr.Dataset({"a": ("x", [1.0, np.nan]), "a_err": ("x", [0.1, 0.1]), "s": 0.0, "wall_time": 1.0})
    assert differences(one, one.assign(wall_time=2.0)) == ()
    found = differences(one, one.assign(a=("x", [1.5, 2.0]), s=-0.0, more=1.0))
    assert found[0] == "a: by up to 0.5, 5 errors, in 1 of 2 values, 1 values blank in one of them"
    assert found[1].startswith("s: ") and found[2] == "more: only now" and len(found) == 3
    assert differences(one, one.isel(x=[0]))[0] == "a: float64 of x 2 before, float64 of x 1 now"
