# SPDX-License-Identifier: MIT
"""The generator of clusters of particles, equivariant under permutations and rigid motions."""
