# SPDX-License-Identifier: MIT
"""Distances of normal particles, whose distribution is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from helpers.springs import (
    particles,
)
from helpers.stats import assert_z

from edgphys.estimators import pair_distances


@pytest.mark.statistical
def test_pair_distances_of_normal_particles():
    """Independent normal positions in D = 2: r^2 / 4 is exponential, the density r/2 exp(-r^2/4)."""
    rng = np.random.default_rng(3)
    positions = rng.standard_normal((2, 3000, 4, 2))
    samples = xr.Dataset({"configurations": (("chain", "draw", "particle", "axis"), positions)})
    edges = np.linspace(0.0, 5.0, 11)
    table = pair_distances(samples, edges)
    share = np.diff(-np.exp(-(edges**2) / 4))
    for k in range(10):
        assert_z(
            float(table.density[k]), float(table.density_err[k]), share[k] / 0.5, n_tests=20, max_err=0.01
        )
        exact = share[k] / (math.pi * (edges[k + 1] ** 2 - edges[k] ** 2))
        value, err = float(table.radial_density[k]), float(table.radial_density_err[k])
        assert_z(value, err, exact, n_tests=20, max_err=0.01)
    flat = 1 / math.pi / 25
    assert np.abs((table.radial_density - flat) / table.radial_density_err).max() > 10
    total = pair_distances(samples, 50)
    assert float((total.density * (total.distance_high - total.distance_low)).sum()) == pytest.approx(1.0)


def test_bad_particles_are_refused(samples):
    with pytest.raises(ValueError, match=r"^bins must be distances, not negative, got -1$"):
        pair_distances(particles(), [-1.0, 0.0, 1.0])
    with pytest.raises(ValueError, match=r"axis\), got \(.*'coordinate'\)$"):
        pair_distances(samples)
    with pytest.raises(ValueError, match=r"two or more particles, got 1$"):
        pair_distances(particles(1))
