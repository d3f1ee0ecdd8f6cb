# SPDX-License-Identifier: MIT
"""What a system sees of configurations at other couplings is what it measures there, linear or not."""

from __future__ import annotations

import numpy as np
import pytest

import edgphys as ep
import lattices
from edgphys.estimators.curves.measured import Measured

SQUARE = lattices.build("square", (4, 4))
MASS = ep.Phi4.from_mass(SQUARE, m2=-4.0, lam=5.0, convention="flow")
CASES = {
    "ising temperature": (ep.Ising(SQUARE, temperature=2.0, field=0.1), "temperature", (1.5, 3.0), True),
    "ising field": (ep.Ising(SQUARE, temperature=2.0), "field", (0.0, 0.5), True),
    "phi4 kappa": (ep.Phi4(SQUARE, kappa=0.2, lam=0.1), "kappa", (0.1, 0.3), True),
    "phi4 lam": (ep.Phi4(SQUARE, kappa=0.2, lam=0.1), "lam", (0.02, 0.5), True),
    "phi4 m2": (MASS, "m2", (-5.0, -3.0), True),
    "double well temperature": (ep.DoubleWell(), "temperature", (0.5, 2.0), True),
    "double well barrier": (ep.DoubleWell(), "barrier", (2.0, 4.0), False),
    "particles": (ep.LennardJones(3), "temperature", (0.5, 2.0), True),
}


@pytest.mark.parametrize("case", CASES)
def test_each_coupling_sees_its_own_energy_and_observables(case):
    system, name, (low, high), is_linear = CASES[case]
    systems = [system.replace(**{name: value}) for value in np.linspace(low, high, 5)]
    configurations = systems[2].random_configurations(100, np.random.default_rng(1))
    measured = Measured(configurations, systems)
    assert measured.is_linear == is_linear
    for at in (systems[1], systems[3]):
        seen, own = measured.at(at), at.measure(configurations)
        assert set(seen.data_vars) == {*own, "reduced_energy"} and seen.attrs == at.attrs()
        for key, column in own.items():
            np.testing.assert_allclose(seen[key], column, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(seen["reduced_energy"], at.beta * own["energy"], rtol=1e-9, atol=1e-9)
