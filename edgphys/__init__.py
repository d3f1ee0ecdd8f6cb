# SPDX-License-Identifier: MIT
"""Absolute free energies with symmetric energy-based diffusion generators."""
