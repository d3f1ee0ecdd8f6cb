# SPDX-License-Identifier: MIT
"""Scans: every cell depends on the seed, its method and its point only; what is finished on disk is not lost.

The sampler is a stub (helpers/scans.py) but for one scan with real Markov chains; exact values are those of
`edgphys.exact`, which has its own tests.
"""

from __future__ import annotations

import json
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
from edgphys import dataset
from edgphys.errors import DatasetError, NotExactError, TrainingError, UnknownNameError

TEMPERATURES = [2.0, 2.5, 3.0]


@pytest.fixture
def stub(monkeypatch):
    return install_stub_edg(monkeypatch)


def make(temperature, field=0.0):
    return ep.Ising(lattices.build("square", (3, 3)), temperature=temperature, field=field)


def run(methods=("edg", "exact"), seed=0, temperature=TEMPERATURES, **options):
    """One cell after the other unless told otherwise, so that tests may count on the order."""
    if "scheduler" not in options:
        options = {"workers": 1} | options
    return ep.scan(make, methods=methods, seed=seed, n_samples=200, temperature=temperature, **options)


def assert_same(one: xr.Dataset, other: xr.Dataset) -> None:
    """All numbers agree to the last bit, times apart."""
    assert set(one.data_vars) == set(other.data_vars)
    for name in set(one.data_vars) - {"wall_time"}:
        xr.testing.assert_equal(one[name].drop_attrs(), other[name].drop_attrs())


# ------------------------------------------------------------------------------------------------ the result


def test_dims_coordinates_and_attrs(stub):
    table = run()
    assert table["energy"].dims == ("method", "temperature")
    assert table["method"].values.tolist() == ["edg", "exact"]
    assert table["temperature"].values.tolist() == TEMPERATURES
    assert table.attrs["kind"] == "scan" and table.attrs["schema_version"] == 1
    assert json.loads(table.attrs["parameters"]) == {"coupling": 1.0, "field": 0.0}
    assert json.loads(table.attrs["couplings"]) == ["temperature"]
    assert json.loads(table.attrs["settings"]) == {"edg": {"n_samples": 200, "n_views": "auto"}, "exact": {}}
    definitions = json.loads(table.attrs["definitions"])
    for name in table.data_vars:
        assert name.removesuffix("_err") in definitions, name
    dataset.validate(table)


def test_exact_cells_are_the_exact_results_with_error_zero(stub):
    table = run(methods=["exact"])
    for temperature in TEMPERATURES:
        expected = make(temperature).exact_results()
        cell = table.sel({"method": "exact", "temperature": temperature})
        assert expected and all(float(cell[name]) == value for name, value in expected.items())
        assert all(float(cell[f"{name}_err"]) == 0 for name in expected)


def test_what_a_method_does_not_give_is_nan(stub):
    table = run()
    assert np.isfinite(table["ess"].sel({"method": "edg"})).all()
    assert np.isnan(table["ess"].sel({"method": "exact"})).all()


def test_labels_of_an_even_range_are_those_of_the_command_line(stub):
    numpy_range = np.linspace(1.8, 2.1, 4)
    assert numpy_range[1] != 1.9  # by rounding
    assert run(methods=["exact"], temperature=numpy_range)["temperature"].values.tolist() == [
        1.8,
        1.9,
        2.0,
        2.1,
    ]
    kept = [1.8, 1.9000000000000001, 2.3]
    assert run(methods=["exact"], temperature=kept)["temperature"].values.tolist() == kept


def test_two_couplings_give_their_outer_grid(stub):
    table = ep.scan(make, methods=["exact"], seed=0, temperature=[2.0, 3.0], field=[0.0, 0.1, 0.2])
    assert table["log_z"].dims == ("method", "temperature", "field")
    for temperature in (2.0, 3.0):
        for field in (0.0, 0.1, 0.2):
            point = {"method": "exact", "temperature": temperature, "field": field}
            assert float(table["log_z"].sel(point)) == make(temperature, field).exact_results()["log_z"]
    assert table.attrs["z2_symmetric"] == 0
    assert "temperature" not in table.attrs and "beta" not in table.attrs


