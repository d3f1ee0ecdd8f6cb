# SPDX-License-Identifier: MIT
"""Populations of basins of a spring, and their differences of free energy."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.springs import (
    TEMPERATURE,
    bin_shares,
)
from helpers.stats import assert_z

from edgphys.estimators import basins

TWO = ["left", "right"]


@pytest.mark.statistical
def test_basins_of_a_spring(samples):
    def label(x):
        return np.where(x[:, 0] < -0.5, 0, np.where(x[:, 0] > 1.0, 2, 1))

    table = basins(samples, label, ["left", "middle", "right"], reference=1)
    exact = bin_shares([-np.inf, -0.5, 1.0, np.inf])
    difference = -TEMPERATURE * np.log(exact / exact[1])
    for k in (0, 2):
        value, err = (
            float(table[name][k]) for name in ("free_energy_difference", "free_energy_difference_err")
        )
        assert_z(value, err, difference[k], n_tests=4, max_err=0.1)
        assert abs(value + difference[k]) > 6 * err  # the sign matters
        assert_z(
            float(table.population[k]), float(table.population_err[k]), exact[k], n_tests=4, max_err=0.02
        )
    assert float(table.free_energy_difference[1]) == 0 and float(table.free_energy_difference_err[1]) == 0
    assert float(table.unassigned) == pytest.approx(0.0, abs=1e-12)
    two = basins(samples, label, ["left", "middle"])
    assert float(two.unassigned) == pytest.approx(float(table.population[2]))
    assert table.basin.values.tolist() == ["left", "middle", "right"]


def test_an_empty_basin_has_no_free_energy(samples):
    table = basins(samples, lambda x: np.zeros(len(x)), ["all", "none"])
    assert float(table.population[0]) == pytest.approx(1.0) and np.isnan(table.free_energy_difference[1])


@pytest.mark.parametrize(
    "names, options, error, message",
    [
        ("ab", {}, TypeError, "^names must be a sequence of one or more texts, all different, got 'ab'$"),
        (3, {}, TypeError, "all different, got 3$"),
        (["a", 2], {}, TypeError, r"all different, got \['a', 2\]$"),
        ([], {}, ValueError, r"all different, got \[\]$"),
        (["a", "a"], {}, ValueError, r"all different, got \['a', 'a'\]$"),
        (TWO, {"reference": "a"}, TypeError, r"^reference must be an integer from 0 to 1, got 'a'$"),
        (TWO, {"reference": 1.0}, TypeError, r"integer from 0 to 1, got 1\.0$"),
        (TWO, {"reference": -1}, ValueError, r"^reference must be an integer from 0 to 1, got -1$"),
    ],
)
def test_bad_basins_are_refused(names, options, error, message, samples):
    with pytest.raises(error, match=message):
        basins(samples, "energy", names, **options)
