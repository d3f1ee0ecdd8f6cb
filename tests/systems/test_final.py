# SPDX-License-Identifier: MIT
"""What ships is final: no class derives from it, nothing of it is replaced; abstract classes are for that."""

import pytest
from helpers.own_systems import BlumeCapel, opened

import edgphys as ep
import lattices
from edgphys import systems
from edgphys.systems.registry import SYSTEMS

BASES = {"lattice": "AbstractLatticeSystem", "continuous": "AbstractContinuousSystem"}
BASES |= {"particles": "AbstractParticleSystem"}


@pytest.mark.parametrize("kind", [*SYSTEMS, ep.Potential, ep.PairPotential])
def test_a_class_that_ships_has_no_subclass(kind):
    base = BASES[kind.geometry]
    with pytest.raises(TypeError, match=rf"{kind.__name__} is final.* from {base} of .*, got class Glass"):
        type("Glass", (kind,), {"_energy": lambda self, flat: flat.sum(1)})
    assert getattr(systems, base)


def test_classes_of_ones_own_have_subclasses():
    class Mine(BlumeCapel):
        name = "mine"

    with opened(ep.Ising):
        assert type("Glass", (ep.Ising,), {}).name == "ising"  # the control: it is the mark that refuses
    assert Mine(lattices.build("chain", (4,))).name == "mine"


def test_nothing_of_a_final_system_is_replaced():
    ising = ep.Ising(lattices.build("chain", (4,)), temperature=2.0)
    for name in ("temperature", "coupling", "lattice", "parameters"):
        with pytest.raises(AttributeError, match=f"{name} of Ising is fixed; replace gives a changed copy"):
            setattr(ising, name, 1.0)
    for name in ("_energy", "reduced_energy", "exact_results"):
        with pytest.raises(AttributeError, match=f"{name} of Ising is fixed; derive a class of one's own"):
            setattr(ising, name, lambda x: x.sum(1))
    own = BlumeCapel(ising.lattice)
    own.splitting = 0.1
    assert (ising.temperature, own.splitting) == (2.0, 0.1)
