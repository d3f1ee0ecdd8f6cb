# SPDX-License-Identifier: MIT
"""Correlations of numbers of states are those of their vectors: two states as Ising spins."""

from __future__ import annotations

import numpy as np
import pytest

import lattices
from edgphys.estimators import correlations, structure_factor
from edgphys.estimators.profiles.order_components import order_components
from edgphys.mcmc import run
from edgphys.systems import Clock, Ising, Potts

SQUARE = lattices.build("square", (4, 4))


def as_ising(samples):
    spins = samples.assign(configurations=1 - 2 * samples["configurations"])
    spins.attrs = {name: value for name, value in samples.attrs.items() if name != "order_vectors"}
    return spins


@pytest.mark.parametrize("field", [0.0, 0.3])
@pytest.mark.parametrize("make", [Potts, Clock])
def test_two_states_have_the_correlations_of_ising_spins(make, field):
    samples = run(make(SQUARE, 2.0, 2, field=field), "heat_bath", n_chains=2, n_sweeps=40, seed=1, keep=True)
    spins = as_ising(samples)
    for measure in (
        correlations,
        lambda s: correlations(s, "axis"),
        lambda s: structure_factor(s, [0.0, 0.0]),
    ):
        ours, expected = measure(samples), measure(spins)
        for name in set(expected) & {"correlation", "connected", "structure_factor", "correlation_err"}:
            np.testing.assert_allclose(ours[name], expected[name], atol=1e-12, err_msg=name)
    assert set(Ising(SQUARE, 2.0).attrs()) == set(spins.attrs) & set(Ising(SQUARE, 2.0).attrs())


def test_scalar_products_are_those_of_the_system():
    for system in (Potts(SQUARE, 1.0, 4), Clock(SQUARE, 1.0, 5)):
        fields = np.array(list(order_components(np.arange(system.n_states), system.attrs())))
        vectors = system.order_vectors
        np.testing.assert_allclose(fields.T @ fields, vectors @ vectors.T, atol=1e-12)
    samples = run(Potts(SQUARE, 1.0, 3), "heat_bath", n_chains=2, n_sweeps=40, seed=1, keep=True)
    zero = structure_factor(samples, [0.0, 0.0])["structure_factor"]
    assert float(zero) == pytest.approx(float(samples["correlator_zero"].mean()), rel=1e-12)
