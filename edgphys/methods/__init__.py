# SPDX-License-Identifier: MIT
"""What a scan can ask for: methods that give estimates of a system."""

from edgphys.methods.base import AbstractMethod, Look, seed_words
from edgphys.methods.registry import available, make

__all__ = ["AbstractMethod", "Look", "available", "make", "seed_words"]
