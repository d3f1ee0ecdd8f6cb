# SPDX-License-Identifier: MIT
"""Ratios without a denominator have no value, of chains and of weighted draws."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import xarray as xr

from edgphys.estimators import estimate

ATTRS = dict(temperature=1.0, beta=1.0, n_sites=16, linear_size=4.0, z2_symmetric=1)


def made_of(columns, weighted, **attrs):
    """The columns, of shape (4, 2500), as chains or as draws of equal weights."""
    dims, shape = (("draw",), (10_000,)) if weighted else (("chain", "draw"), (4, 2500))
    data = {name: (dims, values.reshape(shape)) for name, values in columns.items()}
    if weighted:
        data["log_weight_joint"] = ("draw", np.zeros(10_000))
    return xr.Dataset(data, attrs=ATTRS | {"n_sites": 16} | attrs)


def low_temperature(n_turned, wave=0.0):
    """Aligned spins, one turned in some draws: correlator_min is 4/16 there, elsewhere up to `wave`."""
    turned = np.random.default_rng(0).permutation(np.arange(10_000) < n_turned)
    m = 1.0 - turned / 8.0
    noise = wave * np.random.default_rng(1).random(10_000)
    columns = {"energy": -32.0 + 8.0 * turned, "magnetization": m, "abs_magnetization": m}
    columns |= {"magnetization_2": m**2, "magnetization_4": m**4, "correlator_zero": 16.0 * m**2}
    return columns | {"correlator_min": np.where(turned, 0.25, noise)}


@pytest.mark.parametrize("weighted", [False, True])
def test_correlation_length_needs_a_denominator(weighted):
    for n_turned, wave in ((0, 0.0), (0, 1e-31), (2, 1e-31)):
        table = estimate(made_of(low_temperature(n_turned, wave), weighted))
        assert np.isnan(table.correlation_length) and np.isnan(table.correlation_length_err), n_turned
        assert float(table["reliable" if weighted else "converged"]) == 0.0
    table = estimate(made_of(low_temperature(100), weighted))
    expected = math.sqrt(16.0 / 0.0025) / (2.0 * math.sin(math.pi / 4.0))
    assert float(table.correlation_length) == pytest.approx(expected, rel=0.02)
    assert float(table.correlation_length_err) == pytest.approx(0.05 * expected, rel=0.1)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_left", [3, 9_997])
def test_a_basin_of_few_draws_has_no_free_energy_difference(weighted, n_left):
    columns = {"energy": np.random.default_rng(0).standard_normal(10_000)}
    columns["left"] = np.random.default_rng(1).permutation(np.arange(10_000) < n_left).astype(float)
    names = {"observables": json.dumps(["left"]), "basins": json.dumps(["left", "right"])}
    table = estimate(made_of(columns, weighted, **names))
    assert float(table.left) == pytest.approx(n_left / 10_000) and np.isnan(table.free_energy_difference)
    assert "the error of left rests on fewer than 10 draws" in table.attrs["warning"]
    columns["left"] = np.random.default_rng(1).permutation(np.arange(10_000) < 100).astype(float)
    table = estimate(made_of(columns, weighted, **names))
    assert float(table.free_energy_difference) == pytest.approx(math.log(99.0), abs=0.02)
