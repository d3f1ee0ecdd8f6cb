# SPDX-License-Identifier: MIT
"""Spins of two and of three components: unit vectors on the sites of a lattice."""
