# SPDX-License-Identifier: MIT
"""Tables of a scan: every number stands at its method and its point."""

from __future__ import annotations

import io
import itertools
import json

import numpy as np
import pytest
import xarray as xr
from rich.console import Console
from rich.table import Table

from edgphys.report.dataset_tables import profile_table
from edgphys.report.text import print_scan

METHODS, BETA, FIELD = ["exact", "wolff", "edg"], ["1", "2"], ["0.1", "0.2", "0.3"]


def table() -> xr.Dataset:
    """Values that name their cell: 212 is of the third method at the second beta and the third field."""
    dims = ("method", "beta", "field")
    code = np.arange(3.0)[:, None, None] * 100 + np.arange(2.0)[:, None] * 10 + np.arange(3.0)
    err = np.where(code < 100, 0.0, 10.0)
    variables = {"energy": (dims, code), "energy_err": (dims, err), "wall_time": (dims, code + 0.5)}
    coords = {"method": METHODS, "beta": list(map(float, BETA)), "field": list(map(float, FIELD))}
    attrs = {"kind": "scan", "system": "ising", "parameters": "{}", "couplings": '["beta", "field"]'}
    return xr.Dataset(variables, coords, attrs)


def printed_text(scan: xr.Dataset) -> str:
    out = io.StringIO()
    print_scan(scan, console=Console(file=out, width=200))
    return out.getvalue()


def rows(scan: xr.Dataset) -> dict[frozenset[str], list[list[str]]]:
    """The rows of every point, first of the results: the words after the couplings."""
    found: dict[frozenset[str], list[list[str]]] = {}
    for line in printed_text(scan).splitlines():
        words = [word for word in line.split() if word not in (*METHODS, "energy")]
        found.setdefault(frozenset(words[:2]), []).append(words[2:])
    return found


@pytest.mark.parametrize("order", list(itertools.permutations(["method", "beta", "field"])))
def test_every_number_is_in_its_cell_whatever_the_order_of_dims(order):
    printed = rows(table().transpose(*order))
    for (i, beta), (j, field) in itertools.product(enumerate(BETA), enumerate(FIELD)):
        k = 10 * i + j
        assert printed[frozenset([beta, field])] == [
            [f"{k}", f"{100 + k}(10)", f"{200 + k}(10)", "+10.0", "+20.0"],
            ["yes", f"{100 + k}.5"],
            ["yes", f"{200 + k}.5"],
        ]


def test_what_exact_results_lack_is_said_where_there_are_any():
    scan = table().assign_attrs(exact_note="exact: without time step")
    assert "Exact: without time step.\n" in printed_text(scan)
    assert "time step" not in printed_text(scan.isel(method=[1, 2]))


def test_a_cell_without_a_number_is_a_dash_and_has_no_z():
    scan = table()
    scan["energy"][1, 0, 0] = np.nan
    assert rows(scan)[frozenset(["1", "0.1"])][0] == ["0", "-", "200(10)", "+20.0"]


def test_an_unknown_error_does_not_look_exact():
    scan = table()
    scan["energy_err"][2, 0, 0] = np.nan
    assert rows(scan)[frozenset(["1", "0.1"])][0] == ["0", "100(10)", "200(?)", "+10.0"]


def test_counts_of_a_profile_have_no_error_to_be_unknown():
    bins = {"free_energy": 1.5, "free_energy_err": np.nan, "n_visits": 7.0}
    profile = xr.Dataset({name: ("bin", [value]) for name, value in bins.items()}, {"bin": [0.5]})
    out = io.StringIO()
    Console(file=out).print(profile_table(Table(), profile))
    assert "1.5(?)" in out.getvalue() and "7(?)" not in out.getvalue()


def test_what_one_model_serves_is_told():
    scan = table()
    assert "one model" not in printed_text(scan)
    scan.attrs["settings"] = json.dumps({METHODS[1]: {"conditions": {"beta": [1.0, 2.0]}}, METHODS[2]: {}})
    words = f"{METHODS[1]}: one model for beta 1 to 2, drawn from anew at each point."
    assert words in printed_text(scan).splitlines()
