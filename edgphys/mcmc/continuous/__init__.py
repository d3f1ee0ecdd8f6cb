# SPDX-License-Identifier: MIT
"""Markov chains of continuous systems without a lattice."""
