# SPDX-License-Identifier: MIT
"""Learned partial sums: lattices drawn from coarse to fine by local laws with a known density."""

from edgphys.edg.refinement.classes import Classes, SiteClass, split_sites
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.model import Refinement
from edgphys.edg.refinement.windows import Window, windows_of

__all__ = [
    "Classes",
    "LatticeGenerator",
    "Refinement",
    "SiteClass",
    "Window",
    "split_sites",
    "windows_of",
]
