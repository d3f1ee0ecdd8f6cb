# SPDX-License-Identifier: MIT
"""Collapse of data that obey a scaling law: parameters within their errors, and what does not collapse."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from helpers.scaling_tables import GAMMA, NU, T_C, by_law, falling, peaked

import edgphys as ep
from edgphys.errors import ArgumentValueError
from edgphys.scaling.sizes import read_sizes


def test_critical_coupling_and_nu_of_a_cumulant():
    found = ep.scaling.collapse(by_law(0, falling), exponent=0.0, n_resamples=8)
    assert abs(found["critical_coupling"] - T_C) < 3.0 * found["critical_coupling_err"] < 3e-3
    assert abs(found["nu"] - NU) < 3.0 * found["nu_err"] < 0.2
    assert float(found["exponent_err"]) == 0.0
    assert found.attrs["warning"] == ""
    ep.dataset.validate(found)


@pytest.mark.slow
def test_gamma_over_nu_of_a_susceptibility():
    tables = by_law(1, peaked, GAMMA, quantity="susceptibility")
    found = ep.scaling.collapse(tables, "susceptibility", critical_coupling=T_C, nu=NU, n_resamples=8)
    assert abs(found["exponent"] - GAMMA) < 3.0 * found["exponent_err"] < 0.01


@pytest.mark.slow
def test_two_sizes_do_not_slip_past_each_other():
    """All free: values of two sizes side by side lie on a function of any exponent, which is no collapse."""
    tables = by_law(5, peaked, GAMMA, quantity="susceptibility", lengths=(32, 64))
    found = ep.scaling.collapse(tables, "susceptibility", n_resamples=6)
    assert abs(found["exponent"] - GAMMA) < 4.0 * found["exponent_err"] < 0.2
    assert abs(found["critical_coupling"] - T_C) < 4.0 * found["critical_coupling_err"] < 0.04
    collapse = importlib.import_module("edgphys.scaling.collapse")
    sizes = read_sizes(tables, "susceptibility", None)
    at = {nu: collapse.scaled(sizes, (T_C, nu, GAMMA), 32.0)[0] for nu in (NU, 0.15)}
    assert collapse._overlap(sizes, at[NU]) and not collapse._overlap(sizes, at[0.15])


@pytest.mark.slow
def test_scaled_values_lie_on_the_function():
    found = ep.scaling.collapse(by_law(2, falling), critical_coupling=T_C, exponent=0.0, n_resamples=2)
    x = (falling_x := found["x"].values) * found["length"].values ** (1.0 / NU - 1.0 / float(found["nu"]))
    assert len(falling_x) == 27
    assert np.abs((found["y"].values - falling(x)) / found["y_err"].values).max() < 4.0


def test_what_does_not_collapse_is_flagged():
    """Sizes with functions of their own, and a critical coupling outside."""
    strange = [*by_law(3, falling, relative=1e-4)[:2], by_law(3, peaked, relative=1e-4)[2]]
    assert "errors from one function" in ep.scaling.collapse(strange, n_resamples=2).attrs["warning"]
    low = [table.isel(temperature=slice(0, 4)) for table in by_law(4, falling)]
    found = ep.scaling.collapse(low, critical_coupling=2.4, exponent=0.0, n_resamples=2)
    assert "beyond the end" in found.attrs["warning"]


@pytest.mark.slow
def test_errors_cover():
    """Pulls over 30 data sets have a mean square of about one; with a quarter of the errors, not."""
    pulls = []
    for seed in range(30):
        found = ep.scaling.collapse(by_law(seed, falling), exponent=0.0, n_resamples=20, seed=seed)
        pulls += [
            float((found[name] - true) / found[f"{name}_err"])
            for name, true in (("critical_coupling", T_C), ("nu", NU))
        ]
    assert 0.6 < np.mean(np.square(pulls)) < 1.7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nu": 0.0}, "nu must be"),
        ({"exponent": np.nan}, "exponent must be"),
        ({"critical_coupling": 2.0, "nu": 1.0, "exponent": 0.0}, "nothing to fit"),
        ({"n_resamples": 1}, "n_resamples must be"),
    ],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(ArgumentValueError, match=words):
        ep.scaling.collapse(by_law(0, falling), **options)
