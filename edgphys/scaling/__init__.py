# SPDX-License-Identifier: MIT
"""Finite-size scaling: where curves of several sizes cross, and how they fall onto one.

Sizes come as a list of datasets, one for each linear size (scans over a coupling, or curves), or as one scan
with the dim ``extent``.
"""

from __future__ import annotations

from edgphys.scaling.collapse import collapse
from edgphys.scaling.crossings import crossings

__all__ = ["collapse", "crossings"]
