# SPDX-License-Identifier: MIT
"""Exact results: plain float64 functions of a few numbers, or of a lattice.

* `kaufman`: Ising on finite square tori: ln Z, energy, specific heat;
* `planar`: Ising without field, any couplings, on lattices whose bonds do not cross, open or periodic;
* `onsager`: Ising on the infinite square lattice, per site;
* `enumeration`: Ising on any lattice up to 20 spins, any field;
* `transfer`: Ising ring, phi^4 ring, small phi^4 tori;
* `gaussian`: free scalar field on any lattice;
* `transverse_chain`: quantum Ising chain in a transverse field, any length and temperature, by free fermions;
* `diagonalisation`: quantum Ising models of up to 10 sites on any lattice;
* `free_sites`: spins and fields without neighbours;
* `strips`: Ising on strips of width 8, in a field, with the law of the magnetization;
* `states`, `frontier`: finitely many states per site on small lattices, and on strips and narrow tori;
* `potts`: T_c of Potts and clock models on the infinite square lattice, and the energy there;
* `rotor_chains`: spins of two and three components on chains; `xy_tori`: XY on narrow tori.
"""

from __future__ import annotations

from edgphys.exact import (
    diagonalisation,
    enumeration,
    free_sites,
    frontier,
    gaussian,
    kaufman,
    onsager,
    planar,
    potts,
    states,
    strips,
    transfer,
    transverse_chain,
)

__all__ = [
    "diagonalisation",
    "enumeration",
    "free_sites",
    "frontier",
    "gaussian",
    "kaufman",
    "onsager",
    "planar",
    "potts",
    "states",
    "strips",
    "transfer",
    "transverse_chain",
]
