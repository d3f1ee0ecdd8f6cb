# SPDX-License-Identifier: MIT
"""``edgphys structure-factor``: the numbers of the function at named momenta, notes, and wrong words."""

from __future__ import annotations

import numpy as np
import pytest

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.cli.app import main
from edgphys.cli.values import parse_wave


@pytest.fixture(autouse=True)
def draws(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    system = ep.Ising(lattices.build("triangular", (6, 6)), temperature=1.5, coupling=-1.0)
    chains = ep.mcmc.run(system, "metropolis", 2, 100, 1, keep=True)
    dataset.write(chains, "a.nc")
    dataset.write(chains.drop_vars("configurations"), "bare.nc")
    return chains


def test_named_momenta_are_those_of_the_function(draws, capsys):
    assert main("structure-factor a.nc --k 1/3,2/3 --k pi,0 --k 1,0 --out s.nc".split()) == 0
    out = capsys.readouterr().out
    assert "k = 1/3,2/3 in reciprocal-lattice units\n" in out and "r_hat" in out and "wrote s.nc" in out
    b = lattices.momenta.reciprocal_vectors(lattices.build("triangular", (6, 6)))
    table = ep.structure_factor(draws, [(b[0] + 2 * b[1]) / 3, b[0] / 2, [0.0, 0.0]])
    written = dataset.read("s.nc")
    for name in ("structure_factor", "structure_factor_err"):
        np.testing.assert_allclose(written[name], table[name], rtol=1e-9)
    # The order of a frustrated antiferromagnet, against the mean of all momenta, <s^2> = 1: a control.
    assert table["structure_factor"][0] > 3.0 > 1.0 > table["structure_factor"][2]


def test_a_wave_that_does_not_close_is_named_and_short_chains_are_not_trusted(draws, capsys):
    dataset.write(draws.isel(draw=slice(20)), "short.nc")
    assert main("structure-factor short.nc --k 1/4,0".split()) == 0
    out = capsys.readouterr().out
    assert "does not close around the box: axis 0 holds 1.5 waves" in out and "NOT TRUSTED" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("a.nc --k 1/0,0", "--k must be numbers, fractions or multiples of pi with commas"),
        ("a.nc --k ,", "--k must be numbers, fractions"),
        ("a.nc --k 1_0,0", "--k must be numbers, fractions"),
        ("a.nc --k 0.5", "--k must be a wave vector of 2 finite numbers"),
        ("a.nc --k 0,0 --k 1", "--k must have as many components each time"),
        ("a.nc", "Missing option"),
        ("bare.nc --k 0,0", "samples must hold configurations (keep=True)"),
        ("none.nc --k 0,0", "there is none"),
        ("a.nc --k 0,0 --out a.nc", "a.nc"),
        ("a.nc --k 0,0 --out s.txt", "--out must end in .nc"),
    ],
)
def test_wrong_words_are_one_line(words, message, tmp_path, capsys):
    before = sorted(tmp_path.iterdir())
    assert main(["structure-factor", *words.split()]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1 and sorted(tmp_path.iterdir()) == before


def test_components():
    assert parse_wave("2pi/3,-pi,.25,-1", "--k") == pytest.approx((1 / 3, -0.5, 0.25, -1.0))
