# SPDX-License-Identifier: MIT
"""Densities and free energies over bins, for a spring, where both are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.special
import xarray as xr
from helpers.springs import (
    EDGES,
    TEMPERATURE,
    bin_shares,
    first,
    harmonic_chains,
    harmonic_weighted,
)
from helpers.stats import assert_z

from edgphys.estimators import energy_histogram, free_energy_profile


@pytest.mark.statistical
def test_free_energy_profile_of_a_spring(samples):
    profile = free_energy_profile(samples, first, EDGES)
    exact = -TEMPERATURE * np.log(bin_shares(EDGES) / np.diff(EDGES))
    for k in range(len(exact)):
        value, err = float(profile.free_energy[k]), float(profile.free_energy_err[k])
        assert_z(value, err, exact[k], n_tests=len(exact), max_err=0.15)
    assert float(profile.outside) == pytest.approx(1 - bin_shares(EDGES).sum(), abs=0.02)
    # another stiffness is seen
    wrong = -TEMPERATURE * np.log(bin_shares(EDGES, 1.5 * TEMPERATURE) / np.diff(EDGES))
    z = (profile.free_energy - wrong) / profile.free_energy_err
    assert np.abs(z).max() > 6
    assert profile.attrs["temperature"] == TEMPERATURE and profile.coordinate_low[0] == EDGES[0]


@pytest.mark.statistical
def test_energy_histogram_of_a_spring(samples):
    edges = np.linspace(0.0, 6.0, 11)
    histogram = energy_histogram(samples, edges)
    exact = np.diff(scipy.special.erf(np.sqrt(edges / TEMPERATURE))) / np.diff(edges)
    for k in range(len(exact)):
        assert_z(
            float(histogram.density[k]), float(histogram.density_err[k]), exact[k], n_tests=10, max_err=0.05
        )
    assert np.abs((histogram.density - 1.2 * exact) / histogram.density_err).max() > 6
    whole = energy_histogram(samples, 40)
    assert float((whole.density * (whole.energy_high - whole.energy_low)).sum()) == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["chains", "weighted"])
def test_error_bars_cover(kind, ar1):
    """z over many seeds has variance one; without the autocorrelation it would not."""
    edges, scores = np.array([-1.0, 0.2, 1.5]), []
    exact = -TEMPERATURE * np.log(bin_shares(edges) / np.diff(edges))
    for seed in range(200):
        draws = harmonic_chains(ar1, seed, 1000) if kind == "chains" else harmonic_weighted(seed, 2000)
        profile = free_energy_profile(draws, first, edges)
        scores.append((profile.free_energy.values - exact) / profile.free_energy_err.values)
    spread = np.var(scores)
    assert 0.75 < spread < 1.3 and abs(np.mean(scores)) < 0.25


def test_empty_bins_are_nan(samples):
    profile = free_energy_profile(samples, first, [-1.0, 1.0, 50.0, 60.0])
    assert np.isnan(profile.free_energy[2]) and float(profile.density[2]) == 0.0
    assert np.isfinite(profile.free_energy[:2]).all()


def test_numbered_coordinates_of_a_domain_range_from_end_to_end():
    """An even angle and a linear density on (0, inf): the bins at the ends are as right as the others."""
    rng = np.random.default_rng(4)
    x = np.stack([rng.uniform(-np.pi, np.pi, (2, 4000)), np.sqrt(rng.uniform(size=(2, 4000)))], axis=-1)
    draws = {"configurations": (("chain", "draw", "coordinate"), x)}
    sides = ("circle", -np.pi, np.pi), ("interval", 0.0, np.inf)
    domain = json.dumps([{"kind": kind, "low": low, "high": high} for kind, low, high in sides])
    chains = xr.Dataset(draws, attrs={"temperature": 1.0, "domain": domain})
    angle = free_energy_profile(chains, 0, 8)
    assert (angle["coordinate_low"][0], angle["coordinate_high"][-1]) == (-np.pi, np.pi)
    z = (angle["density"] - 0.5 / np.pi) / angle["density_err"]
    assert abs(z).max() < 4.0
    plane = free_energy_profile(chains, (0, 1), (4, 5))
    assert float(plane["other_low"][0]) == 0.0 and float(plane["other_high"][-1]) == x[..., 1].max()
    plain = free_energy_profile(chains.drop_attrs(), 0, 8, temperature=1.0)
    assert float(plain["coordinate_low"][0]) == x[..., 0].min()
    with pytest.raises(ValueError, match="or a number below 2, got 2"):
        free_energy_profile(chains, 2)
