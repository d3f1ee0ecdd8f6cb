# SPDX-License-Identifier: MIT
"""Exact results: plain float64 functions of a few numbers, or of a lattice.

* `kaufman`: Ising on finite square tori: ln Z, energy, specific heat;
* `onsager`: Ising on the infinite square lattice, per site;
* `enumeration`: Ising on any lattice up to 20 spins, any field;
* `transfer`: Ising ring, phi^4 ring, small phi^4 tori;
* `gaussian`: free scalar field on any lattice;
* `free_sites`: spins and fields without neighbours;
* `strips`: Ising on strips of width 8, in a field, with the law of the magnetization;
* `states`, `frontier`: finitely many states per site on small lattices, and on strips and narrow tori;
* `potts`: T_c of Potts and clock models on the infinite square lattice, and the energy there;
* `rotor_chains`: spins of two and three components on chains; `xy_tori`: XY on narrow tori.
"""

from __future__ import annotations

from edgphys.exact import (
    enumeration,
    free_sites,
    frontier,
    gaussian,
    kaufman,
    onsager,
    potts,
    states,
    strips,
    transfer,
)

__all__ = [
    "enumeration",
    "free_sites",
    "frontier",
    "gaussian",
    "kaufman",
    "onsager",
    "potts",
    "states",
    "strips",
    "transfer",
]
