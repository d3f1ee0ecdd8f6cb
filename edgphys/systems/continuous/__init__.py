# SPDX-License-Identifier: MIT
"""Systems of continuous coordinates without a lattice."""
