# SPDX-License-Identifier: MIT
"""Planar targets of the paper: exact reference draws, the paper's numbers, ladders for tempering, and MMD.

MMD has the kernel of the code of arXiv:1706.07561, a Gaussian of bandwidth h = d / sqrt 2 = 1.414.
`distances` gives the unbiased MMD^2, whose expectation for two samples of one law is 0, its root (0 where it
is negative), and the root of the biased MMD^2, which keeps the terms k(x, x) = 1: its expectation for two
samples of one law, of n and m draws, is (1/n + 1/m) (1 - <k>), 0.02^2 for 5,000 draws each.
"""

from __future__ import annotations

import math

import numpy as np

import edgphys as ep
from edgphys.estimators import mmd

__all__ = ["BANDWIDTH", "LADDERS", "NAMES", "PAPER", "PAPER_WEIGHTED", "distances", "reference_draws"]

BANDWIDTH = 2 / math.sqrt(2.0)
NAMES = ("mog2", "mog2_i", "mog6", "mog9", "ring", "ring5", "gmm40")
# MMD of EDG in arXiv:2401.02080, without and with weights.
PAPER = {"mog2": 0.01, "mog2_i": 0.50, "mog6": 0.01, "mog9": 0.02, "ring": 0.01, "ring5": 0.02}
PAPER_WEIGHTED = {"mog2_i": 0.09}
# Highest temperature of six rungs: where a barrier between neighbouring modes is about one kT.
LADDERS = {"mog2": 50.0, "mog2_i": 30.0, "mog6": 15.0, "mog9": 12.0, "ring": 2.0, "ring5": 6.0, "gmm40": 40.0}


def reference_draws(system: ep.Planar, n: int, rng: np.random.Generator) -> np.ndarray:
    """Independent draws of the target itself at T = 1, shape (n, 2).

    Mixtures: a component, and a normal draw. Rings: the radius by the inverse of its distribution function
    (p(r) ~ r exp(-E(r)), summed on a grid of 400,000 points), and an angle.
    """
    if system.is_mixture:
        parts = np.asarray(system.kernel_parameters).reshape(-1, 3)
        c = rng.integers(len(parts), size=n)
        return parts[c, :2] + np.sqrt(parts[c, 2])[:, None] * rng.standard_normal((n, 2))
    scale, *radii = system.kernel_parameters
    edges = np.linspace(0.0, max(radii) + 10.0 * math.sqrt(scale), 400_001)
    middle = 0.5 * (edges[1:] + edges[:-1])
    weight = middle * np.exp(-(np.abs(middle[:, None] - np.array(radii)).min(1) ** 2) / scale)
    shares = np.concatenate([[0.0], np.cumsum(weight)]) / weight.sum()
    r, angle = np.interp(rng.random(n), shares, edges), rng.uniform(0.0, 2.0 * np.pi, n)
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)


def distances(x: np.ndarray, y: np.ndarray, log_weights: np.ndarray | None = None) -> dict[str, float]:
    """MMD^2 of x from the reference y without bias, its scatter for equal laws, and both roots."""
    result = mmd(x, y, bandwidths=(BANDWIDTH,), log_weights=log_weights)
    squared = float(result["mmd_squared"])
    p = np.full(len(x), 1 / len(x)) if log_weights is None else np.exp(log_weights - log_weights.max())
    half = len(y) // 2
    mean = float(np.exp(-0.5 * ((y[:half] - y[half : 2 * half]) ** 2).sum(1) / BANDWIDTH**2).mean())
    diagonal = ((p / p.sum()) ** 2).sum() + 1.0 / len(y)
    return {
        "mmd_squared": squared,
        "null_err": float(result["null_err"]),
        "mmd": float(result["mmd"]),
        "mmd_biased": math.sqrt(max(squared + diagonal * (1.0 - mean), 0.0)),
    }
