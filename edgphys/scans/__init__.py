# SPDX-License-Identifier: MIT
"""Scans of a system over a grid of couplings, cell by cell, resumable."""
