# SPDX-License-Identifier: MIT
"""Estimates with error bars from weighted draws, Markov chains and exact results, under the same names."""

from __future__ import annotations

from edgphys.estimators.chains.binning import log_binning
from edgphys.estimators.chains.times import autocorrelation_times
from edgphys.estimators.estimate import estimate, estimates_from_exact
from edgphys.estimators.ladders.mbar import mbar
from edgphys.estimators.ladders.thermodynamic import thermodynamic_integration
from edgphys.estimators.profiles.correlation import correlation_function
from edgphys.estimators.profiles.distances import forward_ess, mmd, wasserstein
from edgphys.estimators.profiles.profiles import (
    average,
    basins,
    energy_histogram,
    free_energy_profile,
    pair_distances,
)

__all__ = [
    "autocorrelation_times",
    "average",
    "basins",
    "correlation_function",
    "energy_histogram",
    "estimate",
    "estimates_from_exact",
    "forward_ess",
    "free_energy_profile",
    "log_binning",
    "mbar",
    "mmd",
    "pair_distances",
    "thermodynamic_integration",
    "wasserstein",
]
