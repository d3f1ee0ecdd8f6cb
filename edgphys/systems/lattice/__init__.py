# SPDX-License-Identifier: MIT
"""Systems on a lattice: one variable per site."""
