# SPDX-License-Identifier: MIT
"""Energy-based diffusion generators: decoders, encoders, bounds, weights, training."""

from edgphys.edg.sampler import EDG
from edgphys.edg.targets.registry import target_names

__all__ = ["EDG", "target_names"]
