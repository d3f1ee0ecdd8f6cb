# SPDX-License-Identifier: MIT
"""Crossings of curves that obey a scaling law, of straight lines, and of curves that do not cross."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from helpers.scaling_tables import T_C, TEMPERATURES, by_law, curve, falling

import edgphys as ep
from edgphys.errors import ArgumentValueError, DatasetError


def test_crossings_of_a_law_are_critical():
    found = ep.scaling.crossings(by_law(1, falling, lengths=(8, 16, 32, 64)), n_resamples=20)
    pulls = (found["crossing"] - T_C) / found["crossing_err"]
    assert (abs(pulls) < 3.0).all()
    assert (found["crossing_err"] < 2e-3).all()
    assert found["length"].values.tolist() == [8.0, 16.0, 32.0]
    assert found["length_other"].values.tolist() == [16.0, 32.0, 64.0]
    # A critical coupling that is a little wrong is seen to be.
    assert (abs((found["crossing"] - T_C - 0.01) / found["crossing_err"]) > 3.0).all()


def test_straight_lines_cross_where_algebra_says():
    """1 - T and 3 - 2 T + c cross at T = 2 + c, value -1 - c."""
    errors = np.full(len(TEMPERATURES), 1e-6)
    lines = [curve(4, 1.0 - TEMPERATURES, errors), curve(8, 3.26 - 2.0 * TEMPERATURES, errors)]
    found = ep.scaling.crossings(lines, n_resamples=5)
    assert float(found["crossing"][0]) == pytest.approx(2.26, abs=1e-5)
    assert float(found["value"][0]) == pytest.approx(-1.26, abs=1e-5)


def test_error_of_a_crossing_is_that_of_the_lines():
    """Two lines of slopes -1 and -2, common errors s of all values of one: the crossing moves by s."""
    shifted = [
        curve(size, a - b * TEMPERATURES, np.full(9, 1e-3)) for size, a, b in ((4, 1, 1), (8, 3.26, 2))
    ]
    for table in shifted:
        table["binder_cumulant_covariance"] = (("temperature", "temperature_other"), np.full((9, 9), 1e-6))
    found = ep.scaling.crossings(shifted, n_resamples=400)
    assert float(found["crossing_err"][0]) == pytest.approx(np.sqrt(2.0) * 1e-3, rel=0.15)


def test_curves_that_do_not_cross_give_nan():
    errors = np.full(len(TEMPERATURES), 1e-4)
    apart = [curve(4, falling(TEMPERATURES), errors), curve(8, falling(TEMPERATURES) + 0.1, errors)]
    assert np.isnan(ep.scaling.crossings(apart, n_resamples=5)["crossing"]).all()


def test_length_is_divided_out():
    lengths = [
        curve(size, size * falling((TEMPERATURES - T_C) * size), np.full(9, 1e-5), "correlation_length")
        for size in (8, 16)
    ]
    found = ep.scaling.crossings(lengths, "correlation_length", per_length=True, n_resamples=5)
    assert float(found["crossing"][0]) == pytest.approx(T_C, abs=1e-3)
    assert np.isnan(ep.scaling.crossings(lengths, "correlation_length", n_resamples=5)["crossing"][0])


def test_a_scan_over_extents_is_as_good_as_a_list():
    apart = by_law(2, falling)
    joined = xr.concat(apart, dim="extent").assign_coords(extent=[8.0, 16.0, 32.0])
    joined.attrs |= {"kind": "scan", "couplings": json.dumps(["extent", "temperature"])}
    joined = joined.expand_dims(method=["wolff"])
    one, other = (ep.scaling.crossings(tables, n_resamples=5) for tables in (apart, joined))
    assert one.equals(other)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda t: [t[0]], ArgumentValueError, "tables must have two or more different sizes"),
        (lambda t: [t[0], t[0]], ArgumentValueError, "tables must have two or more different sizes"),
        (lambda t: [x.drop_vars("binder_cumulant") for x in t], DatasetError, "quantity must be one of"),
        (lambda t: [x.assign_attrs(kind="samples") for x in t], DatasetError, "tables must be of kind"),
        (lambda t: [x.isel(temperature=slice(3)) for x in t], DatasetError, "four values"),
    ],
)
def test_bad_tables_are_named(change, error, words):
    with pytest.raises(error, match=words):
        ep.scaling.crossings(change(by_law(0, falling)))
