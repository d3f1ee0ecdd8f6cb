# SPDX-License-Identifier: MIT
"""Datasets survive a write and read, bad files are refused in one line, merging keeps physics apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgphys import dataset
from edgphys.dataset import files
from edgphys.errors import DatasetError
from edgphys.estimators import estimate, estimates_from_exact

DATA = Path(__file__).parents[1] / "data"
ATTRS = dict(
    schema_version=1,
    kind="samples",
    method="edg",
    system="ising",
    lattice="chain",
    extent=[4],
    pbc=[1],
    parameters=json.dumps({"temperature": 2.0, "field": 0.0}),
    n_sites=4,
    temperature=2.0,
    beta=0.5,
    z2_symmetric=1,
    linear_size=4.0,
    definitions=json.dumps({"energy": "total"}),
    seed=1,
    wall_time=0.5,
)


def weighted(n=40, seed=1, temperature=2.0, **attrs):
    rng = np.random.default_rng(seed)
    own = {"temperature": temperature, "beta": 1 / temperature, "seed": seed}
    own["parameters"] = json.dumps({"temperature": temperature, "field": 0.0})
    data = {"energy": ("draw", rng.standard_normal(n)), "log_weight_joint": ("draw", rng.standard_normal(n))}
    return xr.Dataset(data, attrs=ATTRS | own | attrs)


def chains(n_chains=2, n=64, seed=1, **attrs):
    energy = np.random.default_rng(seed).standard_normal((n_chains, n))
    return xr.Dataset(
        {"energy": (("chain", "draw"), energy)}, attrs=ATTRS | {"seed": seed, "method": "wolff"} | attrs
    )


def exact(temperature=2.0, **values):
    attrs = weighted(temperature=temperature).attrs
    return estimates_from_exact(values or {"log_z": 3.0}, attrs | {"method": "exact"})


# -------------------------------------------------------------------------------------- write and read


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


def test_file_made_meanwhile_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "a.nc"
    monkeypatch.setattr(files, "_flush", lambda _: path.write_text("someone else's"))
    with pytest.raises(DatasetError, match="made while writing"):
        dataset.write(weighted(), path)
    assert path.read_text() == "someone else's"
    assert os.listdir(tmp_path) == ["a.nc"]


def test_write_refuses_places_that_are_none(tmp_path):
    with pytest.raises(DatasetError, match=r"folder that exists, got .*there is no .*none"):
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


def test_samplers_write_the_same_schema_number():
    provenance = pytest.importorskip("edgphys.systems.provenance")
    assert provenance.SCHEMA_VERSION == dataset.SCHEMA_VERSION


def test_import_starts_no_torch():
    heavy = "{'torch', 'arviz', 'netket'}"
    code = f"import sys, edgphys.dataset, edgphys.estimators; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# ------------------------------------------------------------------------------------------ validation


def without(name):
    def change(ds):
        ds = ds.copy()
        del ds.attrs[name]
        return ds

    return change


def with_attr(**attrs):
    return lambda ds: ds.assign_attrs(attrs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("schema_version"), "schema_version must be 1, got none"),
        (with_attr(schema_version=2), "schema_version must be 1, got 2"),
        (with_attr(schema_version=True), "schema_version must be 1, got True"),
        (
            with_attr(kind="sample"),
            "kind must be one of samples, estimates, scan, ladder, correlation, profile, "
            "distance, times, bound, rungs, got 'sample'",
        ),
        (without("beta"), "must have beta"),
        (without("seed"), "must have seed"),
        (with_attr(system=3), "attr system must be text, got 3"),
        (with_attr(beta="cold"), "attr beta must be a finite number, got 'cold'"),
        (with_attr(beta=np.nan), "attr beta must be a finite number, got nan"),
        (with_attr(extent=[4.5]), "attr extent must be a list of integers"),
        (with_attr(z2_symmetric=2), "z2_symmetric must be 0 or 1, got 2"),
        (
            with_attr(parameters="{"),
            "attr parameters must be JSON text of an object, got",
        ),
        (with_attr(definitions="[]"), "attr definitions must be JSON text of an object"),
        (lambda ds: ds.drop_vars("energy"), "must have the variable energy"),
        (lambda ds: ds.drop_vars("log_weight_joint"), "must have the variable log_weight_joint"),
        (lambda ds: ds.rename(draw="step"), "samples must have the dims"),
        (lambda ds: ds.astype(np.float32), "variable energy must be float64, got float32"),
        (lambda ds: ds.assign(a=("site", [1.0])), "variable a must have the dims"),
        (lambda ds: ds.assign(configurations=("site", [1.0])), "configurations must be real numbers"),
    ],
)
def test_validate_names_what_is_wrong(change, message):
    ds = weighted()
    dataset.validate(ds)
    with pytest.raises(DatasetError, match=message):
        dataset.validate(change(ds))


def test_validate_estimates_and_scans():
    table = exact()
    dataset.validate(table)
    with pytest.raises(DatasetError, match="energy_err must come with energy"):
        dataset.validate(table.drop_vars("energy"))
    with pytest.raises(DatasetError, match=r"variable energy must have the dims \(\), got \('a',\)"):
        dataset.validate(table.assign(energy=("a", [1.0])))
    with pytest.raises(DatasetError, match="at least one variable"):
        dataset.validate(table.drop_vars(list(table.data_vars)))
    scan = dataset.merge([exact(2.0), exact(3.0)])
    with pytest.raises(DatasetError, match="dimension and coordinate temperature"):
        dataset.validate(scan.drop_vars("temperature"))
    with pytest.raises(TypeError, match=r"xarray\.Dataset, got DataArray"):
        dataset.validate(scan.energy)


# ----------------------------------------------------------------------------------------------- merge


def test_merged_draws_are_all_there():
    merged = dataset.merge([weighted(40, seed=1), weighted(60, seed=2)])
    dataset.validate(merged)
    assert merged.sizes == {"draw": 100}
    np.testing.assert_array_equal(merged.energy[40:], weighted(60, seed=2).energy)
    assert merged.attrs["seed"] == [1, 2]
    assert merged.attrs["wall_time"] == 1.0
    again = dataset.merge([merged, weighted(seed=3)])
    assert again.attrs["seed"] == [1, 2, 3]


def test_merged_chains_stay_chains(tmp_path):
    one, two = chains(2, seed=1), chains(3, seed=2).assign_coords(chain=[5, 6, 7])
    merged = dataset.merge([one, two])
    assert merged.sizes == {"chain": 5, "draw": 64}
    assert float(estimate(merged).n_draws) == 5 * 64
    xr.testing.assert_equal(dataset.read(dataset.write(merged, tmp_path / "a.nc")), merged)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (weighted(seed=2, temperature=3.0), "attr temperature must agree .* got 2.0 and 3.0"),
        (weighted(seed=2, extent=[5]), "attr extent must agree"),
        (weighted(seed=2, method="other"), "attr method must agree"),
        (weighted(seed=2, definitions="{}"), "attr definitions must agree"),
        (weighted(seed=1), "attr seed must differ"),
        (exact(), "attr kind must agree"),
        (
            weighted(seed=2).assign(phi2=("draw", np.zeros(40))),
            "variables must be the same .* phi2 only in some",
        ),
    ],
)
def test_other_physics_is_not_merged(other, message):
    with pytest.raises(DatasetError, match=message):
        dataset.merge([weighted(seed=1), other])


def test_chains_of_other_length_or_thinning_are_not_merged():
    with pytest.raises(DatasetError, match="dims other than chain"):
        dataset.merge([chains(n=64, seed=1), chains(n=65, seed=2)])
    with pytest.raises(DatasetError, match="thin"):
        dataset.merge([chains(seed=1), chains(seed=2, settings='{"thin": 5}')])


def test_equal_json_in_another_order_is_the_same_physics():
    swapped = json.dumps({"field": 0.0, "temperature": 2.0})
    assert dataset.merge([weighted(seed=1), weighted(seed=2, parameters=swapped)]).sizes["draw"] == 80


def test_merged_estimates_are_a_scan(tmp_path):
    tables = [
        estimate(weighted(400, 5, 2.0)),
        estimate(weighted(40, 6, 3.0)),
        exact(2.0),
        exact(4.0, energy=1.0),
    ]
    scan = dataset.merge(tables)
    dataset.validate(scan)
    assert scan.sizes == {"method": 2, "temperature": 3}
    assert scan.method.values.tolist() == ["edg", "exact"]
    assert scan.temperature.values.tolist() == [2.0, 3.0, 4.0]
    for table, method, temperature in zip(
        tables, ["edg", "edg", "exact", "exact"], [2, 3, 2, 4], strict=True
    ):
        cell = scan.sel({"method": method, "temperature": temperature})
        for name in table.data_vars:
            np.testing.assert_array_equal(cell[name], table[name], err_msg=str(name))
    assert np.isnan(scan.log_z.sel({"method": "edg", "temperature": 4.0}))
    assert json.loads(scan.attrs["parameters"]) == {"field": 0.0}
    assert list(json.loads(scan.attrs["warnings"])) == ["edg temperature=3"]
    assert "temperature" not in scan.attrs
    assert scan["energy"].attrs["definition"] == "total"
    back = dataset.read(dataset.write(scan, tmp_path / "a.nc"))
    xr.testing.assert_equal(back, scan)
    wider = dataset.merge([back, dataset.merge([exact(5.0), exact(6.0)])])
    assert wider.temperature.values.tolist() == [2.0, 3.0, 4.0, 5.0, 6.0]


def test_cell_that_two_give_is_refused():
    with pytest.raises(DatasetError, match=r"two results for method=exact, temperature=2\.0"):
        dataset.merge([exact(2.0), exact(3.0), exact(2.0)])
    scan = dataset.merge([exact(2.0), exact(3.0)])
    with pytest.raises(DatasetError, match="same cell twice"):
        dataset.merge([scan, scan])


def test_scans_of_other_physics_are_not_merged():
    scan = dataset.merge([exact(2.0), exact(3.0)])
    other = dataset.merge([exact(4.0), exact(5.0)])
    with pytest.raises(DatasetError, match="attr lattice must agree"):
        dataset.merge([scan, other.assign_attrs(lattice="square")])
    with pytest.raises(DatasetError, match="attr parameters must agree"):
        dataset.merge([scan, other.assign_attrs(parameters='{"field": 1.0}')])
    definitions = json.loads(other.attrs["definitions"]) | {"energy": "per site"}
    with pytest.raises(DatasetError, match="two definitions of energy"):
        dataset.merge([scan, other.assign_attrs(definitions=json.dumps(definitions))])


def test_nothing_to_merge():
    with pytest.raises(ValueError, match="at least one dataset"):
        dataset.merge([])
