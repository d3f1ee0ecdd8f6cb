# SPDX-License-Identifier: MIT
"""Which algorithms serve which systems, and the one ranking by which the best is chosen."""

from __future__ import annotations

import pytest

import lattices
from edgphys.errors import NotExactError, UnknownNameError
from edgphys.mcmc import algorithms, algorithms_for, best_algorithm
from edgphys.systems import DoubleWell, Ising, LennardJones, Phi4

SQUARE = Ising(lattices.build("square", (4, 4)), 2.3)
FRUSTRATED = Ising(lattices.build("triangular", (3, 3)), 2.0, coupling=-1.0)
RING = Phi4(lattices.build("chain", (8,)), 0.3, 0.2)


@pytest.mark.parametrize(
    "system, best",
    [
        (SQUARE, "wolff"),
        (SQUARE.replace(field=0.1), "swendsen_wang"),
        (FRUSTRATED, "metropolis"),
        (RING, "embedded_wolff"),
        (DoubleWell(), "hmc"),
        (LennardJones(3), "hmc"),
    ],
)
def test_best_algorithm(system, best):
    assert best_algorithm(system) == best


def test_the_best_algorithm_serves_all_systems_given():
    in_field, frustrated_free = SQUARE.replace(field=0.1), FRUSTRATED.replace(coupling=1.0)
    assert best_algorithm(SQUARE, in_field) == best_algorithm(in_field, SQUARE) == "swendsen_wang"
    assert best_algorithm(frustrated_free, FRUSTRATED) == "metropolis"
    with pytest.raises(NotExactError, match="algorithm must serve every system given"):
        best_algorithm(SQUARE, DoubleWell().replace(temperature=2.0), RING.replace(kappa=0.1))


def test_ranks_and_names_are_unambiguous():
    """One rank a name, over all families; names differ within a family, since a system is asked by name."""
    ranks = {(c.name, c.rank) for c in algorithms._SAMPLERS}
    assert len({name for name, _ in ranks}) == len({rank for _, rank in ranks}) == len(ranks)
    assert len({(c.family, c.name) for c in algorithms._SAMPLERS}) == len(algorithms._SAMPLERS)


def test_a_new_algorithm_is_one_class_and_one_entry(monkeypatch):
    class Better(algorithms.IsingMetropolis):
        name = "better"
        rank = 0

        @classmethod
        def serves(cls, system):
            return None if system.beta < 1 else f"better needs temperature > 1, got {system.temperature}"

    monkeypatch.setattr(algorithms, "_SAMPLERS", (*algorithms._SAMPLERS, Better))
    assert best_algorithm(SQUARE) == "better"
    assert algorithms_for(SQUARE)[-1] == "better"
    cold = SQUARE.replace(temperature=0.5)
    assert best_algorithm(SQUARE, cold) == "wolff"
    with pytest.raises(NotExactError, match=r"better needs temperature > 1, got 0\.5"):
        algorithms.make_sampler(cold, "better")


def test_an_algorithm_of_another_family_is_refused():
    with pytest.raises(UnknownNameError, match=r"one of metropolis, heat_bath, .* for ising, got 'hmc'"):
        algorithms.make_sampler(SQUARE, "hmc")
