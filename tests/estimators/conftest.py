# SPDX-License-Identifier: MIT
"""Processes with known answers: AR(1) series and a one-site Gaussian with exact moments."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import xarray as xr

ATTRS = dict(temperature=1.0, beta=1.0, n_sites=1, linear_size=4.0, z2_symmetric=1)


def _ar1(shape, rho, rng):
    """Stationary, unit variance, autocorrelation rho^t on the last axis: tau_int = (1+rho)/(1-rho)/2."""
    noise = rng.standard_normal(shape)
    start = rho * rng.standard_normal((*shape[:-1], 1))  # stationary from the first draw on
    series, _ = scipy.signal.lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise, axis=-1, zi=start)
    return series


def _measured(x, dims):
    """Observables of one site with energy x^2/2; <E> = 1/2, C = 1/2, chi = 1, Binder = 0 if x is N(0, 1)."""
    return {
        "energy": (dims, x**2 / 2),
        "magnetization": (dims, x),
        "abs_magnetization": (dims, np.abs(x)),
        "magnetization_2": (dims, x**2),
        "magnetization_4": (dims, x**4),
        "phi2": (dims, x**2),
    }


@pytest.fixture
def ar1():
    return _ar1


@pytest.fixture
def gaussian_chains():
    """Chains of a Gaussian site, made from AR(1) series."""

    def make(n_chains, n_draws, rho, seed, **attrs):
        x = _ar1((n_chains, n_draws), rho, np.random.default_rng(seed))
        return xr.Dataset(_measured(x, ("chain", "draw")), attrs=ATTRS | attrs)

    return make


@pytest.fixture
def gaussian_weighted():
    """Draws from N(shift, width^2) with weights to exp(-x^2/2): Z = sqrt(2 pi)."""

    def make(n_draws, seed, width=1.2, shift=0.0, **attrs):
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal(n_draws)
        x = shift + width * noise
        log_q = -(noise**2) / 2 - np.log(width) - np.log(2 * np.pi) / 2
        samples = xr.Dataset(_measured(x, ("draw",)), attrs=ATTRS | attrs)
        return samples.assign(log_weight_joint=("draw", -(x**2) / 2 - log_q))

    return make


EXACT = {
    "log_z": np.log(2 * np.pi) / 2,
    "free_energy": -np.log(2 * np.pi) / 2,
    "energy": 0.5,
    "specific_heat": 0.5,
    "abs_magnetization": np.sqrt(2 / np.pi),
    "susceptibility": 1.0,
    "binder_cumulant": 0.0,
    "phi2": 1.0,
}


@pytest.fixture
def exact():
    return dict(EXACT)
