# SPDX-License-Identifier: MIT
"""Draws of a tilted double well, exact and independent, good or spoilt, and all that is made of draws.

Bad chains: half of them have never left one well. Bad weights: a proposal far too narrow.
"""

from __future__ import annotations

import functools

import numpy as np
import xarray as xr

import edgphys as ep
from edgphys import estimators
from helpers.wells import WELL, exact_draws

__all__ = ["OF_CHAINS", "OF_DRAWS", "chains", "weighted"]

SYSTEM = ep.DoubleWell(**WELL)
EDGES = np.linspace(-1.5, 1.5, 9)


def dataset(x, dims, **more):
    """Draws of the well, by their positions."""
    x = np.asarray(x)
    measured = {
        name: (dims, values.reshape(x.shape)) for name, values in SYSTEM.measure(x.reshape(-1, 1)).items()
    }
    # Three particles on a line beside it, and a spin on a ring, for what asks for these.
    particles = np.stack([x, 0 * x, 0.5 * x + 3.0], axis=-1)[..., None]
    attrs = {**SYSTEM.attrs(), "kind": "samples", "schema_version": 1, "method": "test", "seed": 0}
    data = {**measured, "configurations": ((*dims, "particle", "axis"), particles)}
    return xr.Dataset({**data, **more}, attrs=attrs)


@functools.cache
def chains(good=True):
    x = exact_draws(16_000)[0].reshape(8, 2000)
    return dataset(
        x if good else np.where(np.arange(8)[:, None] % 2, np.abs(x), -np.abs(x)), ("chain", "draw")
    )


@functools.cache
def weighted(good=True):
    noise, width = np.random.default_rng(1).standard_normal(4000), 1.2 if good else 0.3
    x = width * noise - (0.0 if good else 0.9)
    log_weight = -SYSTEM.beta * SYSTEM.energy(x[:, None]) + noise**2 / 2
    return dataset(x, ("draw",), log_weight_joint=("draw", log_weight))


def ring(samples):
    """The same as a spin model on a ring, uniform in one well and staggered in the other but for noise."""
    x = samples["configurations"].values[..., 0, 0]
    spins = np.where((x < 0.0)[..., None], [1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0])
    spins[..., 1] *= np.sign(np.sin(1e4 * x))
    on_ring = {
        "lattice": "chain",
        "extent": [4],
        "pbc": [1],
        "n_sites": 4,
        "z2_symmetric": 0,
        "linear_size": 4.0,
    }
    kept = {
        name: value for name, value in samples.attrs.items() if name not in ("n_variables", "observables")
    }
    made = samples.drop_vars(["configurations", "right"])
    made = made.assign(configurations=((*samples["energy"].dims, "x"), spins))
    return made.drop_attrs().assign_attrs(kept | on_ring | {"basins": "[]"})


def side(x):
    return 1 * (x[:, 0, 0] > 0.0)


OF_DRAWS = {
    "average": lambda s: ep.average(s, lambda x: x[:, 0, 0], "x"),
    "basins": lambda s: ep.basins(s, side, ["left", "right"]),
    "correlation_function": lambda s: estimators.correlation_function(ring(s)),
    "correlations": lambda s: estimators.correlations(ring(s)),
    "energy_histogram": lambda s: ep.energy_histogram(s, 8),
    "estimate": ep.estimate,
    "free_energy_profile": lambda s: ep.free_energy_profile(s, lambda x: x[:, 0, 0], EDGES),
    "pair_distances": lambda s: ep.pair_distances(s, 8),
    "structure_factor": lambda s: estimators.structure_factor(ring(s), [[0.0], [np.pi]]),
}
OF_CHAINS = {"autocorrelation_times": estimators.autocorrelation_times}
