# SPDX-License-Identifier: MIT
"""Parameters whose energies leave float64 are refused in the user's names, before anything is computed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import edgphys as ep
import lattices
from edgphys.errors import ArgumentValueError
from edgphys.systems.base import check_energies


def ising(**couplings):
    return ep.Ising(lattices.build("square", (4, 4)), **{"temperature": 1.0} | couplings)


@pytest.mark.parametrize(
    ("system", "call"),
    [
        (lambda: ep.DoubleWell(temperature=1e-300), lambda s: ep.free_energy(s, seed=0)),
        (lambda: ep.MuellerBrown(temperature=1e-300), lambda s: ep.free_energy(s, "ti", seed=0)),
        (lambda: ising(coupling=1e308), lambda s: ep.free_energy(s, seed=0)),
        (lambda: ising(coupling=1e308), lambda s: ep.mcmc.temper(s, {"temperature": [1, 2]}, seed=0)),
        (lambda: ising(coupling=1e308), lambda s: ep.mcmc.anneal(s, 10, seed=0)),
        (lambda: ising(field=1e308), lambda s: ep.mcmc.anneal(s, 10, seed=0)),
        (lambda: ising(temperature=1e-300), lambda s: ep.mcmc.anneal(s, 10, seed=0)),
        (lambda: ep.Phi4(lattices.build("chain", (4,)), 0.1, 1e300), lambda s: ep.free_energy(s, seed=0)),
        (lambda: ep.Phi4(lattices.build("chain", (4,)), 0.1, 1e300), lambda s: ep.mcmc.anneal(s, 10, seed=0)),
    ],
)
def test_energies_beyond_float64_are_refused_by_name(system, call):
    with pytest.raises(ArgumentValueError, match=r"^system must have energies E/T of less than") as caught:
        call(system())
    assert caught.value.argument == "system" and "\n" not in str(caught.value)


def test_ordinary_extreme_and_walled_systems_pass():
    for system in (ising(), ising(temperature=1e-100), ising(temperature=1e300), ep.LennardJones(13)):
        check_energies(system)

    class Walled(ep.systems.AbstractSystem):
        """Most points are in a wall."""

        temperature = 1.0

        def random_configurations(self, n, rng):
            return np.arange(float(n))[:, None]

        def energy(self, x):
            return np.where(x[:, 0] > 0, math.inf, 1.0)

        event_shape = name = parameters = reduced_energy = _energy = None

    check_energies(Walled.__new__(Walled))
