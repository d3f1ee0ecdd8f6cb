# SPDX-License-Identifier: MIT
"""A scan killed at every state that a cell keeps goes on from it: chains, ladders, draws of a generator."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import xarray as xr

import edgphys as ep
import lattices
from edgphys.edg.weights import draws_checkpoint
from edgphys.mcmc.core import checkpoint

driver = importlib.import_module("edgphys.mcmc.core.driver")

TINY = {"decoder": "field", "n_path_steps": 2, "decoder_size": (2, 1), "encoder_size": (2, 1)}
OPTIONS = {
    "wolff": {"mcmc": {"n_chains": 2, "n_sweeps": 64}},
    "mbar": {"mcmc": {"n_chains": 2, "n_sweeps": 64, "n_rungs": 3}},
    "edg": {"edg": TINY | {"n_steps": 2, "device": "cpu"}, "n_samples": 2500},
    "bridge": {"edg": TINY | {"n_steps": 2, "device": "cpu"}, "n_samples": 60, "mcmc": {"n_sweeps": 64}},
}


class Killed(BaseException):
    pass


def scan(method, out=None):
    options = {"workers": 1, "seed": 3, "temperature": 2.5, **OPTIONS[method]}
    lattice = lattices.build("chain", (6,))
    return ep.scan(lambda t: ep.Ising(lattice, temperature=t), methods=[method], out=out, **options)


def kill_after(monkeypatch, n_states):
    """The process dies after so many states more, of whatever."""
    left = [n_states]
    for owner in (checkpoint.Checkpoint, draws_checkpoint.DrawsCheckpoint):

        def remember(self, what, real=owner.remember):
            real(self, what)
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        monkeypatch.setattr(owner, "remember", remember)


SLOW = [pytest.param(method, marks=pytest.mark.slow) for method in ("mbar", "edg", "bridge")]


@pytest.mark.parametrize("method", ["wolff", *SLOW])
def test_a_scan_killed_after_every_second_state_goes_on_to_the_same_bits(monkeypatch, tmp_path, method):
    for module in (checkpoint, draws_checkpoint):
        monkeypatch.setattr(module, "_PERIOD", -1.0)
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 200)
    path, n_killed = tmp_path / "scan.nc", 0
    while not path.exists():
        with monkeypatch.context() as patch:
            kill_after(patch, 1)
            try:
                resumed = scan(method, path)
            except Killed:
                n_killed += 1
    assert n_killed >= (1 if method == "edg" else 2)
    wanted = scan(method)
    xr.testing.assert_identical(*(each.drop_attrs().drop_vars("wall_time") for each in (resumed, wanted)))
    assert [file.name for file in tmp_path.iterdir()] == ["scan.nc"]


def test_a_state_that_cannot_be_read_is_computed_anew(monkeypatch, tmp_path):
    path = tmp_path / "scan.nc"
    with monkeypatch.context() as patch:
        kill_after(patch, 0)
        with pytest.raises(Killed):
            scan("wolff", path)
    (state,) = (tmp_path / "scan.nc.partial").glob("cell-*")
    with state.open("wb") as file:
        np.savez(file, header=np.frombuffer(b'{"version": 0}', np.uint8))
    xr.testing.assert_equal(*(each.drop_vars("wall_time") for each in (scan("wolff", path), scan("wolff"))))


def test_seconds_of_all_runs_are_counted(monkeypatch, tmp_path):
    path = tmp_path / "scan.nc"
    with monkeypatch.context() as patch:
        kill_after(patch, 0)
        patch.setattr(checkpoint.time, "monotonic", iter(np.arange(0.0, 1e5, 100.0)).__next__)
        with pytest.raises(Killed):
            scan("wolff", path)
    assert float(scan("wolff", path)["wall_time"][0, 0]) > 100.0 > float(scan("wolff")["wall_time"][0, 0])
