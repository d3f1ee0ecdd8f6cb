# SPDX-License-Identifier: MIT
"""Which bins are refused, by all that take some."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.springs import (
    particles,
)

from edgphys.estimators import energy_histogram, free_energy_profile, pair_distances


@pytest.mark.parametrize(
    "make", [energy_histogram, lambda s, b: free_energy_profile(s, "energy", b), pair_distances]
)
@pytest.mark.parametrize(
    "bins, error, came",
    [
        (-1, ValueError, "-1"),
        (0, ValueError, "0"),
        (True, ValueError, "True"),
        (2.5, ValueError, r"2\.5"),
        ([2, 1], ValueError, r"\[2, 1\]"),
        ([1.0], ValueError, r"\[1\.0\]"),
        ([0.0, np.inf], ValueError, r"\[0\.0, inf\]"),
        ([[0.0], [0.0, 1.0]], ValueError, r"\[\[0\.0\], \[0\.0, 1\.0\]\]"),
        ("auto", TypeError, "'auto'"),
        (None, TypeError, "None"),
    ],
)
def test_bad_bins_are_refused(make, bins, error, came):
    with pytest.raises(error, match=f"^bins must be an integer >= 1 or finite increasing edges, got {came}$"):
        make(particles(), bins)
