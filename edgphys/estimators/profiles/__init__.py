# SPDX-License-Identifier: MIT
"""Functions of a coordinate or a distance: profiles, histograms, correlations, distances of samples."""
