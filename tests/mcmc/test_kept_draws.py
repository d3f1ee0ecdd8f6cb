# SPDX-License-Identifier: MIT
"""Configurations on disk while they are drawn: the same as in memory, whatever interrupts the run."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray as xr

import edgphys as ep
import lattices
from edgphys import _sizes, dataset
from edgphys.dataset import netcdf
from edgphys.errors import ArgumentValueError, DatasetError
from edgphys.mcmc.core import driver, kept_draws

SYSTEM = ep.Ising(lattices.build("square", (4, 4)), temperature=2.3)


@pytest.fixture
def all_on_disk(monkeypatch):
    monkeypatch.setattr(kept_draws, "IN_MEMORY", 0)
    monkeypatch.setattr(netcdf, "LARGE", 0)


def run(algorithm="heat_bath", n_sweeps=60, **options):
    return ep.mcmc.run(
        SYSTEM, algorithm, n_chains=3, n_sweeps=n_sweeps, n_warmup=5, seed=1, keep=True, **options
    )


@pytest.mark.parametrize("algorithm", ["heat_bath", "multispin", "wolff"])
def test_same_draws_as_in_memory(all_on_disk, tmp_path, algorithm):
    on_disk = run(algorithm, checkpoint=tmp_path / "state", thin=2)
    assert (tmp_path / "state.kept").stat().st_size == 3 * 30 * 16
    xr.testing.assert_equal(on_disk, run(algorithm, thin=2))


def test_a_checkpoint_does_not_carry_them(all_on_disk, tmp_path):
    run(checkpoint=tmp_path / "state")
    with np.load(tmp_path / "state") as file:
        assert not [name for name in file.files if name.startswith("kept")]


def test_a_run_that_was_stopped_goes_on(all_on_disk, tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 160)
    put, calls = kept_draws.OnDisk.put, []

    def stop_at_the_seventh(self, *arguments):
        calls.append(arguments)
        if len(calls) == 7:
            raise KeyboardInterrupt
        put(self, *arguments)

    monkeypatch.setattr(kept_draws.OnDisk, "put", stop_at_the_seventh)
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint=tmp_path / "state", n_threads=1)
    xr.testing.assert_equal(run(checkpoint=tmp_path / "state"), run())


def test_a_finished_run_is_extended_from_memory_to_disk(tmp_path, monkeypatch):
    run(n_sweeps=20, checkpoint=tmp_path / "state")
    assert not (tmp_path / "state.kept").exists()
    monkeypatch.setattr(kept_draws, "IN_MEMORY", 0)
    for n_sweeps in (40, 60):
        xr.testing.assert_equal(run(n_sweeps=n_sweeps, checkpoint=tmp_path / "state"), run(n_sweeps=n_sweeps))


def test_a_file_cut_short_is_refused(all_on_disk, tmp_path):
    run(checkpoint=tmp_path / "state")
    with (tmp_path / "state.kept").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(DatasetError, match=r"state.kept ends before the draws that the checkpoint counts"):
        run(checkpoint=tmp_path / "state")


def test_a_disk_without_room_is_refused_before_anything_is_drawn(all_on_disk, tmp_path):
    huge = ep.Phi4(lattices.build("square", (64, 64)), kappa=0.2, lam=0.02)
    with pytest.raises(
        ArgumentValueError, match=r"n_sweeps must be smaller: 1 chains of 100000000 config.* free"
    ):
        ep.mcmc.run(huge, "hmc", 1, 10**8, 0, keep=True, checkpoint=tmp_path / "state")
    assert not list(tmp_path.iterdir())


def test_written_in_pieces_and_read_where_looked_at(all_on_disk, tmp_path, monkeypatch):
    monkeypatch.setattr(netcdf, "_CHUNK", 7 * 16)
    made = run()
    path = dataset.write(made, tmp_path / "draws.nc")
    lazy = dataset.read(path)
    assert not lazy["configurations"].variable._in_memory
    xr.testing.assert_equal(lazy, made)
    xr.testing.assert_equal(xr.load_dataset(path, engine="h5netcdf"), made)
    some = {"chain": [2, 0], "draw": slice(50, 3, -7)}
    xr.testing.assert_equal(dataset.read(path).isel(some), made.isel(some))
    again = dataset.write(dataset.read(path), tmp_path / "copy.nc")
    xr.testing.assert_identical(dataset.read(again).load(), dataset.read(path).load())


@pytest.mark.parametrize("dtype", [np.int8, np.float32], ids=["spins", "control: floats"])
def test_a_spin_takes_little_more_than_a_bit_on_disk(tmp_path, dtype):
    """Independent spins take the most, 1.37 bits; ordered ones less."""
    spins = np.random.default_rng(0).choice(np.array([-1, 1], dtype), (4, 4096, 4, 4))
    made = xr.Variable(("chain", "draw", "x", "y"), spins)
    netcdf.write_aside(tmp_path / "a.nc", netcdf.image(xr.Dataset(), {}), "configurations", made)
    with h5py.File(tmp_path / "a.nc") as file:
        np.testing.assert_array_equal(file["configurations"][:], spins)
        size = 8 * file["configurations"].id.get_storage_size() / spins.size
    assert (size < 1.4) == (dtype is np.int8)


def test_open_gives_arrays_that_are_not_loaded(all_on_disk, tmp_path):
    made = run()
    opened = ep.open(dataset.write(made, tmp_path / "draws.nc"))
    assert all(variable.chunks is not None for variable in opened.data_vars.values())
    np.testing.assert_array_equal(opened["configurations"][1, 3:5].compute(), made["configurations"][1, 3:5])
    assert float(opened["configurations"].mean().compute()) == float(made["configurations"].mean())


def test_a_file_that_was_replaced_is_not_mixed_with_the_old_one(all_on_disk, tmp_path):
    opened = dataset.read(dataset.write(run(), tmp_path / "draws.nc"))
    dataset.write(run("wolff"), tmp_path / "draws.nc", overwrite=True)
    with pytest.raises(DatasetError, match=r"draws.nc is another file than the one that was opened"):
        opened["configurations"].load()


def test_no_room_for_the_result_leaves_the_old_file(all_on_disk, tmp_path, monkeypatch):
    made = run()
    path = dataset.write(made, tmp_path / "draws.nc")
    old = path.read_bytes()
    monkeypatch.setattr(_sizes.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(ArgumentValueError, match=r"path must be smaller|the configurations need"):
        dataset.write(made, path, overwrite=True)
    assert path.read_bytes() == old
