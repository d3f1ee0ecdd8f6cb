# SPDX-License-Identifier: MIT
"""Estimates with error bars from weighted draws, Markov chains and exact results, under the same names."""

from __future__ import annotations

from edgphys.estimators.arviz_data import to_arviz
from edgphys.estimators.chains.binning import log_binning
from edgphys.estimators.chains.times import autocorrelation_times
from edgphys.estimators.comparison.forward_ess import forward_ess
from edgphys.estimators.comparison.mmd import mmd
from edgphys.estimators.comparison.wasserstein import wasserstein
from edgphys.estimators.estimate import estimate, estimates_from_exact
from edgphys.estimators.ladders.density_of_states import density_of_states
from edgphys.estimators.ladders.mbar import mbar
from edgphys.estimators.ladders.reweight import reweight
from edgphys.estimators.ladders.thermodynamic import thermodynamic_integration
from edgphys.estimators.profiles.averages import average
from edgphys.estimators.profiles.basins import basins
from edgphys.estimators.profiles.correlation import correlation_function
from edgphys.estimators.profiles.histograms import energy_histogram, free_energy_profile
from edgphys.estimators.profiles.overlaps import overlap
from edgphys.estimators.profiles.pair_distances import pair_distances
from edgphys.estimators.profiles.site_correlations import correlations, structure_factor

__all__ = [
    "autocorrelation_times",
    "average",
    "basins",
    "correlation_function",
    "correlations",
    "density_of_states",
    "energy_histogram",
    "estimate",
    "estimates_from_exact",
    "forward_ess",
    "free_energy_profile",
    "log_binning",
    "mbar",
    "mmd",
    "overlap",
    "pair_distances",
    "reweight",
    "structure_factor",
    "thermodynamic_integration",
    "to_arviz",
    "wasserstein",
]
