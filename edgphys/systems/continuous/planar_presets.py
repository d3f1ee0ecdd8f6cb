# SPDX-License-Identifier: MIT
"""The planar targets of the literature as data; the papers are in `edgphys.systems.continuous.planar`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

__all__ = ["MIXTURES", "PRESETS", "RINGS"]


def _gmm40_means() -> NDArray[np.float64]:
    generator = torch.Generator().manual_seed(0)
    return ((torch.rand(40, 2, generator=generator) - 0.5) * 80.0).double().numpy()


def _hexagon() -> NDArray[np.float64]:
    angles = np.arange(6) * np.pi / 3
    return 5.0 * np.stack([np.cos(angles), np.sin(angles)], axis=1)


_PAIR = np.array([[-5.0, 0.0], [5.0, 0.0]])
_GRID = np.array([[5.0 * i, 5.0 * j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
# Means and variances of mixtures; radii and s of rings.
MIXTURES = {
    "mog2": lambda: (_PAIR, 0.25),
    "mog2_i": lambda: (_PAIR, np.array([1.5, 0.3])),
    "mog6": lambda: (_hexagon(), 0.25),
    "mog9": lambda: (_GRID, 0.3),
    "gmm40": lambda: (_gmm40_means(), math.log1p(math.e) ** 2),
}
RINGS = {"ring": (np.array([2.0]), 0.32), "ring5": (np.arange(1.0, 6.0), 0.04)}
PRESETS = ("mog2", "mog2_i", "mog6", "mog9", "ring", "ring5", "gmm40")
