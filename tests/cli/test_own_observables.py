# SPDX-License-Identifier: MIT
"""``--observable module:function``: from a module beside the command, or one line that says what is wrong."""

from __future__ import annotations

import sys

import pytest

from edgphys import dataset
from edgphys.cli.app import main

ISING = ["ising", "--extent", "3", "--quiet"]
MODULE = '''
import edgphys as ep

def corner(s):
    """Spin at the origin.

    More."""
    return s[:, 0, 0]

bond = ep.observable("bond", lambda s: s[:, 0, 0] * s[:, 0, 1], definition="one bond", unit="J")
number = 3

def energy(s):
    return s[:, 0, 0]
'''


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "own_module_of_test.py").write_text(MODULE)
    (tmp_path / "broken_module_of_test.py").write_text("1 / 0")
    yield tmp_path
    sys.modules.pop("own_module_of_test", None)


def own(name):
    return ["--observable", f"own_module_of_test:{name}"]


def test_commands_measure_it_and_show_prints_it(capsys):
    both = [*own("corner"), *own("bond")]
    few = ["--n-sweeps", "100", "--n-chains", "2", *both]
    assert main(["sample", *ISING, "--temperature", "3", *few, "--out", "a.nc"]) == 0
    assert main(["temper", *ISING, "--temperature", "3,4", *few, "--out", "b.nc"]) == 0
    assert main(["scan", *ISING, "--temperature", "3", "--method", "wolff", *few, "--out", "c.nc"]) == 0
    capsys.readouterr()
    for name in ("a.nc", "b.nc", "c.nc"):
        assert main(["show", name]) == 0
        shown = capsys.readouterr().out
        assert "corner" in shown and "bond" in shown
        attrs = dataset.read(name).attrs
        assert (
            attrs["units"] == '{"corner": "", "bond": "J"}' and "Spin at the origin." in attrs["definitions"]
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("own_module_of_test", "--observable must be MODULE:FUNCTION, got 'own_module_of_test'"),
        ("own_module_of_test:none", "has no none"),
        ("own_module_of_test:number", "must be made by ep.observable, got 3"),
        ("own_module_of_test:energy", "name must be one that no result"),
        ("no_module_of_test:f", "got ModuleNotFoundError: No module named 'no_module_of_test'"),
        ("broken_module_of_test:f", "got ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_wrong_is_one_line(folder, text, message, capsys):
    command = ["sample", *ISING, "--temperature", "3", "--n-sweeps", "20", "--out", "a.nc"]
    assert main([*command, "--observable", text]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1 and not (folder / "a.nc").exists()
