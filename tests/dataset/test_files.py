# SPDX-License-Identifier: MIT
"""Datasets survive a write and read, files are whole or absent, bad ones are refused in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from helpers.datasets import chains, exact, weighted
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgphys import dataset
from edgphys.dataset import netcdf
from edgphys.errors import DatasetError, FileTakenError
from edgphys.estimators import estimate

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("make", [weighted, chains, exact, lambda: dataset.merge([exact(2.0), exact(3.0)])])
def test_dataset_roundtrip(make, tmp_path):
    ds = make()
    path = dataset.write(ds, tmp_path / "a.nc")
    back = dataset.read(path)
    xr.testing.assert_equal(back, ds)
    assert back.attrs == ds.attrs
    for name in ds.data_vars:
        assert back[name].attrs == ds[name].attrs
        assert back[name].dtype == ds[name].dtype
    assert os.listdir(tmp_path) == ["a.nc"]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    energy=arrays(np.float64, st.integers(1, 20), elements=st.floats(allow_nan=True, allow_infinity=True)),
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    number=st.integers(-(2**62), 2**62) | st.floats(allow_nan=False),
)
def test_any_values_and_attrs_roundtrip(energy, text, number, tmp_path_factory):
    ds = weighted(len(energy), note=text, number=number).assign(energy=("draw", energy))
    back = dataset.read(dataset.write(ds, tmp_path_factory.mktemp("any") / "a.nc"))
    np.testing.assert_array_equal(back.energy.values, energy)
    assert back.attrs == ds.attrs


def test_configurations_keep_their_dtype(tmp_path):
    spins = np.ones((40, 4), dtype=np.int8)
    ds = weighted().assign(configurations=(("draw", "x"), spins))
    back = dataset.read(dataset.write(ds, tmp_path / "a.nc"))
    assert back.configurations.dtype == np.int8
    np.testing.assert_array_equal(back.configurations, spins)


def test_estimates_of_what_was_read_are_those_of_what_was_written(tmp_path):
    ds = weighted()
    xr.testing.assert_equal(estimate(dataset.read(dataset.write(ds, tmp_path / "a.nc"))), estimate(ds))


def any_netcdf():
    """What netCDF-4 files hold beside what `write` writes: fill values, scales, flags, a unit of time."""
    return xr.Dataset(
        {
            "filled": (("name", "x"), np.array([[1.0, np.nan], [2.0, 3.0]]), {"_FillValue": -9.0}),
            "scaled": ("x", np.array([1, 2], dtype=np.int16), {"scale_factor": 0.5}),
            "big_endian": ("x", np.array([1.0, 2.0], dtype=">f8")),
            "flags": ("x", np.array([True, False])),
            "years": ("years", np.array([1, 2]), {"units": "days since 2000-01-01"}),
            "empty": ("nothing", np.zeros(0)),
            "words": ("x", np.array(["one", "µ"]), {"note": ""}),
        },
        coords={"name": ["a", "bc"], "beta": 0.5, "label": ("x", [7, 8])},
        attrs={"numbers": np.array([1, 2]), "text": "", "number": 3.5},
    )


def test_files_are_read_as_xarray_reads_them(tmp_path):
    path = tmp_path / "a.nc"
    any_netcdf().to_netcdf(path, engine="h5netcdf")
    ours, theirs = netcdf.load(path), xr.load_dataset(path, engine="h5netcdf", decode_times=False)
    xr.testing.assert_identical(ours, theirs)
    assert list(ours) == list(theirs) and list(ours.sizes) == list(theirs.sizes)
    assert [ours[name].dtype for name in ours] == [theirs[name].dtype for name in ours]
    assert {name: type(value) for name, value in ours.attrs.items()} == {
        name: type(value) for name, value in theirs.attrs.items()
    }


def test_existing_file_is_kept_unless_told(tmp_path):
    path = dataset.write(weighted(seed=1), tmp_path / "a.nc")
    before = path.read_bytes()
    with pytest.raises(DatasetError, match=r"a.nc exists and is not overwritten"):
        dataset.write(weighted(seed=2), path)
    assert path.read_bytes() == before
    dataset.write(weighted(seed=2), path, overwrite=True)
    assert dataset.read(path).attrs["seed"] == 2


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = dataset.write(weighted(seed=1), tmp_path / "a.nc")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device\nmore")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DatasetError, match=r"cannot be written: .*No space left") as caught:
        dataset.write(weighted(seed=2), path, overwrite=True)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["a.nc"]
    assert dataset.read(path).attrs["seed"] == 1


def test_file_made_meanwhile_is_not_replaced_and_the_dataset_is_beside_it(tmp_path, monkeypatch):
    path, real = tmp_path / "a.nc", os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (real(file), path.write_text("someone else's")))
    with pytest.raises(FileTakenError, match=r"a\.nc was made by something else meanwhile .* is .*a-1\.nc$"):
        dataset.write(weighted(), path)
    assert path.read_text() == "someone else's" and sorted(os.listdir(tmp_path)) == ["a-1.nc", "a.nc"]
    xr.testing.assert_equal(dataset.read(tmp_path / "a-1.nc"), weighted())


def test_write_refuses_places_that_are_none(tmp_path):
    with pytest.raises(DatasetError, match=r"^path: the folder .*none does not exist$"):
        dataset.write(weighted(), tmp_path / "none" / "a.nc")
    with pytest.raises(DatasetError, match="must be a file, got the folder"):
        dataset.write(weighted(), tmp_path)


@pytest.mark.parametrize("value", [None, {"a": 1}, [], [[1, 2]], ["a"]])
def test_write_names_the_attr_that_netcdf_cannot_hold(value, tmp_path):
    with pytest.raises(DatasetError, match="attr note must be text, a number or a list of numbers"):
        dataset.write(weighted(note=value), tmp_path / "a.nc")


def truncated(path):
    dataset.write(weighted(500), path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def newer(path):
    dataset.write(weighted(), path)
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = 7


def foreign(path):
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(path, engine="h5netcdf")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: None, "must be an existing file"),
        (lambda path: path.mkdir(), "must be a file, got the folder"),
        (lambda path: path.write_bytes(b""), "must be a netCDF-4 file, got one that begins with b''"),
        (lambda path: path.write_text("temperature,energy\n"), "must be a netCDF-4 file"),
        (truncated, "must be a complete netCDF-4 file, got a damaged one: .*truncated"),
        (newer, "schema_version must be 1, got 7"),
        (foreign, "schema_version must be 1, got none"),
    ],
)
def test_bad_file_is_refused_in_one_line(spoil, message, tmp_path):
    path = tmp_path / "bad.nc"
    spoil(path)
    with pytest.raises(DatasetError, match=message) as caught:
        dataset.read(path)
    assert "\n" not in str(caught.value)
    assert "bad.nc" in str(caught.value)


@pytest.mark.parametrize("path", sorted(DATA.glob("*.nc")), ids=lambda path: path.name)
def test_kept_files_of_all_schemas_can_be_read(path):
    ds = dataset.read(path)
    assert ds.attrs["extent"] == [4]
    assert ds.configurations.shape == (16, 4)
    table = estimate(ds)
    assert float(table.log_z) == pytest.approx(np.log(16.0))
    assert float(table.free_energy) == pytest.approx(-2 * np.log(16.0))


def test_a_file_of_the_current_schema_is_kept():
    assert (DATA / f"samples_schema_{dataset.SCHEMA_VERSION}.nc").exists()


def test_import_starts_no_torch():
    heavy = "{'torch', 'arviz', 'netket'}"
    code = f"import sys, edgphys.dataset, edgphys.estimators; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
