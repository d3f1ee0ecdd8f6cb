# SPDX-License-Identifier: MIT
"""One model for all points of a scan: when there is one, what it says, how it resumes, what is not mixed.

The sampler is a stub (helpers/scans.py) but for the last tests, which train on 4 x 4 sites.
"""

from __future__ import annotations

import json
import pickle
import re
import signal
import threading
import time

import numpy as np
import pytest
import xarray as xr
from helpers.scans import install_stub_edg
from helpers.stats import assert_z

import edgphys as ep
import lattices
from edgphys.errors import DatasetError
from edgphys.methods.shared_model import SharedModel

TEMPERATURES = [2.0, 2.5, 3.0]
ONE_MODEL = {"n_samples": 200, "n_views": "auto", "conditions": {"temperature": [2.0, 3.0]}}


@pytest.fixture
def stub(monkeypatch):
    return install_stub_edg(monkeypatch, conditional=True)


def make(temperature, field=0.0, coupling=1.0):
    lattice = lattices.build("square", (3, 3))
    return ep.Ising(lattice, temperature=temperature, field=field, coupling=coupling)


def run(methods=("edg", "exact"), seed=0, make=make, **options):
    """One cell after the other unless told otherwise, so that tests may count on the order."""
    if "scheduler" not in options:
        options = {"workers": 1} | options
    options = {"n_samples": 200} | options
    if not set(options) & {"temperature", "field", "coupling", "t"}:
        options["temperature"] = TEMPERATURES
    return ep.scan(make, methods=methods, seed=seed, **options)


def settings(table):
    return json.loads(table.attrs["settings"])["edg"]


def assert_same(one: xr.Dataset, other: xr.Dataset) -> None:
    """All numbers agree to the last bit, times apart."""
    assert set(one.data_vars) == set(other.data_vars)
    for name in set(one.data_vars) - {"wall_time"}:
        xr.testing.assert_equal(one[name].drop_attrs(), other[name].drop_attrs())


# ------------------------------------------------------------------------------------- when there is one


def test_one_model_is_trained_in_the_middle_and_asked_at_every_point(stub, capsys):
    table = run(progress=True)
    assert capsys.readouterr().err.splitlines()[0] == "edg: one model for temperature 2 to 3 (3 points)"
    ((trained_at, fit_seed),) = stub.trained
    assert trained_at == 2.5
    assert [call[:2] for call in stub.log] == [(t, fit_seed) for t in TEMPERATURES]
    assert len({call[2] for call in stub.log}) == 3
    assert settings(table) == ONE_MODEL


def test_the_order_of_the_points_does_not_matter(stub):
    there, back = run(), run(temperature=TEMPERATURES[::-1])
    assert_same(there, back.sortby("temperature"))
    assert stub.trained[0] == stub.trained[1]


def test_per_point_trains_as_ever(stub, capsys):
    table = run(edg={"per_point": True}, progress=True)
    assert capsys.readouterr().err.splitlines()[0] == "edg: a model per point (3 points)"
    assert [trained_at for trained_at, _ in stub.trained] == TEMPERATURES
    assert settings(table) == {"n_samples": 200, "n_views": "auto"}


def test_a_point_has_the_seeds_that_it_has_alone(stub):
    """A model per point, and one for all, share the seeds of the draws, not that of the training."""
    run(methods=["edg"])
    run(methods=["edg"], edg={"per_point": True})
    one_model, per_point = stub.log[:3], stub.log[3:]
    assert [call[2] for call in one_model] == [call[2] for call in per_point]
    assert one_model[0][1] not in {call[1] for call in per_point}


def test_one_point_says_nothing(stub, capsys):
    assert "conditions" not in settings(run(temperature=[2.5], progress=True))
    assert "edg:" not in capsys.readouterr().err


def test_two_couplings_are_two_conditions(stub, capsys):
    table = run(temperature=[2.0, 3.0], field=[0.1, 0.0], progress=True)
    words = "edg: one model for temperature 2 to 3 and field 0 to 0.1 (4 points)"
    assert capsys.readouterr().err.splitlines()[0] == words
    assert settings(table)["conditions"] == {"temperature": [2.0, 3.0], "field": [0.0, 0.1]}
    assert len(stub.trained) == 1


def test_couplings_that_move_together_are_found(stub):
    table = run(make=lambda t: make(t, field=0.1 * t), t=[2.0, 3.0])
    assert set(settings(table)["conditions"]) == {"temperature", "field"}


@pytest.mark.parametrize(
    ("couplings", "reason"),
    [
        ({"coupling": [1.0, 2.0], "temperature": [2.0]}, "the points differ in more than temperature and"),
        ({"coupling": [1.0, 2.0], "temperature": [2.0, 3.0]}, "the points differ in more than"),
    ],
)
def test_more_than_conditions_falls_back_with_a_word(stub, capsys, couplings, reason):
    table = run(progress=True, **couplings)
    assert capsys.readouterr().err.splitlines()[0].startswith(f"edg: a model per point: {reason}")
    assert "conditions" not in settings(table) and len(stub.trained) == len(stub.log)


