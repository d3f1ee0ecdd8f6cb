# SPDX-License-Identifier: MIT
"""The generator of lattice fields: spectral decoder, odd equivariant networks, encoder, Hartree start."""
