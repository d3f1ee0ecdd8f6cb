# SPDX-License-Identifier: MIT
"""Which temperature a free energy is taken at."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr
from helpers.datasets import bare
from helpers.springs import (
    EDGES,
    TEMPERATURE,
    first,
)

from edgphys.estimators import basins, free_energy_profile

TWO = ["left", "right"]


@pytest.mark.parametrize(
    "make",
    [lambda s, **t: free_energy_profile(s, first, EDGES, **t), lambda s, **t: basins(s, "energy", TWO, **t)],
)
def test_bad_samples_and_temperatures_are_refused(make, samples):
    for wrong in (np.zeros(3), samples["energy"], {}):
        with pytest.raises(TypeError, match=r"^samples must be an xarray\.Dataset, got "):
            make(wrong)
    for value, error in (
        ("a", TypeError),
        (True, TypeError),
        ([1.0], TypeError),
        (-1, ValueError),
        (0, ValueError),
    ):
        allowed = "a real number" if error is TypeError else "positive and finite"
        with pytest.raises(error, match=f"^temperature must be {allowed}, got {re.escape(repr(value))}$"):
            make(samples, temperature=value)
    with pytest.raises(
        ValueError, match=r"^temperature must be given where the attributes of samples have none"
    ):
        make(samples.drop_attrs())
    for value in (TEMPERATURE, np.array(TEMPERATURE), xr.DataArray(TEMPERATURE)):
        xr.testing.assert_identical(bare(make(samples, temperature=value)), bare(make(samples)))
