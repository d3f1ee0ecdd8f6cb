# SPDX-License-Identifier: MIT
"""Estimates with error bars from weighted draws, Markov chains and exact results, under the same names."""

from __future__ import annotations

from edgphys.estimators.binning import log_binning
from edgphys.estimators.correlation import correlation_function
from edgphys.estimators.estimate import estimate, estimates_from_exact
from edgphys.estimators.mbar import mbar
from edgphys.estimators.thermodynamic import thermodynamic_integration
from edgphys.estimators.times import autocorrelation_times

__all__ = [
    "autocorrelation_times",
    "correlation_function",
    "estimate",
    "estimates_from_exact",
    "log_binning",
    "mbar",
    "thermodynamic_integration",
]
