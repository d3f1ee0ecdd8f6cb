# SPDX-License-Identifier: MIT
"""Draws that are killed after any batch go on to the same bits; a file of other draws is refused."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
import xarray as xr
from helpers.samplers import SAME, quick_field, quick_mixture, short_search, square

from edgphys.edg import EDG
from edgphys.edg.weights import draws_checkpoint
from edgphys.edg.weights.draws_checkpoint import DrawsCheckpoint
from edgphys.errors import DatasetError
from edgphys.systems import DoubleWell, MuellerBrown

__all__ = ["short_search"]  # a fixture for all tests here

SMALL = {"n_samples": 70, "seed": 1, "batch_size": 20, "progress": False}
VIEWS = SMALL | {"n_samples": 2100, "batch_size": 700}


@functools.cache
def field():
    return quick_field(square())


@functools.cache
def wells():
    return quick_mixture(MuellerBrown(temperature=20.0), train_at={"temperature": 40.0})


@functools.cache
def lattice():
    return EDG(square(), train_at={"temperature": 3.0}).fit(0, 2, device="cpu", progress=False)


CASES = {
    "one view": (field, SMALL | {"n_views": 1, "keep": True}),
    "pilots of views and labels": (field, VIEWS),
    "annealed points": (wells, SMALL | {"n_anneal": 3}),
    "annealed spins": (lattice, SMALL | {"n_anneal": 3}),
    "flow": (lambda: quick_mixture(DoubleWell(n_dims=2)), SMALL | {"weights": "ode", "n_ode_steps": 4}),
}


def first_spin(x):
    """s_0."""
    return x.reshape(len(x), -1)[:, 0]


class Killed(Exception):
    pass


def kill_after(monkeypatch, n_batches):
    """The process dies after so many batches more."""
    left, real = [n_batches], DrawsCheckpoint.remember

    def remember(self, state):
        real(self, state)
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    monkeypatch.setattr(DrawsCheckpoint, "remember", remember)


def killed(monkeypatch, edg, options, path, n_batches):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_after(patch, n_batches)
        edg.sample(**options, checkpoint=path)


@pytest.mark.parametrize("name", CASES)
def test_draws_killed_after_every_batch_go_on_to_the_same_bits(monkeypatch, tmp_path, name):
    make, options = CASES[name]
    edg, path = make(), tmp_path / "draws.pt"
    monkeypatch.setattr(draws_checkpoint, "_PERIOD", -1.0)
    monkeypatch.setattr(draws_checkpoint, "_LARGEST_SHARE", 1e9)
    for _ in range(options["n_samples"] // options["batch_size"]):
        killed(monkeypatch, edg, options, path, 0)
    resumed, whole = edg.sample(**options, checkpoint=path), edg.sample(**options)
    xr.testing.assert_identical(resumed.drop_attrs(), whole.drop_attrs())
    assert resumed.attrs["wall_time"] > resumed.attrs.pop("earlier_time") > 0.0
    for attrs in (resumed.attrs, whole.attrs):
        assert all(attrs.pop(each) for each in SAME if each != "settings")
    assert resumed.attrs == whole.attrs  # counts of calls, and what the draws say of themselves


def test_the_state_is_written_where_the_draws_are_stopped_and_twice_a_minute(monkeypatch, tmp_path):
    path, clock = tmp_path / "draws.pt", [0.0]
    monkeypatch.setattr(draws_checkpoint.time, "monotonic", lambda: clock[0])
    whole = field().sample(**SMALL, checkpoint=path)
    assert not path.exists(), "soon over"
    killed(monkeypatch, field(), SMALL, path, 1)
    assert len(torch.load(path, weights_only=True)["state"]["columns"]["energy"][0]) == 40
    xr.testing.assert_equal(field().sample(**SMALL, checkpoint=path), whole)
    path.unlink()
    monkeypatch.setattr(DrawsCheckpoint, "stopped", lambda self: None)  # killed by force
    clock[0] = 0.0
    for seconds, is_there in ((10.0, False), (31.0, True)):
        real = DrawsCheckpoint.remember

        def remember(self, state, seconds=seconds, real=real):
            clock[0] += seconds
            real(self, state)

        with monkeypatch.context() as patch:
            patch.setattr(DrawsCheckpoint, "remember", remember)
            killed(monkeypatch, field(), SMALL, path, 0)
        assert path.exists() == is_there


def test_a_file_of_other_draws_or_a_damaged_one_is_refused_and_kept(monkeypatch, tmp_path):
    path = tmp_path / "draws.pt"
    killed(monkeypatch, field(), SMALL, path, 0)
    before = path.read_bytes()
    for change, message in (
        ({"seed": 2}, "belongs to draws with seed = 1, got 2"),
        ({"n_samples": 80}, "belongs to draws with n_samples = 70, got 80"),
        ({"n_views": 2}, "belongs to draws with n_views = 'auto', got 2"),
        ({"observables": first_spin}, "belongs to draws with observables = None, got "),
    ):
        with pytest.raises(DatasetError, match=message):
            field().sample(**SMALL | change, checkpoint=path)
    for edg, message in (
        (quick_field(square(), seed=1), "belongs to draws with model = "),
        (quick_field(square(temperature=2.0)), "belongs to draws with model = "),
    ):
        with pytest.raises(DatasetError, match=message):
            edg.sample(**SMALL, checkpoint=path)
    path.write_bytes(before[:100])
    with pytest.raises(DatasetError, match=r"checkpoint: .*draws.pt cannot be read"):
        field().sample(**SMALL, checkpoint=path)
    assert path.read_bytes() == before[:100]


def test_configurations_are_in_it_only_where_they_are_kept(monkeypatch, tmp_path):
    edg, sizes = quick_field(square()), {}
    for keep in (False, True):
        path = tmp_path / f"{keep}.pt"
        killed(monkeypatch, edg, SMALL | {"keep": keep}, path, 0)
        found = torch.load(path, weights_only=True)["state"]["configurations"]
        sizes[keep] = sum(np.asarray(part).size for part in found)
    assert sizes == {False: 0, True: 20 * 16}
