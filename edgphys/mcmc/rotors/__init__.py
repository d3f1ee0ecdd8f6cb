# SPDX-License-Identifier: MIT
"""Markov chains of spins with two and three components."""
