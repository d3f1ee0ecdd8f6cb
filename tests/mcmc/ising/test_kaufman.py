# SPDX-License-Identifier: MIT
"""Chains near the critical point against Kaufman's finite torus: energy and specific heat within four errors.

L = 16, T = 2.27, with the estimators and errors that users get; what the chains leave invariant is tested
exactly in test_algorithms.py. The seed is stated; the slow test takes ten times the draws.
"""

from __future__ import annotations

import pytest

import lattices
from edgphys.estimators import estimate
from edgphys.exact import kaufman
from edgphys.mcmc import run
from edgphys.systems import Ising

EXTENT, TEMPERATURE, SEED = 16, 2.27, 20_240_102
# Half as much again as the errors of energy (total) and specific heat (per site) that 8 chains of 10,000
# sweeps reach: the tau_int of the energy is 1.5 sweeps for Wolff, 13 for Metropolis.
LARGEST_ERRORS = {"wolff": (0.4, 0.017), "metropolis": (0.9, 0.028)}


def z_scores(algorithm, n_sweeps, shrink=1.0, temperature=TEMPERATURE):
    system = Ising(lattices.build("square", (EXTENT, EXTENT)), temperature)
    estimates = estimate(run(system, algorithm, n_chains=8, n_sweeps=n_sweeps, seed=SEED))
    assert int(estimates["converged"]) == 1
    exact = {
        "energy": kaufman.energy(EXTENT, EXTENT, TEMPERATURE),
        "specific_heat": kaufman.specific_heat(EXTENT, EXTENT, TEMPERATURE),
    }
    for (name, value), largest in zip(exact.items(), LARGEST_ERRORS[algorithm], strict=True):
        err = float(estimates[f"{name}_err"])
        assert 0 < err < shrink * largest, f"{name}: error {err:.3g}"
        yield (float(estimates[name]) - value) / err


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ["wolff", pytest.param("metropolis", marks=pytest.mark.slow)])
def test_energy_and_specific_heat_near_the_critical_point(algorithm):
    assert all(abs(z) < 4.0 for z in z_scores(algorithm, 10_000))


@pytest.mark.statistical
def test_a_temperature_one_percent_off_is_seen():
    assert abs(next(iter(z_scores("wolff", 10_000, temperature=1.01 * TEMPERATURE)))) > 6.0


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ["wolff", "metropolis"])
def test_ten_times_the_draws(algorithm):
    assert all(abs(z) < 4.0 for z in z_scores(algorithm, 100_000, shrink=0.4))
