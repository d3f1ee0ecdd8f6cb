# SPDX-License-Identifier: MIT
"""Small Ising systems for multi-spin coding, and the rule of each."""

from __future__ import annotations

import lattices
from edgphys.systems import Ising

__all__ = ["CASES", "build", "make_system"]

# (lattice, extent, periodic, temperature, coupling, field, rule)
CASES = {
    "square": ("square", (4, 4), True, 2.4, 1.0, 0.0, "metropolis"),
    "square_antiferromagnet": ("square", (4, 4), True, 2.4, -1.0, 0.0, "metropolis"),
    "chain_field": ("chain", (6,), True, 1.2, 1.0, 0.15, "metropolis"),
    "square_heat_bath": ("square", (4, 4), True, 2.4, 1.0, -0.05, "heat_bath"),
    "square_half_open": ("square", (3, 4), (False, True), 2.2, 1.0, 0.0, "metropolis"),
    "chain_double_bond": ("chain", (2,), True, 2.0, 1.0, 0.0, "metropolis"),
    "triangular_frustrated": ("triangular", (3, 3), True, 2.0, -1.0, 0.0, "metropolis"),
    "honeycomb": ("honeycomb", (3, 3), True, 1.6, 1.0, 0.0, "metropolis"),
    "cubic_double_bonds": ("cubic", (2, 2, 3), True, 5.0, 1.0, 0.0, "metropolis"),
}


def make_system(name, extent, pbc=True, temperature=2.0, coupling=1.0, field=0.0):
    lattice = lattices.build(name, extent, pbc, allow_double_bonds=2 in extent)
    return Ising(lattice, temperature, coupling, field)


def build(case):
    *numbers, rule = CASES[case]
    return make_system(*numbers), rule
