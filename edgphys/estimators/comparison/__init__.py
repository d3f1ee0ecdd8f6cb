# SPDX-License-Identifier: MIT
"""Draws against draws of a reference: distances of distributions, and what of the reference is covered."""
