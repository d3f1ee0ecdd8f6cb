# SPDX-License-Identifier: MIT
"""Merging joins draws, chains and grids of the same physics, and keeps all else apart."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from helpers.datasets import chains, exact, weighted

from edgphys import dataset
from edgphys.errors import DatasetError
from edgphys.estimators import estimate


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
        (weighted(seed=2, extent=[2]), "attr extent must agree"),
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


def test_chains_of_other_thinning_or_sites_are_not_merged():
    with pytest.raises(DatasetError, match="thin"):
        dataset.merge([chains(seed=1), chains(seed=2, settings='{"thin": 5}')])
    two, three = (
        chains(seed=n).assign(configurations=(("chain", "draw", "x"), np.ones((2, 64, n)))) for n in (2, 3)
    )
    with pytest.raises(DatasetError, match="dims other than chain and draw must have the same length"):
        dataset.merge([two, three])


def test_chains_of_other_length_are_padded(tmp_path):
    settings = [
        '{"n_sweeps": 64, "measured": {"acceptance": 0.2}}',
        '{"n_sweeps": 16, "measured": {"acceptance": 0.7}}',
    ]
    long, short = (
        chains(n=n, seed=n, settings=text).assign(spins=(("chain", "draw"), np.ones((2, n), np.int8)))
        for n, text in zip((64, 16), settings, strict=True)
    )
    long, short = (ds.rename(spins="configurations") for ds in (long, short))
    merged = dataset.merge([long, short])
    dataset.validate(merged)
    assert merged["drawn"].sum("draw").values.tolist() == [64, 64, 16, 16]
    np.testing.assert_array_equal(merged["energy"][2:, :16], short["energy"])
    assert merged["energy"][2:, 16:].isnull().all() and merged["configurations"].dtype == np.int8
    assert json.loads(merged.attrs["settings"]) == {"n_sweeps": [64, 16], "measured": {"acceptance": 0.3}}
    xr.testing.assert_identical(dataset.read(dataset.write(merged, tmp_path / "a.nc")), merged)
    again = dataset.merge(
        [merged, chains(n=20, seed=3).assign(configurations=long["configurations"][:, :20])]
    )
    assert again["drawn"].sum("draw").values.tolist() == [64, 64, 16, 16, 20, 20]
    assert float(estimate(again).n_draws) == 200
    with pytest.raises(DatasetError, match="same draws twice"):
        dataset.merge([merged, long.isel(draw=slice(50)).assign_attrs(seed=5)])
    for wrong in (merged["drawn"][:, ::-1].values, merged["drawn"].values.astype(int)):
        with pytest.raises(DatasetError, match="coordinate drawn must be"):
            dataset.validate(merged.assign_coords(drawn=(("chain", "draw"), wrong)))


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
