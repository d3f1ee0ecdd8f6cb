# SPDX-License-Identifier: MIT
"""Systems: energies on lattices and of continuous coordinates, with what is exactly known about each."""

import edgphys.systems.kernel_cache
import edgphys.systems.plain_systems  # noqa: F401 -- records know systems from here on
from edgphys.systems.base import AbstractSystem
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.continuous.double_well import DoubleWell
from edgphys.systems.continuous.harmonic import Harmonic
from edgphys.systems.continuous.logistic import LogisticRegression
from edgphys.systems.continuous.many_well import ManyWell
from edgphys.systems.continuous.mueller_brown import MuellerBrown
from edgphys.systems.continuous.planar import Planar
from edgphys.systems.continuous.potential import Potential
from edgphys.systems.lattice.base import AbstractLatticeSystem
from edgphys.systems.lattice.finite_states.clock import Clock
from edgphys.systems.lattice.finite_states.potts import Potts
from edgphys.systems.lattice.ising import Ising
from edgphys.systems.lattice.lattice_potential import LatticePotential
from edgphys.systems.lattice.phi4 import Phi4
from edgphys.systems.lattice.relaxation import LatticeOperator
from edgphys.systems.lattice.rotors.heisenberg import Heisenberg
from edgphys.systems.lattice.rotors.xy import XY
from edgphys.systems.lattice.transverse_ising import TransverseIsing
from edgphys.systems.particles.base import AbstractParticleSystem
from edgphys.systems.particles.double_well_particles import DoubleWellParticles
from edgphys.systems.particles.lennard_jones import LennardJones
from edgphys.systems.particles.pair_potential import PairPotential
from edgphys.systems.provenance import sample_attrs
from edgphys.systems.registry import available, build

__all__ = [
    "XY",
    "AbstractContinuousSystem",
    "AbstractLatticeSystem",
    "AbstractParticleSystem",
    "AbstractSystem",
    "Clock",
    "DoubleWell",
    "DoubleWellParticles",
    "Harmonic",
    "Heisenberg",
    "Ising",
    "LatticeOperator",
    "LatticePotential",
    "LennardJones",
    "LogisticRegression",
    "ManyWell",
    "MuellerBrown",
    "PairPotential",
    "Phi4",
    "Planar",
    "Potential",
    "Potts",
    "TransverseIsing",
    "available",
    "build",
    "sample_attrs",
]
