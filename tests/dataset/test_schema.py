# SPDX-License-Identifier: MIT
"""What is not of the schema is refused, and the first thing that is wrong is named."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.datasets import exact, weighted

from edgphys import dataset
from edgphys.errors import DatasetError


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
            "distance, times, bound, rungs, crossings, collapse, curve, history, got 'sample'",
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
