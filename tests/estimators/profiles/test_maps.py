# SPDX-License-Identifier: MIT
"""Free energies over two coordinates of Mueller-Brown, chains and weighted draws, against quadrature."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from helpers.stats import assert_z

import edgphys as ep
from edgphys import dataset

SYSTEM = ep.MuellerBrown(temperature=30.0)
EDGES = np.linspace(-1.4, 0.8, 5), np.linspace(-0.4, 1.8, 5)
BOTH = (lambda x: x[:, 0], lambda x: x[:, 1])


def grid(edges, n):
    """Centres of n cells in each of the bins, and beyond them."""
    return np.concatenate([a + (b - a) * (np.arange(n) + 0.5) / n for a, b in itertools.pairwise(edges)])


def density(temperature=SYSTEM.temperature, n=64):
    """Mean density of each bin by the midpoint rule, normalised over a far wider square."""

    def weights(x, y):
        points = np.stack(np.meshgrid(x, y, indexing="ij"), -1)
        energy = SYSTEM.energy(points.reshape(-1, 2)).reshape(points.shape[:2])
        return np.exp(-(energy + 150.0) / temperature)

    wide = np.linspace(-4.0, 4.0, 1601)
    total = weights(wide, wide).sum() * (wide[1] - wide[0]) ** 2
    inside = weights(grid(EDGES[0], n), grid(EDGES[1], n))
    return inside.reshape(4, n, 4, n).mean((1, 3)) / total


def draws(kind):
    """Independent draws by rejection, as chains, or of a uniform square with weights."""
    rng = np.random.default_rng(0)
    x = rng.uniform([-2.0, -1.0], [1.6, 2.6], (1 << 19, 2))
    log_w = -SYSTEM.beta * SYSTEM.energy(x)
    if kind == "weighted":
        x, log_w, dims = x[: 1 << 16], log_w[: 1 << 16], ("draw",)
    else:
        x = x[np.log(rng.random(len(x))) < log_w - log_w.max()]
        x, dims = x[: len(x) // 4 * 4].reshape(4, -1, 2), ("chain", "draw")
    energy = SYSTEM.energy(x.reshape(-1, 2)).reshape(x.shape[:-1])
    made = xr.Dataset({"energy": (dims, energy), "configurations": ((*dims, "coordinate"), x)})
    made = made.assign(log_weight_joint=("draw", log_w)) if kind == "weighted" else made
    about = {"kind": "samples", "schema_version": 1, "method": "test", "seed": 0}
    return made.assign_attrs(SYSTEM.attrs() | about)


@pytest.mark.statistical
@pytest.mark.parametrize("kind", [pytest.param("chains", marks=pytest.mark.slow), "weighted"])
def test_the_map_is_that_of_quadrature(kind):
    made = ep.free_energy_profile(draws(kind), BOTH, EDGES)
    dataset.validate(made)
    assert made["free_energy"].dims == ("coordinate", "other") and made["other_low"].values[0] == EDGES[1][0]
    known = np.isfinite(made["free_energy"].values)
    assert known.sum() > 5 and (kind == "weighted" or not known.all()), "a bin of few visits has none"
    np.testing.assert_array_equal(known, made["n_visits"].values >= 10.0)
    for name, exact in {"free_energy": -30.0 * np.log(density()), "density": density()}.items():
        values, errors = made[name].values, made[f"{name}_err"].values
        for value, err, wanted in zip(values[known], errors[known], exact[known], strict=True):
            assert_z(value, err, wanted, n_tests=2 * known.sum(), max_err=12.0)
    hot = -40.0 * np.log(density(40.0))
    off = (made["free_energy"].values - hot) / made["free_energy_err"].values
    assert np.nanmax(np.abs(off)) > 6, "another temperature is seen"


def test_what_a_map_adds_up_to_is_the_profile():
    samples = draws("weighted")
    both = ep.free_energy_profile(samples, BOTH, (EDGES[0], [-9.0, 9.0]))
    one = ep.free_energy_profile(samples, BOTH[0], EDGES[0])
    np.testing.assert_allclose(18.0 * both["density"][:, 0], one["density"], rtol=1e-12)
    np.testing.assert_allclose(both["n_visits"][:, 0], one["n_visits"], rtol=1e-9)
    assert ep.plot(both).axes[0].get_ylabel() == "other"


@pytest.mark.parametrize(
    "coordinate, bins, message",
    [
        ((BOTH[0],), 4, "coordinate must be one, or a pair of two"),
        (BOTH, [4, 4, 4], "bins must be an integer, or a pair for two coordinates"),
        (BOTH, (4, 0), "bins must be an integer >= 1 or finite increasing edges, got 0"),
    ],
)
def test_what_is_no_pair_is_refused(coordinate, bins, message):
    with pytest.raises(ValueError, match=message):
        ep.free_energy_profile(draws("weighted"), coordinate, bins)
