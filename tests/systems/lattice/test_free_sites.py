# SPDX-License-Identifier: MIT
"""Independent draws of free spins and of single sites, against their densities."""

import numpy as np
import pytest
import scipy.stats

import lattices
from edgphys.systems import Ising, Phi4
from edgphys.systems.lattice.free_sites import draw_fields, draw_spins

N = 40_000
# Free, quartic alone, two wells, deep wells.
SITES = [(0.7, 0.0), (0.0, 8.0), (-1.0, 1.0), (-6.0, 1.5)]


def p_value(quadratic, quartic, fields):
    """Of the Kolmogorov-Smirnov test, with the law summed on a grid."""
    x = np.linspace(-6.0, 6.0, 20_001)
    law = np.cumsum(np.exp(-quadratic * x**2 - quartic * x**4))
    return scipy.stats.kstest(fields, lambda y: np.interp(y, x, law / law[-1])).pvalue


@pytest.mark.statistical
@pytest.mark.parametrize("quadratic, quartic", SITES)
def test_fields_have_the_density_of_a_site(quadratic, quartic):
    fields = draw_fields(quadratic, quartic, (N,), np.random.default_rng(1))
    assert p_value(quadratic, quartic, fields) > 1e-4 / len(SITES)
    assert p_value(quadratic, quartic, 1.1 * fields) < 1e-4


@pytest.mark.statistical
@pytest.mark.parametrize("local_field", [-0.3, 0.0, 2.0])
def test_spins_have_the_magnetization_of_the_field(local_field):
    mean = draw_spins(local_field, (N,), np.random.default_rng(2)).mean()
    error = 1.0 / (np.cosh(local_field) * np.sqrt(N))
    assert abs(mean - np.tanh(local_field)) < 4.2 * error
    assert abs(mean - np.tanh(local_field + 0.1)) > 3.0 * error


@pytest.mark.parametrize(
    "system",
    [
        Ising(lattices.build("square", (3, 4)), 2.0, field=0.1),
        Phi4(lattices.build("square", (3, 4)), kappa=0.25, lam=0.5),
        Phi4.from_mass(lattices.build("square", (3, 4)), m2=-4.0, lam=8.0, convention="flow"),
    ],
    ids=repr,
)
def test_reference_says_how_to_draw_from_it(system):
    path = system.reference()
    x = path.draw(7, np.random.default_rng(3))
    assert x.shape == (7, 12) and np.unique(x).size > 1
    assert system.replace(**{path.coupling: path.first}).reference().log_z == path.log_z
