# SPDX-License-Identifier: MIT
"""Draws that a scan keeps beside its file: what its numbers are made of, whatever stops or extends it."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
import xarray as xr
from helpers.scans import install_stub_edg

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.cli.app import main
from edgphys.errors import ArgumentValueError
from edgphys.mcmc.core import checkpoint, kept_draws
from edgphys.report.pictures import _kept_draws

driver = importlib.import_module("edgphys.mcmc.core.driver")


def scan(out=None, temperature=(2.5,), methods=("wolff", "exact"), n_sweeps=64, **options):
    mcmc = {"n_chains": 2, "n_sweeps": n_sweeps, "n_warmup": 10} if "wolff" in methods else None
    options = {"seed": 3, "workers": 1, "mcmc": mcmc} | options
    lattice = lattices.build("chain", (6,))
    make = lambda t: ep.Ising(lattice, temperature=t)  # noqa: E731
    return ep.scan(make, methods=methods, temperature=temperature, out=out, **options)


def files(path) -> dict[str, list[str]]:
    """Files of the kept draws, by cell."""
    notes = json.loads(dataset.read(path).attrs["draws"])
    return {cell: np.atleast_1d(names).tolist() for cell, names in notes.items()}


def numbers(table):
    return table.drop_attrs().drop_vars("wall_time")


def test_the_numbers_are_those_of_the_draws_and_of_a_scan_that_keeps_none(tmp_path):
    path = tmp_path / "scan.nc"
    table = scan(path, temperature=[2.0, 2.5], keep=True)
    xr.testing.assert_identical(numbers(table), numbers(scan(temperature=[2.0, 2.5])))
    assert set(files(path)) == {"wolff temperature=2", "wolff temperature=2.5"}
    for t in (2.0, 2.5):
        ((name,),) = [names for cell, names in files(path).items() if cell.endswith(f"={t:g}")]
        draws = dataset.read(tmp_path / name)
        assert draws.sizes == {"chain": 2, "draw": 64, "x": 6} and draws.attrs["temperature"] == t
        energy = ep.estimate(draws)["energy"]
        assert float(energy) == float(table["energy"].sel({"method": "wolff", "temperature": t}))
    assert "draws" not in scan().attrs


def test_weighted_draws_keep_their_weights(tmp_path):
    options = {"n_samples": 60, "edg": {"decoder": "field", "n_steps": 2, "device": "cpu", "n_views": 1}}
    table = scan(tmp_path / "scan.nc", methods=["edg"], keep=True, **options)
    ((name,),) = files(tmp_path / "scan.nc").values()
    draws = dataset.read(tmp_path / name)
    assert draws["configurations"].shape == (60, 6)
    np.testing.assert_allclose(ep.estimate(draws)["log_z"], table["log_z"].item(), rtol=1e-14)


def test_ladders_keep_the_draws_of_the_system_itself(tmp_path):
    options = {"n_chains": 2, "n_sweeps": 200, "n_warmup": 50, "n_rungs": 3}
    table = scan(tmp_path / "scan.nc", methods=["ti"], mcmc=options, keep=True)
    xr.testing.assert_identical(numbers(table), numbers(scan(methods=["ti"], mcmc=options)))
    ((name,),) = files(tmp_path / "scan.nc").values()
    draws = dataset.read(tmp_path / name)
    assert draws.sizes == {"chain": 2, "draw": 200, "x": 6}
    assert json.loads(draws.attrs["parameters"])["coupling"] == 1.0
    assert float(ep.estimate(draws)["energy"]) == table["energy"].item()


def test_a_bridge_keeps_the_draws_of_its_chains(tmp_path):
    edg = {"decoder": "field", "n_steps": 2, "device": "cpu", "n_views": 1}
    scan(tmp_path / "scan.nc", methods=["bridge"], n_samples=60, edg=edg, keep=True)
    ((name,),) = files(tmp_path / "scan.nc").values()
    assert dataset.read(tmp_path / name)["configurations"].dims == ("chain", "draw", "x")


def test_a_killed_scan_goes_on_to_the_same_draws(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoint, "_PERIOD", -1.0)
    monkeypatch.setattr(kept_draws, "IN_MEMORY", 0)
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 200)
    path, left, n_killed = tmp_path / "scan.nc", [0], 0
    real = checkpoint.Checkpoint.remember

    def remember(self, what):
        real(self, what)
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Checkpoint, "remember", remember)
    while not path.exists():
        left[0] = 1
        assert n_killed < 20, "no state is lost"
        try:
            scan(path, keep=True)
        except KeyboardInterrupt:
            n_killed += 1
    assert n_killed >= 2
    left[0] = 1000
    scan(tmp_path / "whole.nc", keep=True)
    ((one,),), ((other,),) = files(path).values(), files(tmp_path / "whole.nc").values()
    xr.testing.assert_equal(dataset.read(tmp_path / one), dataset.read(tmp_path / other))
    assert not (tmp_path / "scan.nc.partial").exists()


def test_what_extends_a_scan_keeps_the_old_draws(tmp_path):
    path = tmp_path / "scan.nc"
    scan(path, keep=True)
    before = files(path)
    ((name,),) = before.values()
    content = (tmp_path / name).read_bytes()
    scan(path, temperature=[2.5, 3.0], n_sweeps=96, keep=True)
    after = files(path)
    assert after["wolff temperature=2.5"][0] == name and len(after["wolff temperature=2.5"]) == 2
    assert (tmp_path / name).read_bytes() == content
    sizes = [dataset.read(tmp_path / one).sizes["draw"] for one in after["wolff temperature=2.5"]]
    assert sizes == [64, 32] and len(after["wolff temperature=3"]) == 1
    scan(path, temperature=[4.0])
    assert files(path) == after


def test_pages_show_some_of_them(tmp_path):
    scan(tmp_path / "scan.nc", temperature=[2.0, 2.5, 3.0, 3.5, 4.0, 4.5], keep=True)
    table = dataset.read(tmp_path / "scan.nc")
    shown = [one.words.partition(":")[0] for one in _kept_draws(table)]
    assert shown == [f"wolff temperature={t}" for t in ("2", "3", "3.5", "4.5")]
    for file in (tmp_path / "scan.nc.draws").iterdir():
        file.unlink()
    assert not list(_kept_draws(table))


def test_where_draws_have_no_place_they_are_refused(monkeypatch, tmp_path):
    with pytest.raises(ArgumentValueError, match=r"^keep must be left out without out, got True$"):
        scan(keep=True)
    with pytest.raises(ArgumentValueError, match="keep must be left out where no method has draws"):
        scan(tmp_path / "scan.nc", methods=["exact"], keep=True)
    with pytest.raises(TypeError, match="keep must be True or False, got 1"):
        scan(tmp_path / "scan.nc", keep=1)
    assert not list(tmp_path.iterdir())


def test_the_command_keeps_them_too(monkeypatch, tmp_path):
    install_stub_edg(monkeypatch)
    monkeypatch.chdir(tmp_path)
    words = "scan ising --lattice chain --extent 6 --temperature 2 --method wolff --n-sweeps 32 --keep"
    assert main([*words.split(), "--quiet", "--out", "a.nc"]) == 0
    assert len(list((tmp_path / "a.nc.draws").iterdir())) == 1