@pytest.mark.statistical
def test_markov_chains_agree_with_the_exact_results():
    methods = ["wolff", "metropolis", "mcmc", "exact"]
    table = run(methods=methods, temperature=[2.0, 3.0], mcmc={"n_sweeps": 500, "n_chains": 4})
    for method in methods[:3]:
        for temperature in (2.0, 3.0):
            cells = table.sel(temperature=temperature)
            exact = float(cells["energy"].sel({"method": "exact"}))
            cell = cells.sel({"method": method})
            assert_z(float(cell["energy"]), float(cell["energy_err"]), exact, n_tests=6, max_err=0.5)
    assert "wolff" in json.loads(table.attrs["algorithms"])["mcmc temperature=2"]


# ----------------------------------------------------------------------------------------------------- seeds


def test_adding_points_and_methods_changes_no_cell(stub):
    small = run(methods=["edg"], temperature=[2.5])
    large = run(methods=["exact", "edg"], temperature=[3.0, 2.5 + 1e-15, 2.0])
    one = small.isel(method=0, temperature=0)
    other = large.sel({"method": "edg"}).isel(temperature=1)
    for name in ("log_z", "energy", "ess"):
        assert float(one[name]) == float(other[name])


def test_no_two_draws_share_a_seed(stub):
    run(methods=["edg"])
    run(methods=["edg"], seed=1)
    seeds = [seed for call in stub.log for seed in call[1:]]
    assert len(seeds) == 12 and len(set(seeds)) == 12


def test_same_seed_gives_the_same_numbers(stub):
    assert_same(run(), run())


# ---------------------------------------------------------------------------------------------- make_system


def test_make_system_may_have_other_parameter_names(stub):
    by_name = run(methods=["exact"])
    by_position = ep.scan(lambda t: make(t), methods=["exact"], seed=0, temperature=TEMPERATURES)
    xr.testing.assert_equal(by_name["log_z"], by_position["log_z"])


def test_make_system_with_some_of_the_names_is_refused(stub):
    with pytest.raises(TypeError, match="has no parameter field"):
        ep.scan(
            lambda temperature, h: make(temperature),
            methods=["exact"],
            seed=0,
            temperature=[2.0],
            field=[0.0],
        )


def test_lattice_must_not_change_over_the_scan(stub):
    def grows(temperature):
        return ep.Ising(lattices.build("square", (3, 3 if temperature < 2.2 else 4)), temperature=temperature)

    with pytest.raises(ValueError, match="same extent at every point"):
        ep.scan(grows, methods=["exact"], seed=0, temperature=TEMPERATURES)


