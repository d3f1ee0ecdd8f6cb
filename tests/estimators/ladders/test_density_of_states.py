# SPDX-License-Identifier: MIT
"""Numbers of states against enumeration, and a density against its closed form."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.systems import Ising

SYSTEM = Ising(lattices.build("square", (3, 3)), 2.0)


def enumerated():
    spins = 1 - 2 * ((np.arange(512)[:, None] >> np.arange(9)) & 1)
    return np.unique(SYSTEM.measure(spins)["energy"].round(9), return_counts=True)


@pytest.fixture(scope="module")
def ladder():
    values = {"temperature": [2.0, 3.5, 9.0]}
    return ep.mcmc.temper(SYSTEM, values, "heat_bath", n_chains=4, n_sweeps=2000, seed=3, n_threads=1)


@pytest.mark.statistical
def test_numbers_of_states_are_those_of_enumeration(ladder):
    log_z = SYSTEM.exact_results()["log_z"]
    found, (energies, counts) = ep.density_of_states(ladder, log_z_reference=log_z), enumerated()
    dataset.validate(found)
    np.testing.assert_allclose(found["energy"], energies)
    for k, count in enumerate(counts.tolist()):
        one = float(found["log_density"][k]), float(found["log_density_err"][k])
        assert_z(*one, np.log(count), n_tests=len(counts), max_err=0.3)
    k = int(np.argmax(counts))
    wrong = float(found["log_density"][k]), float(found["log_density_err"][k])
    assert_off(*wrong, np.log(counts[k] * 2), least=8.0, max_err=0.1)


def test_other_couplings_and_bins_are_refused(ladder):
    fields = ep.mcmc.temper(SYSTEM, {"field": [0.0, 0.2]}, "heat_bath", n_chains=2, n_sweeps=50, seed=3)
    with pytest.raises(ValueError, match="draws must differ in temperature only, got field"):
        ep.density_of_states(fields)
    assert ep.density_of_states(ladder, [-100.0, -50.0, 50.0])["log_density"].isnull().values.tolist() == [
        True,
        False,
    ]
