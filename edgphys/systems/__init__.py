# SPDX-License-Identifier: MIT
"""Systems: energies on lattices and of continuous coordinates, with what is exactly known about each."""

from edgphys.systems.base import AbstractSystem
from edgphys.systems.continuous import AbstractContinuousSystem
from edgphys.systems.double_well import DoubleWell
from edgphys.systems.double_well_particles import DoubleWellParticles
from edgphys.systems.harmonic import Harmonic
from edgphys.systems.ising import Ising
from edgphys.systems.lattice_system import AbstractLatticeSystem
from edgphys.systems.lennard_jones import LennardJones
from edgphys.systems.logistic import LogisticRegression
from edgphys.systems.many_well import ManyWell
from edgphys.systems.mueller_brown import MuellerBrown
from edgphys.systems.phi4 import Phi4
from edgphys.systems.planar import Planar
from edgphys.systems.potential import Potential
from edgphys.systems.provenance import sample_attrs
from edgphys.systems.registry import available, build
from edgphys.systems.relaxation import LatticeOperator

__all__ = [
    "AbstractContinuousSystem",
    "AbstractLatticeSystem",
    "AbstractSystem",
    "DoubleWell",
    "DoubleWellParticles",
    "Harmonic",
    "Ising",
    "LatticeOperator",
    "LennardJones",
    "LogisticRegression",
    "ManyWell",
    "MuellerBrown",
    "Phi4",
    "Planar",
    "Potential",
    "available",
    "build",
    "sample_attrs",
]
