# SPDX-License-Identifier: MIT
"""Lattices: which graph, which site numbering, which boundary, which symmetry group.

Geometry only, no physics.

    lattice = lattices.build("square", (16, 16))
    lattice = lattices.build("honeycomb", (6, 6), pbc=(True, False))
    lattice = lattices.build("my_lattice.toml", (8, 8))
    graph = lattices.to_netket(lattice)
    lattice = lattices.from_netket(graph)

Sites are numbered row-major over unit cells, sites within a cell fastest.
"""

from __future__ import annotations

from lattices.build import available, build
from lattices.exchange import from_netket, to_netket
from lattices.lattice import Lattice
from lattices.random_bonds import random_bonds

__all__ = ["Lattice", "available", "build", "from_netket", "random_bonds", "to_netket"]
