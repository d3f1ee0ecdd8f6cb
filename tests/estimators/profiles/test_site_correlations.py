# SPDX-License-Identifier: MIT
"""Correlations by distance against sums over pairs, on every lattice and boundary, and against the energy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr

import edgphys as ep
import lattices

BOXES = [
    ("chain", (7,), False),
    ("square", (4, 6), True),
    ("square", (4, 5), (True, False)),
    ("triangular", (3, 5), (False, True)),
    ("honeycomb", (3, 4), True),
    ("honeycomb", (2, 3), False),
    ("kagome", (3, 2), True),
    ("cubic", (2, 3, 4), (False, True, False)),
]


def chains_of(system, seed=0, n_draws=20):
    """Independent draws of random spins, biased so that <s> is not 0."""
    rng = np.random.default_rng(seed)
    spins = np.where(rng.random((2, n_draws, *system.event_shape)) < 0.6, 1.0, -1.0)
    dims = ("chain", "draw", *system.configuration_dims())
    attrs = {"schema_version": 1, "kind": "samples", "method": "independent", "seed": seed, **system.attrs()}
    return xr.Dataset({"configurations": (dims, spins)}, attrs=attrs)


def pair_distances(lattice):
    """Distances of all pairs of sites, by trying all images."""
    shifts = [(-1, 0, 1) if periodic else (0,) for periodic in lattice.pbc]
    periods = lattice.basis_vectors * np.array(lattice.extent)[:, None]
    apart = lattice.positions[None] - lattice.positions[:, None]
    images = [np.linalg.norm(apart + np.array(n) @ periods, axis=2) for n in itertools.product(*shifts)]
    return np.round(np.min(images, axis=0), 8)


@pytest.mark.parametrize("field", [0.0, 0.4])
@pytest.mark.parametrize(("name", "extent", "pbc"), BOXES)
def test_correlations_are_sums_over_pairs(name, extent, pbc, field):
    lattice = lattices.build(name, extent, pbc)
    chains = chains_of(ep.Ising(lattice, 2.0, field=field))
    found = ep.correlations(chains, max_distance=np.inf)
    flat = chains["configurations"].values.reshape(-1, lattice.n_sites)
    apart = pair_distances(lattice)
    np.testing.assert_allclose(found["distance"], np.unique(apart), atol=1e-7)
    layer = lattice.cells * ~np.array(lattice.pbc)
    labels = np.unique(np.column_stack([layer, lattice.sublattices]), axis=0, return_inverse=True)[1].ravel()
    mean = (np.bincount(labels, flat.mean(0)) / np.bincount(labels))[labels]
    products = flat.T @ flat / len(flat)
    for k, d in enumerate(found["distance"].values):
        pairs = np.isclose(apart, d, atol=1e-6)
        assert found["n_pairs"][k] == pairs.sum() / (1 if d == 0 else 2)
        assert float(found["correlation"][k]) == pytest.approx(products[pairs].mean(), abs=1e-12)
        if field:
            expected = (products - np.outer(mean, mean))[pairs].mean()
            assert float(found["connected"][k]) == pytest.approx(expected, abs=1e-12)
    if not field:
        np.testing.assert_array_equal(found["connected"], found["correlation"])
    ep.dataset.validate(found)


@pytest.mark.parametrize(("name", "extent", "pbc"), [BOXES[2], BOXES[4], ("kagome", (2, 2), True)])
def test_neighbours_give_the_energy(name, extent, pbc):
    lattice = lattices.build(name, extent, pbc)
    system = ep.Ising(lattice, 2.0, coupling=-0.7)
    chains = chains_of(system)
    energy = system.energy(chains["configurations"].values.reshape(-1, *system.event_shape)).mean()
    nearest = float(ep.correlations(chains)["correlation"].sel(distance=1.0, method="nearest"))
    assert 0.7 * lattice.n_bonds * nearest == pytest.approx(energy, rel=1e-12)
    second = float(ep.correlations(chains)["correlation"][2])  # control
    assert abs(0.7 * lattice.n_bonds * second - energy) > 1e-6 * abs(energy)


def test_weights_count_and_errors_are_those_of_independent_draws():
    system = ep.Ising(lattices.build("chain", (8,)), 2.0, field=0.1)
    rng = np.random.default_rng(3)
    spins = np.where(rng.random((2000, 8)) < 0.5, 1.0, -1.0)
    log_weights = -system.beta * system.energy(spins)
    draws = xr.Dataset(
        {"configurations": (("draw", "x"), spins), "log_weight_joint": ("draw", log_weights)},
        attrs=system.attrs(),
    )
    found, exact = ep.correlations(draws), system.exact_results()
    bonds = (-exact["energy"] - 0.1 * 8 * exact["magnetization"]) / 8
    error = float(found["correlation_err"][1])
    assert 0.01 < error < 0.04 and abs(float(found["correlation"][1]) - bonds) < 3.9 * error
    assert abs(float(found["correlation"][1]) - spins[:, 0] @ spins[:, 1] / 2000) > 3.9 * error  # control


def test_structure_factor_is_the_correlator_at_the_lowest_momentum_and_the_order_at_its_own():
    lattice = lattices.build("square", (4, 4))
    system = ep.Ising(lattice, 2.0, coupling=-1.0)
    chains = chains_of(system)
    measured = system.measure(chains["configurations"].values.reshape(-1, 4, 4))
    along = [[np.pi / 2, 0.0], [0.0, np.pi / 2], [np.pi, np.pi]]
    found = ep.structure_factor(chains, along)["structure_factor"].values
    assert found[:2].mean() == pytest.approx(measured["correlator_min"].mean(), rel=1e-12)
    assert found[2] == pytest.approx(measured["staggered_correlator_zero"].mean(), rel=1e-12)
    single = ep.structure_factor(chains, (np.pi, np.pi))
    assert (
        float(single["structure_factor"]) == pytest.approx(found[2]) and not single["structure_factor"].dims
    )
    ep.dataset.validate(single)
    ep.dataset.validate(ep.structure_factor(chains, along))


def test_connected_structure_factor_leaves_the_mean_out():
    system = ep.Ising(lattices.build("honeycomb", (3, 3)), 2.0, field=0.3)
    chains = chains_of(system)
    flat = chains["configurations"].values.reshape(-1, 18)
    plain, connected = (
        float(ep.structure_factor(chains, (0.0, 0.0), connected=on)["structure_factor"])
        for on in (False, True)
    )
    assert plain - connected == pytest.approx(18 * flat.mean() ** 2, rel=1e-9)


def test_a_lattice_of_ones_own_is_given(tmp_path):
    cell = (
        'name = "mine"\nbasis_vectors = [[1]]\nsite_offsets = [[0]]\nbonds = [{ sites = [0, 0], cell = [1] }]'
    )
    (tmp_path / "mine.toml").write_text(cell)
    lattice = lattices.build(tmp_path / "mine.toml", (6,))
    chains = chains_of(ep.Ising(lattice, 2.0))
    with pytest.raises(
        ValueError, match="lattice must be given for samples on a lattice of your own, 'mine'"
    ):
        ep.correlations(chains)
    assert ep.correlations(chains, lattice=lattice).sizes["distance"] == 4


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"by": "bond"}, "by must be"),
        ({"max_distance": -1.0}, "max_distance must be a number >= 0, got -1"),
        ({"max_distance": float("nan")}, "max_distance must be a number >= 0, got nan"),
    ],
)
def test_refused(arguments, match):
    chains = chains_of(ep.Ising(lattices.build("chain", (6,)), 2.0))
    with pytest.raises(ValueError, match=match):
        ep.correlations(chains, **arguments)
    with pytest.raises(ValueError, match="k must be a wave vector of 1 finite numbers"):
        ep.structure_factor(chains, (0.0, 1.0))
    with pytest.raises(ValueError, match="configurations \\(keep=True\\)"):
        ep.correlations(
            chains.drop_vars("configurations").assign(energy=(("chain", "draw"), np.ones((2, 20))))
        )