def test_a_decoder_without_conditions_falls_back_with_a_word(monkeypatch, capsys):
    stub = install_stub_edg(monkeypatch)
    run(progress=True)
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("edg: a model per point: conditions must be left out")
    assert len(stub.trained) == 3


def test_quiet_says_nothing(stub, capsys):
    run(progress=False)
    assert capsys.readouterr() == ("", "")


# ----------------------------------------------------------------------------------- ranges of one's own


def test_points_may_be_added_within_a_range_that_was_given(stub, tmp_path):
    options = {"edg": {"conditions": {"temperature": (1.5, 3.5)}}, "out": tmp_path / "scan.nc"}
    run(temperature=[2.0], **options)
    assert [trained_at for trained_at, _ in stub.trained] == [2.5]
    table = run(temperature=[2.0, 3.5], **options)
    assert [call[0] for call in stub.log] == [2.0, 3.5] and len(set(stub.trained)) == 1
    assert settings(table)["conditions"] == {"temperature": [1.5, 3.5]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edg": {"conditions": {"temperature": (2.2, 3.5)}}}, r"must be in \[2.2, 3.5\], .*got 2 \(that"),
        ({"edg": {"conditions": {"field": (0.0, 0.1)}}}, "conditions must have a range of temperature"),
        ({"edg": {"conditions": {"coupling": (1.0, 2.0)}}}, "conditions must be among temperature, field"),
        ({"edg": {"conditions": {"temperature": (3.0, 2.0)}}}, r"a pair \(low, high\) of numbers"),
        ({"edg": {"conditions": {"temperature": (1.0, 9.0)}}, "coupling": [1.0, 2.0], "temperature": [2.0]},
         "the points differ in more than temperature and field"),
        ({"edg": {"conditions": {"temperature": (1.0, 9.0)}, "per_point": True}},
         "conditions must be left out with per_point"),
        ({"edg": {"per_point": "yes"}}, "per_point must be True or False, got 'yes'"),
        ({"methods": ["exact"], "edg": {"per_point": True}}, "per_point must be left out where no method"),
    ],
)  # fmt: skip
def test_wrong_ranges_are_refused_before_anything_is_trained(stub, tmp_path, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        run(out=tmp_path / "scan.nc", **options)
    assert not stub.trained and not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------- workers, on disk


@pytest.mark.parametrize("workers", [2, 40, None])
def test_results_do_not_depend_on_the_number_of_workers(stub, workers):
    assert_same(run(workers=workers), run())


def test_dask_gives_the_same_numbers(stub):
    from distributed import Client

    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        assert_same(run(scheduler=client), run())


def interrupted(stub, path, after=1, **options):
    stub.fail_at = after
    with pytest.raises(KeyboardInterrupt):
        run(out=path, **options)
    stub.fail_at = None
    stub.log.clear()
    stub.trained.clear()


def test_a_finished_training_is_not_repeated(stub, tmp_path):
    path = tmp_path / "scan.nc"
    interrupted(stub, path)
    assert len(list((tmp_path / "scan.nc.partial").glob("cell-edg-*.model"))) == 1
    table = run(out=path)
    assert not stub.trained and [call[0] for call in stub.log] == [2.5, 3.0]
    assert_same(table, run())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["scan.nc", "scan.nc.models"]


def test_a_damaged_model_is_trained_again(stub, tmp_path):
    path = tmp_path / "scan.nc"
    interrupted(stub, path)
    next((tmp_path / "scan.nc.partial").glob("cell-edg-*.model")).write_text("{")
    assert_same(run(out=path), run())
    assert len(stub.trained) == 2


def test_points_within_the_range_are_added_without_training_while_unfinished(stub, tmp_path):
    path, temperatures = tmp_path / "scan.nc", [3.0, 2.25, 2.0, 2.5]
    interrupted(stub, path)
    assert_same(run(out=path, temperature=temperatures), run(temperature=temperatures))
    assert len(stub.trained) == 1


def test_nothing_is_trained_for_cells_of_other_methods(stub, tmp_path):
    path = tmp_path / "scan.nc"
    run(methods=["edg"], out=path)
    stub.trained.clear()
    run(out=path)
    assert not stub.trained


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"edg": {"per_point": True}}, {}, "a model per point there and {temperature: [2.0, 3.0]} here"),
        ({}, {"edg": {"per_point": True}}, "{temperature: [2.0, 3.0]} there and a model per point here"),
        (
            {},
            {"temperature": [2.0, 4.0]},
            "{temperature: [2.0, 3.0]} there and {temperature: [2.0, 4.0]} here",
        ),
    ],
)
def test_cells_of_other_models_are_not_mixed(stub, tmp_path, before, after, words):
    words = re.escape(f"(conditions of edg is {words})")
    interrupted(stub, tmp_path / "scan.nc", **before)
    with pytest.raises(DatasetError, match=f"another unfinished scan {words}"):
        run(out=tmp_path / "scan.nc", **after)
    run(out=tmp_path / "scan.nc", overwrite=True, **before)
    if "temperature" not in after:  # new points would have the other model, see test_extending.py
        with pytest.raises(DatasetError, match="is complete"):
            run(out=tmp_path / "scan.nc", **after)


