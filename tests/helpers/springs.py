# SPDX-License-Identifier: MIT
"""A spring at T = 1.5, E = x^2 / 2, as chains and as weighted draws, and a few particles."""

from __future__ import annotations

import math

import numpy as np
import scipy.stats
import xarray as xr

__all__ = ["EDGES", "TEMPERATURE", "bin_shares", "first", "harmonic_chains", "harmonic_weighted", "particles"]

TEMPERATURE = 1.5
EDGES = np.linspace(-2.4, 2.4, 13)


def harmonic_chains(ar1, seed=0, n_draws=4000, rho=0.8):
    """E = x^2 / 2 at T = 1.5 as AR(1) series."""
    x = math.sqrt(TEMPERATURE) * ar1((4, n_draws), rho, np.random.default_rng(seed))
    return _dataset(x, ("chain", "draw"))


def harmonic_weighted(seed=0, n_draws=16000, width=1.6, shift=0.3):
    """The same from N(shift, width^2), with weights."""
    noise = np.random.default_rng(seed).standard_normal(n_draws)
    x = shift + width * noise
    log_weight = -(x**2) / (2 * TEMPERATURE) + noise**2 / 2
    return _dataset(x, ("draw",)).assign(log_weight_joint=("draw", log_weight))


def _dataset(x, dims):
    variables = {"energy": (dims, x**2 / 2), "configurations": ((*dims, "coordinate"), x[..., None])}
    return xr.Dataset(variables, attrs={"temperature": TEMPERATURE})


def first(x):
    return x[:, 0]


def bin_shares(edges, variance=TEMPERATURE):
    return np.diff(scipy.stats.norm.cdf(edges, scale=math.sqrt(variance)))


def particles(n_particles=3):
    positions = np.random.default_rng(0).standard_normal((2, 20, n_particles, 1))
    variables = {
        "configurations": (("chain", "draw", "particle", "axis"), positions),
        "energy": (("chain", "draw"), positions[:, :, 0, 0]),
    }
    return xr.Dataset(variables, attrs={"temperature": TEMPERATURE})
