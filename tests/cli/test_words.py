# SPDX-License-Identifier: MIT
"""One rule for what is typed: plain digits, couplings once, names that can be printed, seeds below 2^63."""

import pytest
import xarray as xr

import edgphys as ep
import lattices
from edgphys.cli import main
from edgphys.cli.app import _FUNCTIONS
from edgphys.cli.values import parse_values
from edgphys.cli.words import check_words

RUN = ["sample", "ising", "--extent", "4", "--temperature", "2", "--out", "a.nc"]


def refused(words, capsys, tmp_path, monkeypatch):
    """The one line that `words` end with, where nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert not list(tmp_path.iterdir())
    return line.removeprefix("edgphys: error: ")


TYPED = {
    "underscore": (["--n-sweeps", "1_000"], "--n-sweeps must be an integer in plain digits, got '1_000'"),
    "wide digits": (["--n-sweeps=\uff11\uff10"], "--n-sweeps must be an integer in plain digits, got"),
    "real": (["--field", "1_0"], "--field must be start:stop:count, or a number"),
    "arabic": (["--field", "\u0663"], "--field must be start:stop:count, or a number"),
    "range": (["--field", "1:2:1_0"], "--field must be start:stop:count, or a number"),
    "twice": (["--temperature", "3"], "--temperature must be given once, got it twice"),
    "option twice": (
        ["--option", "order=a", "--option", "order=b"],
        "--option must not give an option",
    ),
    "seed": (["--seed", str(2**63)], "--seed must be an integer below 2^63, got 9223372036854775808"),
    "seed below": (["--seed", "-1"], "--seed must be an integer >= 0, got -1"),
}


@pytest.mark.parametrize("name", TYPED)
def test_what_is_typed_otherwise_is_refused(name, capsys, tmp_path, monkeypatch):
    words, message = TYPED[name]
    assert refused([*RUN, *words], capsys, tmp_path, monkeypatch).startswith(message)


def test_names_extents_and_rungs(capsys, tmp_path, monkeypatch):
    names = [*RUN[:-1], "a\nb.nc"]
    line = refused(names, capsys, tmp_path, monkeypatch)
    assert line == r"--out must be a path of printable characters, got 'a\nb.nc'"
    wide = ["sample", "ising", "--extent", "\uff14", "--temperature", "2", "--out", "a.nc"]
    assert refused(wide, capsys, tmp_path, monkeypatch).startswith("--extent must be integers such as 16")
    twice = ["temper", "ising", "--extent", "4", "--temperature", "2,2,3", "--out", "a.nc"]
    assert "must not name a rung twice" in refused(twice, capsys, tmp_path, monkeypatch)


def test_plain_words_pass():
    assert parse_values(" +1., -1e-1,.5 ", "--field") == [1.0, -0.1, 0.5]
    check_words(["ising", "--seed", str(2**63 - 1), "-p", "a=1", "-p", "b=1_0"], _FUNCTIONS["sample"])


def test_seeds_of_functions():
    system = ep.Ising(lattices.build("chain", (4,)), temperature=2.0)
    for call in (
        lambda seed: ep.estimate(xr.Dataset(), seed=seed),
        lambda seed: ep.mcmc.run(system, "metropolis", seed=seed),
        lambda seed: ep.free_energy(system, seed=seed),
        lambda seed: ep.EDG(system).fit(seed=seed),
        lambda seed: ep.EDG(system).sample(10, seed=seed),
        lambda seed: ep.LogisticRegression(data_seed=seed),
    ):
        for bad in (2**63, -1, 1.5):
            with pytest.raises((ValueError, TypeError), match="seed must be an integer"):
                call(bad)
