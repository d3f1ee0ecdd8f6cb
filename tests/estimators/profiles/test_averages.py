# SPDX-License-Identifier: MIT
"""Averages of a spring, of functions and variables, for chains and weighted draws."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import xarray as xr
from helpers.springs import (
    TEMPERATURE,
    first,
)
from helpers.stats import assert_z

from edgphys.estimators import average
from edgphys.estimators.profiles.averages import averages


@pytest.mark.statistical
def test_average_of_a_function_and_of_a_variable(samples):
    table = average(samples, lambda x: x[:, 0] ** 2, name="square")
    assert_z(float(table.square), float(table.square_err), TEMPERATURE, max_err=0.1)
    energy = average(samples, "energy")
    assert float(energy.energy) == pytest.approx(float(table.square) / 2)
    assert abs(float(table.square) - 1.0) > 6 * float(table.square_err)


def test_weights_and_chains_agree_where_both_apply():
    """Equal weights: the mean and error of independent draws."""
    x = np.random.default_rng(0).standard_normal(400)
    weighted = xr.Dataset({"log_weight_joint": ("draw", np.full(400, 5.0))})
    value, err = averages(weighted, x[None])
    assert value[0] == pytest.approx(x.mean()) and err[0] == pytest.approx(x.std(ddof=1) / 20)


def test_average_of_what_has_no_name(samples):
    table = average(samples, functools.partial(first))
    assert float(table["average"]) == float(average(samples, first)["first"])
    with pytest.raises(ValueError, match=r"coordinate must be a function or a variable .*, got 3$"):
        average(samples, 3)


def test_what_cannot_be_averaged_is_refused(samples):
    with pytest.raises(ValueError, match="coordinate must be a function or a variable of samples"):
        average(samples, "volume")
    with pytest.raises(ValueError, match="one number per configuration"):
        average(samples, lambda x: x, name="x")
    with pytest.raises(ValueError, match="must hold configurations"):
        average(samples.drop_vars("configurations"), first)
    with pytest.raises(ValueError, match=r"must have the dims \(draw,\) with log_weight_joint"):
        average(xr.Dataset({"energy": ("draw", np.zeros(3))}), "energy")
