# SPDX-License-Identifier: MIT
"""Lengths of a cluster, from configurations of it: what trials and networks are tabulated on.

They decide how well trials are placed and how finely networks see, not what is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from edgphys.edg.growth.centre import around_any
from edgphys.systems.particles.base import AbstractParticleSystem
from edgphys.systems.particles.pair_law import PairLaw

__all__ = ["N_MAP", "N_STEPS", "Scales", "pair_table"]

N_STEPS, N_MAP = 48, 513
_N_CONTACT, _N_KNOTS = 96, 8192
# Part of a map that is even, whatever was seen.
_EVEN = 0.3
# Room beyond what was seen, and pair energies, in units of T, that are as good as infinite.
_ROOM, _HARD = 1.5, 1e3


@dataclass(frozen=True)
class Scales:
    """Tables as arrays.

    Attributes
    ----------
    ranges : float64 array, shape (3,)
        Least and largest distance that is told apart, and distance of the first shell.
    maps : float64 array, shape (3, N_MAP)
        From 0 to 1, at equidistant lengths from 0 to the largest: of distances, radii and steps r - r_k. They
        rise where lengths are frequent, so that splines are fine there.
    edges : float64 array, shape (n_particles - 1, N_STEPS)
        Of the steps r - r_k to each particle, from 0 on.
    contact : float64 array, shape (N_CONTACT + 1,)
        Cumulative law of the distance to the nearest placed particle, at the edges of its bins.
    contact_bins : float64 array, shape (2,)
        First edge and width.
    """

    ranges: NDArray[np.float64]
    maps: NDArray[np.float64]
    edges: NDArray[np.float64]
    contact: NDArray[np.float64]
    contact_bins: NDArray[np.float64]

    @classmethod
    def of(cls, positions: NDArray[np.float64]) -> Scales:
        """From configurations, shape (n, n_particles, n_axes), each seen from a centre."""
        n_particles = positions.shape[1]
        relative = around_any(torch.from_numpy(positions), torch.Generator().manual_seed(0)).numpy()
        radii = np.linalg.norm(relative, axis=2)
        steps = np.diff(radii, axis=1, prepend=0.0)
        pairs = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=3)
        pairs = pairs[:, *np.triu_indices(n_particles, 1)]
        nearest = _nearest_placed(relative) if n_particles > 2 else radii
        least, largest = 0.9 * float(np.quantile(pairs, 1e-4)), 1.2 * float(pairs.max())
        lengths = np.linspace(0.0, largest, N_MAP)
        return cls(
            np.array([least, largest, float(np.quantile(nearest, 0.9))]),
            np.stack([_map(lengths, seen) for seen in (pairs, radii, steps)]),
            np.stack([_edges(seen) for seen in steps.T]),
            *_contact_law(nearest),
        )


def _map(lengths: NDArray[np.float64], seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of what was seen below each length, in part that of the lengths themselves."""
    order = np.sort(seen.ravel())
    share = np.searchsorted(order, lengths) / order.size
    return (1.0 - _EVEN) * share + _EVEN * lengths / lengths[-1]


def _edges(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equally spaced on such a map, to somewhat beyond the largest."""
    lengths = np.linspace(0.0, 1.2 * float(seen.max()), 16 * N_STEPS)
    edges = np.interp(np.linspace(0.0, 1.0, N_STEPS), _map(lengths, seen), lengths)
    edges[0] = 0.0
    return edges


def _contact_law(nearest: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smoothed, and nothing within the range is impossible."""
    first, last = 0.9 * float(nearest.min()), 1.1 * float(np.quantile(nearest, 0.999))
    counts, edges = np.histogram(nearest, bins=_N_CONTACT, range=(first, max(last, 1.01 * first)))
    law = np.convolve(counts, np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0, "same")
    contact = np.concatenate([[0.0], np.cumsum(law + 2e-3 * law.mean())])
    return contact / contact[-1], np.array([edges[0], edges[1] - edges[0]])


def _nearest_placed(relative: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each but the first to the nearest of those before it, without the centre; flat."""
    found = [
        np.linalg.norm(relative[:, k, None] - relative[:, :k], axis=2).min(1)
        for k in range(1, relative.shape[1])
    ]
    return np.concatenate(found)


def pair_table(system: AbstractParticleSystem, largest: float) -> tuple[NDArray[np.float64], float, float]:
    """Pair energy over T at equidistant distances from 0, their number per length, and the least value.

    With each pair's share of the oscillator. Only laws of positions are made of it, never weights.
    """
    r = np.linspace(0.0, _ROOM * largest, _N_KNOTS)
    with np.errstate(all="ignore"):
        at = torch.from_numpy(np.square(np.maximum(r, 1e-6 * r[1])))
        values = cast(PairLaw, system.pair_law).reduced(at).numpy()
    values = np.nan_to_num(np.minimum(values, _HARD), nan=_HARD, posinf=_HARD)
    return values, 1.0 / float(r[1]), float(values.min())
