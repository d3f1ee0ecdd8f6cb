# SPDX-License-Identifier: MIT
"""Parts of a dataset by the values of its dims, ``method`` among them, where xarray has a word of its own."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from helpers.scans import stub_scan

import edgphys as ep
from edgphys.errors import UnknownNameError


def test_a_method_and_a_value_are_selected_as_by_their_places():
    table = stub_scan(temperature=np.linspace(1.8, 2.1, 4))
    assert table.sel(method="exact").sizes == table.sizes  # xarray's own argument: nothing is selected
    xr.testing.assert_identical(ep.at(table, method="exact"), table.isel(method=2))
    # 1.9000000000000001 in numpy's range
    part = ep.at(table, method=["exact", "edg"], temperature=1.9)
    xr.testing.assert_identical(part, table.isel(method=[2, 0], temperature=1))
    xr.testing.assert_identical(
        ep.at(table["energy"], temperature=[2.1]), table["energy"].isel(temperature=[3])
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"method": "wolf"}, "method must be among 'edg', 'wolff', 'exact', got 'wolf'"),
        ({"temperature": 2.05}, "temperature must be among 2, 2.2, 2.4, 2.6, got 2.05"),
        ({"temperature": "2"}, "temperature must be among 2, 2.2, 2.4, 2.6, got '2'"),
        ({"field": 0.0}, "labels must be of the dims method, temperature, got 'field'"),
    ],
)
def test_what_is_not_there_is_named(labels, message):
    with pytest.raises(UnknownNameError, match=f"^{message}$"):
        ep.at(stub_scan(), **labels)
    with pytest.raises(TypeError, match=r"table must be an xarray\.Dataset or DataArray, got dict"):
        ep.at({}, **labels)
