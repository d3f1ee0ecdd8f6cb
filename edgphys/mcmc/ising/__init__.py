# SPDX-License-Identifier: MIT
"""Markov chains of the Ising model."""
