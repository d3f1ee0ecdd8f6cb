# SPDX-License-Identifier: MIT
"""Couplings by kind, by bond and by site on the command line: what they become, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

import lattices
from edgphys import dataset
from edgphys.cli.app import main
from edgphys.cli.scan import _scanned_and_fixed

SAMPLE = "sample ising --extent 3 --temperature 2 --n-sweeps 20 --n-chains 2 --seed 1 --quiet".split()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("bonds.npy", lattices.random_bonds(lattices.build("square", (3, 3)), seed=1))
    np.save("fields.npy", np.arange(9))
    np.save("table.npy", np.ones((2, 2)))
    (tmp_path / "text.npy").write_text("no numbers")


@pytest.mark.parametrize(
    ("words", "parameters"),
    [
        (["--coupling", "x=1,y=-0.5"], {"coupling": {"x": 1.0, "y": -0.5}, "field": 0.0}),
        (["--coupling", "bonds.npy", "--field", "fields.npy"], {"field": [float(i) for i in range(9)]}),
    ],
)
def test_couplings_are_in_the_file_and_made_again_from_it(words, parameters, capsys):
    assert main([*SAMPLE, *words, "--out", "a.nc"]) == 0
    kept = json.loads(dataset.read("a.nc").attrs["parameters"])
    assert kept.items() >= parameters.items()
    for name in ("bonds.npy", "fields.npy"):
        np.save(name, np.zeros(3))  # nothing is read again
    assert main(["rerun", "a.nc", "--out", "b.nc"]) == 0
    assert "the numbers are the same, bit for bit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["--coupling", "third=1"],
            "kinds of bonds of the lattice square (x, y), got 'third'",
        ),
        (["--coupling", "x=1,y"], "--coupling must be name=number with commas, got 'x=1,y'"),
        (["--coupling", "x=1,x=2"], "--coupling must be name=number with commas, got 'x=1,x=2'"),
        (["--coupling", "x=nan"], "--coupling"),
        (["--coupling", "none.npy"], "--coupling must be the file of an array of numbers"),
        (["--coupling", "text.npy"], "--coupling must be the file of an array of numbers"),
        (["--coupling", "table.npy"], "--coupling must be the file of an array of numbers"),
        (["--field", "bonds.npy"], "--field must be a number or an array of 9 finite numbers"),
        (["--temperature", "bonds.npy"], "--temperature must be"),
        (["--coupling", "bonds.npy", "--algorithm", "wolff"], "wolff needs couplings without frustration"),
    ],
)
def test_refused_couplings(words, error, capsys):
    assert main([*SAMPLE, *words, "--out", "x.nc"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and error in lines[0]


def test_what_is_no_number_is_not_scanned():
    values = {"coupling": [{"x": 1.0}], "temperature": [2.0]}
    assert _scanned_and_fixed(values) == ({"temperature": [2.0]}, {"coupling": {"x": 1.0}})
