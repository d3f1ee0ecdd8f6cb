# SPDX-License-Identifier: MIT
"""The correlation function: against sums over all pairs, over all states, and with wrong input."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from helpers.chains import all_spins, boltzmann
from helpers.clusters import correlation_by_rolls, exact_correlation
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.errors import NotExactError, ShortChainError
from edgphys.estimators import correlation_function
from edgphys.estimators.profiles.correlation import correlation_of
from edgphys.systems import Ising

SITE_DIMS = ("x", "y", "z")


@pytest.mark.parametrize("shape, n_axes", [((7,), 1), ((4, 6), 2), ((3, 5, 4), 3), ((4, 3, 2), 2)])
def test_fourier_transform_equals_rolls(shape, n_axes):
    fields = np.random.default_rng(1).standard_normal((5, *shape))
    expected = correlation_by_rolls(fields, n_axes)
    assert expected.shape == (5, min(shape[:n_axes]) // 2 + 1)
    np.testing.assert_allclose(correlation_of(fields, n_axes), expected, atol=1e-12)


def independent_draws(system, shape, rng):
    """Draws from the exact distribution by inversion, as configurations, and the attrs that go with them."""
    probability, _ = boltzmann(system)
    chosen = rng.choice(len(probability), size=shape, p=probability)
    spins = all_spins(system.n_sites)[chosen].reshape(*shape, *system.event_shape)
    extent = list(system.lattice.extent)
    return spins, {"extent": extent, "pbc": [1] * len(extent)}


@pytest.mark.statistical
@pytest.mark.parametrize("name, extent, coupling", [("square", (4, 3), -1.0), ("honeycomb", (2, 3), 1.0)])
def test_chains_agree_with_the_sum_over_states(name, extent, coupling):
    system = Ising(lattices.build(name, extent, allow_double_bonds=True), 2.5, coupling)
    spins, attrs = independent_draws(system, (4, 3000), np.random.default_rng(7))
    exact = exact_correlation(system)
    dims = ("chain", "draw", *SITE_DIMS[: spins.ndim - 2])
    table = correlation_function(xr.Dataset({"configurations": (dims, spins)}, attrs=attrs))
    assert float(table["correlation"][0]) == 1.0 and float(table["correlation_err"][0]) == 0.0
    for r in range(1, table.sizes["distance"]):
        value, err = (float(table[key][r]) for key in ("correlation", "correlation_err"))
        assert_z(value, err, exact[r], n_tests=4, max_err=0.01)
        assert 0.5 <= float(table["tau_int"][r]) < 0.6
        assert_off(value, err, 0.9 * exact[r], least=8.0, max_err=0.01)


@pytest.mark.statistical
def test_weights_carry_draws_to_another_temperature():
    lattice = lattices.build("square", (4, 3))
    hot, cold = Ising(lattice, 3.0), Ising(lattice, 2.5)
    spins, attrs = independent_draws(hot, (20_000,), np.random.default_rng(3))
    exact = exact_correlation(cold)
    _, energies = boltzmann(cold)
    numbers = (spins.reshape(len(spins), -1) < 0) @ (1 << np.arange(lattice.n_sites))
    shift = -(cold.beta - hot.beta) * energies[numbers]

    def nearest(log_weights):
        draws = {"configurations": (("draw", "x", "y"), spins), "log_weight_joint": ("draw", log_weights)}
        table = correlation_function(xr.Dataset(draws, attrs=attrs))
        assert np.isnan(table["tau_int"]).all()
        return float(table["correlation"][1]), float(table["correlation_err"][1])

    assert_z(*nearest(shift), exact[1], max_err=0.01)
    assert_off(*nearest(0.0 * shift), exact[1], least=50.0, max_err=0.01)


def test_measured_correlation_comes_before_configurations():
    rng = np.random.default_rng(2)
    measured = rng.standard_normal((2, 100, 3))
    samples = xr.Dataset(
        {
            "correlation": (("chain", "draw", "distance"), measured),
            "configurations": (("chain", "draw", "x"), rng.standard_normal((2, 100, 4))),
        },
        attrs={"extent": [4], "pbc": [1]},
    )
    table = correlation_function(samples)
    np.testing.assert_allclose(table["correlation"], measured.mean((0, 1)), atol=1e-12)
    assert table.attrs["kind"] == "correlation"


def chains(n_draws=20, attrs=None, **variables):
    variables = variables or {"configurations": (("chain", "draw", "x"), np.ones((2, n_draws, 4)))}
    return xr.Dataset(variables, attrs={"extent": [4], "pbc": [1]} if attrs is None else attrs)


def test_what_does_not_fit_is_refused():
    with pytest.raises(TypeError, match=r"samples must be an xarray\.Dataset, got list"):
        correlation_function([])
    with pytest.raises(ShortChainError, match=r"at least 16 draws per chain, got 5"):
        correlation_function(chains(5))
    with pytest.raises(ValueError, match=r"pbc must be true along all axes, got \[0\]"):
        correlation_function(chains(attrs={"extent": [4], "pbc": [0]}))
    with pytest.raises(ValueError, match=r"missing \['extent', 'pbc'\]"):
        correlation_function(chains(attrs={}))
    with pytest.raises(ValueError, match=r"site shape \(5,\), got \(4,\)"):
        correlation_function(chains(attrs={"extent": [5], "pbc": [1]}))
    with pytest.raises(ValueError, match=r"must hold configurations \(keep=True\) or correlation"):
        correlation_function(chains(energy=(("chain", "draw"), np.ones((2, 20)))))
    with pytest.raises(ValueError, match=r"correlation must have the dims"):
        correlation_function(chains(correlation=(("chain", "draw"), np.ones((2, 20)))))
    with pytest.raises(ValueError, match=r"must have the dims \(draw,\) with log_weight_joint, or"):
        correlation_function(chains().isel(chain=0))
    nothing = np.full((2, 20, 4), np.nan)
    with pytest.raises(ValueError, match=r"finite on every draw, got 120 values"):
        correlation_function(chains(configurations=(("chain", "draw", "x"), nothing)))


def test_bad_weights_are_refused():
    draws = chains().isel(chain=0).assign(log_weight_joint=("draw", np.zeros(20)))
    noisy = draws.assign_attrs(log_weight_exact=0)
    with pytest.raises(NotExactError, match="Hutchinson"):
        correlation_function(noisy)
    with pytest.raises(ValueError, match=r"finite for at least one draw, got -inf for all"):
        correlation_function(draws.assign(log_weight_joint=("draw", np.full(20, -np.inf))))
