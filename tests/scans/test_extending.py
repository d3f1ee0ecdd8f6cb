# SPDX-License-Identifier: MIT
"""A scan to a file that is there adds what is new to it, and keeps the rest to the bit.

The sampler is a stub (helpers/scans.py); oracles are scans that were asked for all at once, and `ep.merge`.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from helpers.scans import install_stub_edg

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.errors import DatasetError

CHAINS = {"n_chains": 2, "n_sweeps": 40, "n_warmup": 10}


@pytest.fixture
def stub(monkeypatch):
    return install_stub_edg(monkeypatch, conditional=True)


def make(temperature, coupling=1.0):
    return ep.Ising(lattices.build("square", (3, 3)), temperature=temperature, coupling=coupling)


def run(out=None, temperature=(2.0, 3.0), methods=("edg",), seed=0, make=make, **options):
    options = {"n_samples": 200, "workers": 1} | options
    return ep.scan(make, methods=methods, seed=seed, out=out, temperature=temperature, **options)


def assert_same(one: xr.Dataset, other: xr.Dataset) -> None:
    """All numbers to the bit, but what depends on when: seconds, and shares of a training."""
    for name in set(one.data_vars) - {"wall_time", "n_energy_calls", "n_gradient_calls"}:
        xr.testing.assert_equal(one[name].drop_attrs(), other[name].drop_attrs())


def test_points_alone_methods_alone_and_all_at_once_are_the_same(stub, tmp_path):
    path = tmp_path / "scan.nc"
    run(path)
    before = dataset.read(path)
    run(path, temperature=[2.5])
    assert [call[0] for call in stub.log] == [2.0, 3.0, 2.5], "only what is new"
    assert len(stub.trained) == 1, "the model was kept"
    table = run(path, temperature=[2.0, 2.5], methods=["exact"])
    assert_same(table.sel({"method": ["edg"]}), run(temperature=[2.0, 2.5, 3.0]))
    assert_same(table.sel({"method": ["edg"], "temperature": [2.0, 3.0]}), before)
    assert "runs" not in table.attrs and table.attrs["seed"] == 0
    xr.testing.assert_identical(dataset.read(path), table)
    with pytest.raises(DatasetError, match="is complete"):
        run(path, temperature=[2.5, 3.0])


def test_the_model_is_beside_the_file(stub, tmp_path):
    run(tmp_path / "scan.nc")
    (model,) = (tmp_path / "scan.nc.models").iterdir()
    assert model.name.startswith("edg-") and json.loads(model.read_text())[0] == {"temperature": [2.0, 3.0]}


def test_another_seed_is_averaged_as_merge_does(stub, tmp_path):
    path, options = tmp_path / "scan.nc", {"methods": ["edg", "exact"]}
    run(path, **options)
    table = run(path, seed=1, **options)
    expected = ep.merge([run(**options), run(seed=1, **options)])
    assert_same(table, expected)
    assert (table["n_runs"].sel({"method": "edg"}) == 2).all() and table.attrs["seed"] == [0, 1]
    with pytest.raises(DatasetError, match="is complete"):
        run(path, seed=1, **options)
    wider = run(path, temperature=[2.5], seed=1)
    assert np.isnan(wider["n_runs"].sel({"method": "edg", "temperature": 2.5}))


def test_more_draws_come_from_the_model_that_is_there(stub, tmp_path):
    path = tmp_path / "scan.nc"
    first = run(path)
    stub.log.clear()
    table = run(path, n_samples=500)
    assert len(stub.trained) == 1 and len(stub.log) == 2
    assert (table["n_draws"] == 500).all()
    assert {call[1] for call in stub.log} == {stub.trained[0][1]}
    runs = json.loads(table.attrs["runs"])
    assert [one["settings"]["edg"]["n_samples"] for one in runs] == [200, 300]
    assert runs[1]["continues"] == 0 and runs[1]["seed"] != 0
    # The average of 200 and 300 draws: what is new follows from it, and is another number.
    new = (5 * table["energy"] - 2 * first["energy"]) / 3
    assert not np.isclose(new, first["energy"]).any()
    errors = (5 * table["energy_err"]) ** 2 - (2 * first["energy_err"]) ** 2
    assert (errors > 0).all()
    with pytest.raises(DatasetError, match="is complete"):
        run(path, n_samples=400)
    assert (run(path, n_samples=600)["n_draws"] == 600).all()


def test_points_beyond_the_range_have_a_model_of_their_own(stub, tmp_path):
    path = tmp_path / "scan.nc"
    before = run(path)
    table = run(path, temperature=[2.0, 3.0, 4.0])
    assert [trained_at for trained_at, _ in stub.trained] == [2.5, 3.0]
    assert_same(table.sel(temperature=[2.0, 3.0]), before)
    ranges = [one["conditions"]["temperature"] for one in json.loads(table.attrs["settings"])["edg"]]
    assert ranges == [[2.0, 3.0], [2.0, 4.0]]


def test_chains_go_on_with_chains_of_another_seed(tmp_path):
    path, options = tmp_path / "scan.nc", {"methods": ["metropolis"], "temperature": [2.0]}
    run(path, mcmc=CHAINS, **options)
    table = run(path, mcmc=CHAINS | {"n_sweeps": 100}, **options)
    assert float(table["n_draws"].squeeze()) == 200 and float(table["n_runs"].squeeze()) == 2


def test_a_killed_extension_goes_on(stub, tmp_path):
    path = tmp_path / "scan.nc"
    run(path)
    before = path.read_bytes()
    stub.fail_at = 3
    with pytest.raises(KeyboardInterrupt):
        run(path, seed=1)
    stub.fail_at = None
    assert path.read_bytes() == before
    assert_same(run(path, seed=1), ep.merge([run(), run(seed=1)]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edg": {"n_steps": 5}, "temperature": [2.0, 2.5]}, "n_steps of edg is the default there"),
        ({"make": lambda temperature: make(temperature, 2.0), "seed": 1}, "parameters is"),
        ({"make": lambda temperature: ep.Ising(lattices.build("square", (4, 4)), temperature=temperature)},
         "extent is"),
    ],
)  # fmt: skip
def test_another_study_is_refused_and_the_file_kept(stub, tmp_path, options, message):
    path = tmp_path / "scan.nc"
    run(path)
    before = path.read_bytes()
    with pytest.raises(DatasetError, match=f"holds another scan .*{message}"):
        run(path, **options)
    assert path.read_bytes() == before
