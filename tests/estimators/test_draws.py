# SPDX-License-Identifier: MIT
"""Which draws are taken, and that weights with noise in their logarithm are refused by all that average."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from edgphys.errors import NotExactError
from edgphys.estimators import (
    average,
    basins,
    correlation_function,
    energy_histogram,
    estimate,
    free_energy_profile,
    pair_distances,
)
from edgphys.estimators.draws import draw_dims, weights_of
from edgphys.estimators.profiles.averages import averages

AVERAGES = {
    "estimate": estimate,
    "average": lambda draws: average(draws, "energy"),
    "energy_histogram": lambda draws: energy_histogram(draws, 3),
    "free_energy_profile": lambda draws: free_energy_profile(draws, "energy", 3),
    "basins": lambda draws: basins(draws, "left", ["right", "left"]),
    "pair_distances": lambda draws: pair_distances(draws, 3),
    "correlation_function": correlation_function,
    "averages": lambda draws: averages(draws, draws["energy"].values[None]),
}


def noisy_draws(noise, n_draws=4000):
    """Draws of N(0, 1) weighted to N(1/2, 1), with Gaussian noise on the log weights above 1/2."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(n_draws)
    log_weights = 0.5 * x + noise * (x > 0.5) * rng.standard_normal(n_draws)
    particles = np.stack([x, -x], axis=1)[..., None]
    return xr.Dataset(
        {"energy": ("draw", x), "left": ("draw", 1.0 * (x < 0)), "log_weight_joint": ("draw", log_weights)}
        | {
            "configurations": (("draw", "particle", "axis"), particles),
            "correlation": (("draw", "distance"), np.stack([x**2, x], axis=1)),
        },
        attrs={"temperature": 1.0, "beta": 1.0, "n_variables": 1},
    )


def test_noise_in_the_log_weights_biases_averages():
    """Why they are refused: E[exp(noise)] is above one, and differs from draw to draw."""
    honest, noisy = (average(noisy_draws(noise, 40_000), "energy") for noise in (0.0, 1.0))
    assert abs(float(honest.energy) - 0.5) < 4 * float(honest.energy_err)
    assert float(noisy.energy) - 0.5 > 6 * float(noisy.energy_err)


@pytest.mark.parametrize("name", AVERAGES)
def test_log_weights_that_are_exact_only_in_their_mean_are_refused(name):
    draws = noisy_draws(1.0)
    AVERAGES[name](draws)
    with pytest.raises(NotExactError, match=r"^samples must have exact weights, got .*Hutchinson"):
        AVERAGES[name](draws.assign_attrs(log_weight_exact=0))


def test_chains_have_no_weights():
    chains = xr.Dataset({"energy": (("chain", "draw"), np.zeros((2, 3)))}, attrs={"log_weight_exact": 0})
    assert draw_dims(chains) == ("chain", "draw") and weights_of(chains) is None


@pytest.mark.parametrize(
    "log_weights, message",
    [
        ([0.0], "draw must hold at least 2 weighted draws, got 1"),
        ([0.0, np.nan], "log_weight_joint must be finite or -inf, got 1 of 2 that are not"),
        ([0.0, np.inf], "log_weight_joint must be finite or -inf, got 1 of 2 that are not"),
        ([-np.inf, -np.inf], "log_weight_joint must be finite for at least one draw, got -inf for all"),
    ],
)
def test_bad_weights_are_refused(log_weights, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        weights_of(xr.Dataset({"log_weight_joint": ("draw", log_weights)}))


def test_weights_over_more_than_draws_are_refused():
    weights = xr.Dataset({"log_weight_joint": (("draw", "site"), np.zeros((2, 2)))})
    with pytest.raises(ValueError, match=r"must have the dims \('draw',\), got \('draw', 'site'\)"):
        weights_of(weights)