# ----------------------------------------------------------------------------------------------- validation


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"methods": ["nope"]}, UnknownNameError, "method must be one of edg, .*exact for"),
        ({"methods": ["hmc"]}, UnknownNameError, "wolff"),
        ({"methods": []}, ValueError, "methods must be a non-empty sequence"),
        ({"methods": ["edg", "edg"]}, ValueError, "must not name a method twice"),
        ({"seed": -1}, ValueError, "seed must be an integer"),
        ({"seed": 1.5}, TypeError, "seed must be an integer"),
        ({"temperature": [2.0, -1.0]}, ValueError, "temperature must be positive and finite, got -1"),
        ({"temperature": []}, ValueError, "non-empty sequence of finite numbers"),
        ({"temperature": [2.0, 2.0]}, ValueError, "must not name a value twice"),
        ({"temperature": [np.nan]}, ValueError, "finite numbers"),
        ({"temperature": ["warm"]}, TypeError, "sequence of numbers"),
        ({"edg": {"n_steps": -1}}, ValueError, "n_steps must be an integer >= 0, got -1"),
        ({"edg": {"n_stps": 10}}, TypeError, "unknown option 'n_stps'; there are .*n_steps"),
        ({"edg": {"device": "abacus"}}, ValueError, "device must be one that torch has here"),
        ({"methods": ["wolff"], "mcmc": {"n_sweeps": 0}}, ValueError, "n_sweeps must be an integer"),
        ({"methods": ["wolff"], "mcmc": {"sweeps": 9}}, TypeError, "unknown option 'sweeps'"),
        ({"scheduler": "threads"}, TypeError, "scheduler must be a dask.distributed.Client"),
        ({"workers": 0}, ValueError, "workers must be an integer >= 1, got 0"),
        ({"workers": 1.5}, TypeError, "workers must be an integer >= 1, got 1.5"),
        ({"edg": {"n_threads": 0}}, ValueError, "n_threads must be an integer >= 1, got 0"),
        ({"out": "missing/scan.nc"}, DatasetError, "folder missing does not exist"),
        ({"out": "."}, DatasetError, "out must be a file, got the folder"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_before_anything_is_computed(
    stub, tmp_path, monkeypatch, options, error, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        run(**({"out": "scan.nc"} | options))
    assert not stub.log and not list(tmp_path.iterdir())


def test_settings_of_the_draws_are_checked_before_the_first_training(tmp_path):
    for edg, message in (({"weights": "foo"}, "weights must be one of path, ode, got 'foo'"),
                         ({"n_probes": 0}, "n_probes must be an integer >= 1, got 0")):  # fmt: skip
        with pytest.raises(ValueError, match=message) as caught:
            run(out=tmp_path / "scan.nc", edg=edg)
        assert not hasattr(caught.value, "__notes__") and not list(tmp_path.iterdir())


def test_no_samples_and_no_couplings_are_refused(stub):
    with pytest.raises(ValueError, match="n_samples must be an integer >= 2, got 0"):
        ep.scan(make, methods=["edg"], seed=0, n_samples=0, temperature=[2.0])
    with pytest.raises(ValueError, match="couplings: name at least one"):
        ep.scan(make, methods=["edg"], seed=0)
    with pytest.raises(ValueError, match="'energy' is the name of a result"):
        ep.scan(lambda energy: make(2.0), methods=["edg"], seed=0, energy=[1.0])


def test_exact_where_nothing_is_known_is_refused(stub):
    lattice = lattices.build("cubic", (3, 3, 3))
    with pytest.raises(NotExactError, match="nothing is known exactly for ising on cubic 3x3x3"):
        ep.scan(
            lambda t: ep.Ising(lattice, temperature=t, field=0.1),
            methods=["edg", "exact"],
            seed=0,
            temperature=[2.0],
        )
    assert not stub.log


# ------------------------------------------------------------------------------------------------- on disk


def test_file_holds_what_is_returned(stub, tmp_path):
    table = run(out=tmp_path / "scan.nc")
    assert_same(table, dataset.read(tmp_path / "scan.nc"))
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nc"]


def interrupted(stub, path, after=2, **options):
    stub.fail_at = after
    with pytest.raises(KeyboardInterrupt):
        run(out=path, **options)
    stub.fail_at = None
    stub.log.clear()


def test_killed_scan_goes_on_with_the_same_numbers(stub, tmp_path):
    path = tmp_path / "scan.nc"
    interrupted(stub, path)
    assert not path.exists() and len(list((tmp_path / "scan.nc.partial").glob("cell-*.json"))) == 2
    table = run(out=path)
    assert [call[0] for call in stub.log] == [3.0]
    assert_same(table, run())
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nc"]


def test_finished_cells_serve_a_larger_scan(stub, tmp_path):
    path = tmp_path / "scan.nc"
    interrupted(stub, path, methods=["edg"])
    table = run(out=path, temperature=[2.5, 2.25, 2.0])
    assert [call[0] for call in stub.log] == [2.25]
    assert_same(table, run(temperature=[2.5, 2.25, 2.0]))


@pytest.mark.parametrize("change", [{"seed": 1}, {"edg": {"n_steps": 5}}])
def test_unfinished_scan_with_other_settings_is_refused_and_kept(stub, tmp_path, change):
    path = tmp_path / "scan.nc"
    interrupted(stub, path)
    before = {file: file.read_bytes() for file in (tmp_path / "scan.nc.partial").iterdir()}
    with pytest.raises(
        DatasetError, match=r"another unfinished scan \((seed|n_steps of edg) is .* there and .* here\)"
    ):
        run(out=path, **change)
    assert before == {file: file.read_bytes() for file in (tmp_path / "scan.nc.partial").iterdir()}
    assert_same(run(out=path, overwrite=True, **change), run(**change))


def test_settings_of_a_method_left_out_for_a_while_still_count(stub, tmp_path):
    path = tmp_path / "scan.nc"
    interrupted(stub, path)
    stub.fail_at = 0
    with pytest.raises(KeyboardInterrupt):
        run(out=path, methods=["exact", "edg"], temperature=[2.0, 9.0])
    stub.fail_at = None
    with pytest.raises(DatasetError, match="n_steps of edg is the default there and 5 here"):
        run(out=path, edg={"n_steps": 5})


def test_where_a_method_runs_does_not_matter(stub, tmp_path):
    path = tmp_path / "scan.nc"
    interrupted(stub, path)
    run(out=path, edg={"device": "cpu"})
    assert len(stub.log) == 1


def test_resume_can_be_refused(stub, tmp_path):
    path = tmp_path / "scan.nc"
    interrupted(stub, path)
    with pytest.raises(DatasetError, match="holds an unfinished scan"):
        run(out=path, resume=False)
    run(out=path, resume=False, overwrite=True)
    assert len(stub.log) == 3


def test_damaged_cell_is_computed_again(stub, tmp_path):
    path = tmp_path / "scan.nc"
    interrupted(stub, path)
    next((tmp_path / "scan.nc.partial").glob("cell-*.json")).write_text("{")
    assert_same(run(out=path), run())


def test_complete_file_is_refused_and_kept(stub, tmp_path):
    path = tmp_path / "scan.nc"
    run(out=path)
    before = path.read_bytes()
    for options in ({}, {"resume": False}, {"methods": ["exact"]}, {"temperature": [2.5]}):
        with pytest.raises(DatasetError, match=r"scan\.nc exists.*--overwrite"):
            run(out=path, **options)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["scan.nc"]


def test_file_is_extended_by_points_and_methods(stub, tmp_path):
    path = tmp_path / "scan.nc"
    run(out=path, methods=["edg"])
    stub.log.clear()
    table = run(out=path, methods=["edg", "exact"], temperature=[*TEMPERATURES, 3.5])
    assert [call[0] for call in stub.log] == [3.5]
    assert_same(table, run(temperature=[*TEMPERATURES, 3.5]))
    assert_same(table, dataset.read(path))


def test_overwriting_replaces_the_file_only_at_the_end(stub, tmp_path):
    path = tmp_path / "scan.nc"
    run(out=path)
    before = path.read_bytes()
    interrupted(stub, path, after=4, overwrite=True, seed=1)
    assert path.read_bytes() == before
    table = run(out=path, overwrite=True, seed=1)
    assert len(stub.log) == 2, "the scan that overwrites goes on, too"
    assert_same(dataset.read(path), table)


def test_a_file_that_is_no_scan_is_refused_and_kept(stub, tmp_path):
    path = tmp_path / "scan.nc"
    path.write_bytes(b"precious")
    with pytest.raises(DatasetError):
        run(out=path)
    assert path.read_bytes() == b"precious" and not stub.log


def test_two_scans_into_one_file_do_not_mix(stub, tmp_path):
    from edgphys.scans.partial_results import PartialScan

    with (
        PartialScan(tmp_path / "scan.nc").locked(),
        pytest.raises(DatasetError, match="another scan is writing"),
    ):
        run(out=tmp_path / "scan.nc")


def test_failure_names_the_cell_and_keeps_the_finished_ones(stub, tmp_path):
    stub.fail_at, stub.failure = 1, TrainingError("loss is not finite at step 7")
    with pytest.raises(TrainingError) as caught:
        run(out=tmp_path / "scan.nc")
    assert caught.value.__notes__ == ["computing edg at temperature=2.5"]
    assert len(list((tmp_path / "scan.nc.partial").glob("cell-*.json"))) == 1


# --------------------------------------------------------------------------------------- workers, progress


@pytest.mark.parametrize("workers", [2, 5, 40, None])
def test_results_do_not_depend_on_the_number_of_workers(stub, tmp_path, workers):
    methods, mcmc = ["edg", "wolff", "exact"], {"n_sweeps": 64, "n_chains": 2}
    table = run(methods=methods, mcmc=mcmc, workers=workers, out=tmp_path / "scan.nc")
    assert_same(table, run(methods=methods, mcmc=mcmc))
    assert_same(table, dataset.read(tmp_path / "scan.nc"))
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nc"]


def small_training(workers, out=None, n_steps=5):
    def chain(temperature):
        return ep.Ising(lattices.build("chain", (6,)), temperature=temperature)

    edg = {"n_steps": n_steps, "device": "cpu", "per_point": True}
    options = {"edg": edg, "n_samples": 100, "seed": 0}
    return ep.scan(chain, methods=["edg"], temperature=[1.0, 2.0], workers=workers, out=out, **options)


def test_trained_cells_do_not_depend_on_workers_or_threads():
    """Torch sums in another order with more threads: a cell has its own number of them, wherever it is."""
    import torch

    expected = small_training(workers=1)
    torch.set_num_threads(2)  # the fixture one_torch_thread puts it back
    assert_same(small_training(workers=1), expected)
    assert_same(small_training(workers=2), expected)
    counts = [torch.get_num_threads()]
    thread = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert counts == [2, 2]


def test_ctrl_c_stops_the_workers_soon_and_training_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    from edgphys.edg.core import training

    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 10)
    path, n_steps, in_time = tmp_path / "scan.nc", 80, []
    stopped = threading.Event()

    def interrupt():
        while not list(tmp_path.glob("scan.nc.partial/cell-*.pt")):
            time.sleep(0.002)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        in_time.append(stopped.wait(2.0))

    # A job in the background of a shell starts with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupter = threading.Thread(target=interrupt, daemon=True)
    interrupter.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            small_training(workers=2, out=path, n_steps=n_steps)
    finally:
        stopped.set()
        signal.signal(signal.SIGINT, before)
    interrupter.join()
    assert in_time == [True]
    assert not [thread for thread in threading.enumerate() if "_work" in thread.name]
    assert not path.exists() and not list(tmp_path.glob("scan.nc.partial/*.tmp"))
    resumed = small_training(workers=2, out=path, n_steps=n_steps)
    assert_same(resumed, small_training(workers=2, n_steps=n_steps))
    assert [file.name for file in tmp_path.iterdir()] == ["scan.nc"]


def test_failure_stops_the_other_workers(stub):
    stub.fail_at, stub.failure = 0, TrainingError("loss is not finite at step 7")
    with pytest.raises(TrainingError, match="step 7") as caught:
        run(workers=3)
    assert caught.value.__notes__[0].startswith("computing edg at temperature=")


def test_workers_and_a_scheduler_exclude_each_other(stub):
    from distributed import Client

    with (
        Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client,
        pytest.raises(ValueError, match="workers must be left out where a scheduler is given, got 2"),
    ):
        run(scheduler=client, workers=2)


def test_dask_gives_the_same_numbers(stub):
    from distributed import Client

    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        assert_same(run(scheduler=client), run())


def test_progress_names_each_cell_on_stderr(stub, capsys):
    run(progress=True)
    out, err = capsys.readouterr()
    assert not out and "[4/6] exact      temperature=2 " in err
    run(progress=True, workers=3)
    out, err = capsys.readouterr()
    assert not out and all(f"[{n}/6] " in err for n in range(1, 7))
    run(progress=None)
    assert capsys.readouterr() == ("", "")


def test_definitions_with_numbers_in_them_are_refused(stub, monkeypatch):
    words = property(lambda system: {"energy": f"the energy at {system.temperature}"})
    monkeypatch.setattr(ep.Ising, "definitions", words)
    with pytest.raises(ValueError, match="one definition of energy at all points"):
        run()
