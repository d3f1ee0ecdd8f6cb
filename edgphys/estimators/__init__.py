# SPDX-License-Identifier: MIT
"""Estimates with error bars from weighted draws, Markov chains and exact results, under the same names."""

from __future__ import annotations

from edgphys.estimators.binning import log_binning
from edgphys.estimators.correlation import correlation_function
from edgphys.estimators.distances import forward_ess, mmd, wasserstein
from edgphys.estimators.estimate import estimate, estimates_from_exact
from edgphys.estimators.mbar import mbar
from edgphys.estimators.molecular import (
    average,
    basins,
    energy_histogram,
    free_energy_profile,
    pair_distances,
)
from edgphys.estimators.thermodynamic import thermodynamic_integration
from edgphys.estimators.times import autocorrelation_times

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
