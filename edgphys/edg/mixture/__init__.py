# SPDX-License-Identifier: MIT
"""The generator of a few variables without symmetry: a Gaussian mixture, networks, Hamiltonian dynamics."""
