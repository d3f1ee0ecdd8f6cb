# SPDX-License-Identifier: MIT
"""Energy-based diffusion generators: decoders, encoders, bounds, weights, training."""

from edgphys.edg.sampler import EDG, split_options
from edgphys.edg.targets import target_names

__all__ = ["EDG", "split_options", "target_names"]