def test_scans_of_before_go_on_with_a_model_per_point(stub, tmp_path):
    """Their headers are those of `per_point`."""
    interrupted(stub, tmp_path / "scan.nc", edg={"per_point": True})
    header = json.loads((tmp_path / "scan.nc.partial" / "scan.json").read_text())
    assert header["settings"]["edg"] == {"n_samples": 200, "n_views": "auto"}
    assert_same(run(out=tmp_path / "scan.nc", edg={"per_point": True}), run(edg={"per_point": True}))


# ------------------------------------------------------------------------------------- a real training


def small(out=None, workers=1, n_steps=20, **options):
    lattice = lattices.build("square", (4, 4))
    options = {"methods": ["edg", "exact"], "n_samples": 1000, "temperature": [1.8, 2.4, 3.2]} | options
    options |= {"seed": 0, "edg": {"n_steps": n_steps, "device": "cpu"}, "workers": workers, "out": out}
    return ep.scan(lambda t: ep.Ising(lattice, temperature=t), **options)


@pytest.mark.statistical
def test_every_point_agrees_with_enumeration():
    """Weights are unbiased for any network; two wrong points show that the test could fail."""
    table = small()
    edg, exact = (table.sel({"method": name}) for name in ("edg", "exact"))
    for i in range(3):
        value, error = float(edg["log_z"][i]), float(edg["log_z_err"][i])
        assert_z(value, error, float(exact["log_z"][i]), n_tests=3, max_err=0.05)
        with pytest.raises(AssertionError):
            assert_z(value, error, float(exact["log_z"][(i + 1) % 3]), n_tests=3, max_err=0.05)


@pytest.mark.slow
def test_workers_share_the_trained_model():
    assert_same(small(workers=3), small())


def test_the_points_share_what_training_took():
    system = ep.Ising(lattices.build("chain", (6,)), temperature=2.0)
    edg = ep.EDG(system, conditions={"temperature": (1.0, 3.0)}).fit(seed=0, n_steps=3, device="cpu")
    draws = SharedModel(edg, 1).at(system).sample(100, seed=1, progress=False)
    tables = {n_points: ep.estimate(draws) for n_points in (1, 4)}
    for n_points, table in tables.items():
        SharedModel(edg, n_points).count_share(table)
    alone, shared = (table.attrs for table in tables.values())
    before = json.loads(edg.sample(10, seed=0).attrs["settings"])["training"]
    assert shared["shared_time"] == before["training_time"] / 4 == alone["shared_time"] / 4
    n_energy, n_gradient = (before.get(f"n_{kind}_calls", 0) for kind in ("energy", "gradient"))
    saved = {name: alone[name] - shared[name] for name in ("n_energy_calls", "n_gradient_calls")}
    assert saved == {
        "n_energy_calls": round(0.75 * (n_energy + n_gradient)),
        "n_gradient_calls": round(0.75 * n_gradient),
    }
    assert saved["n_energy_calls"] > 100


def test_it_travels_to_other_processes():
    from edgphys.methods.edg import EDGMethod

    lattice = lattices.build("square", (4, 4))
    systems = [ep.Ising(lattice, temperature=t) for t in (2.0, 3.0)]
    method = EDGMethod({"n_steps": 3, "device": "cpu"}, n_samples=100)
    method = method.for_all(systems, [{"temperature": 2.0}, {"temperature": 3.0}])
    artefact = method.prepare(systems, np.random.SeedSequence(0))
    seed = np.random.SeedSequence(1)
    copied = pickle.loads(pickle.dumps(artefact))
    here, there = (method.run(systems[0], seed, one) for one in (artefact, copied))
    assert float(here["log_z"]) == float(there["log_z"])


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["*.pt", "*.json"], ids=["in training", "in drawing"])
def test_a_scan_that_was_killed_goes_on_to_the_same_bits(tmp_path, monkeypatch, moment):
    """Ctrl-C when the first state of the training, or the first cell, is on disk."""
    from edgphys.edg.core import training

    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 10)
    path, n_steps = tmp_path / "scan.nc", 60

    def interrupt():
        while not list(tmp_path.glob(f"scan.nc.partial/cell-edg-{moment}")):
            time.sleep(0.001)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupter = threading.Thread(target=interrupt, daemon=True)
    interrupter.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            small(path, n_steps=n_steps)
    finally:
        signal.signal(signal.SIGINT, before)
    interrupter.join()
    trained = list(tmp_path.glob("scan.nc.partial/cell-edg-*.model"))
    assert len(trained) == (moment == "*.json")
    if trained:  # what is trained is not trained again
        monkeypatch.setattr(ep.EDG, "fit", None)
    resumed = small(path, n_steps=n_steps)
    monkeypatch.undo()
    assert_same(resumed, small(n_steps=n_steps))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["scan.nc", "scan.nc.models"]
