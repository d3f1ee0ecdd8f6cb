# SPDX-License-Identifier: MIT
"""Ising spins as bits of words: multi-spin coding and packed lattices."""
