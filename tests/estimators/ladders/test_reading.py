# SPDX-License-Identifier: MIT
"""What is no ladder is refused, and so are chains too short for any error."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.ladders import MODES, PATH, as_ladder, gaussian_ladder

from edgphys.errors import ShortChainError
from edgphys.estimators import mbar, thermodynamic_integration

ESTIMATORS = {"ti": thermodynamic_integration, "mbar": mbar}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_short_chains_are_refused(name):
    with pytest.raises(ShortChainError, match="draw must hold at least 16"):
        ESTIMATORS[name](gaussian_ladder(np.random.default_rng(1), PATH, 2, 15, MODES))


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda d: (d.values, 0.0, 0), TypeError, "ladder must be an xarray.Dataset"),
        (lambda d: (d.drop_vars("action_terms"), 0.0, 0), ValueError, "ladder must hold action_terms"),
        (lambda d: (d.isel(rung=[0]), 0.0, 0), ValueError, "at least 2 rungs, got 1"),
        (lambda d: (d.where(d > 1e9), 0.0, 0), ValueError, "action_terms must be finite"),
        (lambda d: (d, np.nan, 0), ValueError, "log_z_reference must be finite, got nan"),
        (lambda d: (d, 0.0, 4), ValueError, "reference must be an integer from -4 to 3, got 4"),
        (lambda d: (d.isel(chain=0), 0.0, 0), ValueError, "action_terms must have the dims"),
    ],
)
def test_bad_arguments_are_refused(change, error, message):
    ladder = as_ladder(np.zeros((4, 2, 20, 2)), PATH)
    with pytest.raises(error, match=message):
        thermodynamic_integration(*change(ladder))
