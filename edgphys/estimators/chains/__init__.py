# SPDX-License-Identifier: MIT
"""Estimates from Markov chains: autocorrelation, binning, convergence."""
