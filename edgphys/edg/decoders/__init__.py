# SPDX-License-Identifier: MIT
"""Decoders: maps of Gaussian latents to configurations."""

from edgphys.edg.decoders.field import FieldDecoder
from edgphys.edg.decoders.hamiltonian import HamiltonianDecoder, stiffness_of
from edgphys.edg.decoders.mixture import MixtureDecoder

__all__ = ["FieldDecoder", "HamiltonianDecoder", "MixtureDecoder", "stiffness_of"]
