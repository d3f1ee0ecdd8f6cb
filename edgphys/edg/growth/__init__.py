# SPDX-License-Identifier: MIT
"""Clusters grown atom by atom, each drawn from a learned law of known density."""
