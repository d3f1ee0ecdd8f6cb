# SPDX-License-Identifier: MIT
"""Of two computations on one output, or on one file of their state, the second is refused at once."""

from __future__ import annotations

import pytest
from helpers.samplers import quick_field, square

from edgphys import mcmc
from edgphys._files import lock_of, locked, state_held
from edgphys.cli.app import main
from edgphys.errors import DatasetError

POINT = "ising --extent 4 --temperature 2.5"
COMMANDS = {
    "sample": f"sample {POINT} --n-sweeps 50 --n-chains 2",
    "temper": "temper ising --extent 4 --temperature 2.5,3 --n-sweeps 50 --n-chains 2",
    "free-energy": f"free-energy {POINT} --n-sweeps 50",
    "edg": f"free-energy {POINT} --method edg --n-samples 50 --option n_steps=2",
}
RUNS = {
    "chains": lambda path: mcmc.run(square(), "wolff", 2, 20, seed=1, checkpoint=path),
    "ladder": lambda path: mcmc.temper(square(), {"temperature": [2, 3]}, None, 2, 20, 1, checkpoint=path),
    "training": lambda path: quick_field(square()).fit(0, 2, device="cpu", progress=False, checkpoint=path),
    "draws": lambda path: quick_field(square()).sample(20, 1, progress=False, checkpoint=path),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_second_command_on_an_output_is_refused_in_one_line(tmp_path, capsys, name):
    out = tmp_path / "a.nc"
    with locked(lock_of(out), "held"):
        assert main([*COMMANDS[name].split(), "--quiet", "--out", str(out)]) == 2
    _, err = capsys.readouterr()
    assert err == (
        f"edgphys: error: --out: another command is writing {out} now; "
        "wait for it to end, or name another --out\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_command_that_has_ended_leaves_no_lock(tmp_path, capsys):
    assert main([*COMMANDS["sample"].split(), "--quiet", "--out", str(tmp_path / "a.nc")]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["a.nc"]


@pytest.mark.parametrize("name", RUNS)
def test_the_second_run_on_a_checkpoint_is_refused_and_touches_nothing(tmp_path, name):
    path = tmp_path / "state"
    with (
        state_held(path),
        pytest.raises(DatasetError, match=r"^another computation keeps its state in .*/state now"),
    ):
        RUNS[name](path)
    assert not list(tmp_path.iterdir())
    RUNS[name](path)
    assert not lock_of(path).exists()
