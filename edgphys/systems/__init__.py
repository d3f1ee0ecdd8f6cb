# SPDX-License-Identifier: MIT
"""Systems: energies on lattices, in torch, with what is exactly known about each."""

from edgphys.systems.base import AbstractSystem
from edgphys.systems.ising import Ising
from edgphys.systems.lattice_system import AbstractLatticeSystem
from edgphys.systems.phi4 import Phi4
from edgphys.systems.provenance import sample_attrs
from edgphys.systems.registry import available, build
from edgphys.systems.relaxation import LatticeOperator

__all__ = [
    "AbstractLatticeSystem",
    "AbstractSystem",
    "Ising",
    "LatticeOperator",
    "Phi4",
    "available",
    "build",
    "sample_attrs",
]
