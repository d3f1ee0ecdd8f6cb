# SPDX-License-Identifier: MIT
"""Decoders: maps of Gaussian latents to configurations, with the symmetry of the system."""

from edgphys.edg.decoders.field import FieldDecoder

__all__ = ["FieldDecoder"]
