# SPDX-License-Identifier: MIT
r"""Distribution of the distances of pairs of particles, for weighted draws and chains alike.

    p(r)                   density of the distance of a pair, integral 1
    p(r) / (S_D r^{D-1})   S_D the surface of the unit sphere in D dimensions: what g(r) is in a box, but
                           without a mean density to divide by

Bins are averages over their width, with exact volumes of shells. Error bars are one standard error, of each
bin on its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from edgphys.dataset.padding import drawn, flat, scattered
from edgphys.estimators.diagnosis import diagnose
from edgphys.estimators.draws import draw_dims
from edgphys.estimators.profiles.bins import bin_edges, counts_in
from edgphys.estimators.profiles.profile_dataset import profile_dataset
from edgphys.estimators.profiles.shares import VISITS, shares
from edgphys.recording.record import recorded

__all__ = ["pair_distances"]


@recorded("pair_distances")
def pair_distances(samples: xr.Dataset, bins: int | Sequence[float] = 80) -> xr.Dataset:
    """Distribution of the distances of pairs of particles.

    Parameters
    ----------
    samples : Dataset
        With ``configurations``, positions of the particles, dims (..., particle, axis).
    bins : int or increasing edges
        At least one equal bin from 0 to the largest distance, or edges, finite and not negative.

    Returns
    -------
    Dataset
        ``density`` p(r), integral 1; ``radial_density`` p(r) / (S_D r^{D-1}), exact shell volumes; errors of
        both; ``n_visits``; over the dimension ``distance``; and the diagnostics of the draws. attrs:
        ``warning``, why not to trust it, empty otherwise.

    Raises
    ------
    TypeError, ValueError
        If there are no configurations of particles, or `bins` are of the wrong kind or value.
    """
    positions, there = _positions(samples)
    n_particles, n_axes = positions.shape[1:]
    first, second = np.triu_indices(n_particles, 1)
    # The diameter of a configuration is at most twice its largest distance from the mean.
    centred = positions - positions.mean(axis=1, keepdims=True)
    edges = bin_edges(bins, 0.0, 2.0 * np.linalg.norm(centred, axis=2).max())
    if edges[0] < 0.0:
        raise ValueError(f"bins must be distances, not negative, got {edges[0]:g}")
    inside, mean = np.empty((len(positions), len(edges) - 1)), np.empty(len(positions))
    for start in range(0, len(positions), 4096):
        part = positions[start : start + 4096]
        r = np.linalg.norm(part[:, first] - part[:, second], axis=2)
        inside[start : start + 4096] = counts_in(r, edges) / len(first)
        mean[start : start + 4096] = r.mean(axis=1)
    diagnosis = diagnose(samples, {"distance": scattered(mean, there)})
    found = shares(samples, np.moveaxis(scattered(inside, there), -1, 0), diagnosis, quantum=1.0 / len(first))
    widths = np.diff(edges)
    ball = math.pi ** (n_axes / 2) / math.gamma(n_axes / 2 + 1)
    shells = ball * np.diff(edges**n_axes)
    return profile_dataset(
        samples,
        diagnosis,
        {"distance": edges},
        {
            "density": (
                ("distance",),
                found.values / widths,
                "density of the distance of a pair, mean over the bin",
            ),
            "radial_density": (
                ("distance",),
                found.values / shells,
                "probability that a given pair is in the shell over the volume of the shell",
            ),
            "n_visits": (("distance",), found.n_visits, VISITS),
        },
        {
            "density": (("distance",), found.errors / widths),
            "radial_density": (("distance",), found.errors / shells),
        },
    )


def _positions(samples: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Positions, float64, shape (n_draws, n_particles, n_axes), and where there are draws."""
    dims = draw_dims(samples)
    if "configurations" not in samples or samples["configurations"].ndim != len(dims) + 2:
        came = samples["configurations"].dims if "configurations" in samples else "none"
        raise ValueError(f"samples must hold configurations with the dims (..., particle, axis), got {came}")
    positions = np.asarray(samples["configurations"].transpose(*dims, ...).values, np.float64)
    if positions.shape[-2] < 2:
        raise ValueError(
            f"samples must hold configurations of two or more particles, got {positions.shape[-2]}"
        )
    there = drawn(samples, dims)
    return flat(positions, there), there
