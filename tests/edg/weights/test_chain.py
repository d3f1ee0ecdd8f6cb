# SPDX-License-Identifier: MIT
"""The independence chain: exact from any network, and wrong as soon as it ignores the weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.samplers import (
    SMALL_FIELD,
    TINY_MIXTURE,
    case,
    exact_square,
    short_search,
    square,
    trained_square,
)
from helpers.stats import assert_off, assert_z

from edgphys.edg import EDG
from edgphys.edg.weights import chain as weights_chain
from edgphys.estimators import estimate
from edgphys.systems import (
    DoubleWell,
)

__all__ = ["short_search"]  # a fixture for all tests here


def chain_scores(edg, seed):
    """(estimate, err, exact, limit of the error) of two observables of a chain."""
    found = estimate(edg.chain(16000, seed=seed, n_chains=8, n_views=1, progress=False))
    limits = {"energy": 0.3, "abs_magnetization": 0.02}
    return [
        (float(found[name]), float(found[f"{name}_err"]), exact_square()[name], limits[name])
        for name in limits
    ]


@pytest.mark.statistical
@pytest.mark.parametrize("kind", ["trained", "untrained", "untrained relaxation"])
def test_chain_gives_the_exact_results(kind, monkeypatch):
    """Whatever the network. Accepting every proposal, which ignores the weights, must be found untrained."""
    if kind == "trained":
        edg = trained_square()
    else:
        edg = EDG(square(), **SMALL_FIELD, target="relaxation" if "relaxation" in kind else "auto")
    for value, err, right, limit in chain_scores(edg, seed=10):
        assert_z(value, err, right, n_tests=6, max_err=limit)
    if kind != "trained":
        monkeypatch.setattr(
            weights_chain, "accepted_indices", lambda w, rng: np.tile(np.arange(w.shape[1]), (len(w), 1))
        )
        value, err, right, limit = chain_scores(edg, seed=10)[0]
        assert_off(value, err, right, least=15.0, max_err=limit)


def chain_of(edg):
    """A chain, its estimate of the energy with the error, and the exact energy."""
    samples = edg.chain(8000, seed=2, n_chains=8, progress=False)
    found = estimate(samples)
    return samples, (float(found["energy"]), float(found["energy_err"]), edg.system.exact_results()["energy"])


def check_chain(edg):
    """<E>, and the population of the right wells."""
    system, (samples, energy) = edg.system, chain_of(edg)
    assert_z(*energy, n_tests=6, max_err=0.2)
    right = samples["right"].mean("draw").to_numpy()
    p = 1.0 / (1.0 + math.exp(system.free_energy_difference() / system.temperature))
    # Student's t of 7 degrees of freedom: 7 errors are two in ten thousand.
    assert abs(right.mean() - p) < 7.0 * right.std(ddof=1) / math.sqrt(8)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["double well 1", "hamiltonian", "many well"])
def test_chain_of_a_continuous_system_gives_the_exact_results(name):
    check_chain(case(name))


@pytest.mark.statistical
def test_chain_that_ignores_the_weights_is_found(monkeypatch):
    """One Gaussian for two wells; every proposal is accepted."""
    edg = EDG(DoubleWell(n_dims=1, barrier=1.5, tilt=0.4), **TINY_MIXTURE | {"n_components": 1})
    check_chain(edg)
    monkeypatch.setattr(
        weights_chain, "accepted_indices", lambda w, rng: np.tile(np.arange(w.shape[1]), (len(w), 1))
    )
    assert_off(*chain_of(edg)[1], least=15.0, max_err=0.2)
