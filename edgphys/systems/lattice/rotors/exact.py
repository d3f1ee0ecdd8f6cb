# SPDX-License-Identifier: MIT
"""What is exactly known of rotors, and which calculation of `edgphys.exact` gives it.

free spins   J = 0, any lattice, fields by site                       moments of the energy, magnetization
chains       open or closed; any couplings without field, uniform     the same; helicity_modulus of the ring
             ones in a uniform field                                  without field
tori         XY on squares of 3 by up to 64, without field, J along   the same, helicity_modulus of each axis
             each axis                                                where the axes differ
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from edgphys.errors import NotExactError
from edgphys.formulas import exact_entropy
from edgphys.systems.lattice.hopping import is_hypercubic

if TYPE_CHECKING:
    from edgphys.systems.lattice.rotors.base import AbstractRotor

__all__ = ["exact_values"]

# Chains that a matrix in a field, or a product over bonds, takes.
_LONGEST = 4096
# Couplings over the temperature up to which the waves are few.
_STRONGEST = {"chains": 300.0, "tori": 1.7}
_NAMES = ("log_z", "free_energy", "energy", "entropy", "specific_heat", "magnetization")


def exact_values(system: AbstractRotor) -> dict[str, float]:
    """Exact values by name; an empty dict where nothing is known."""
    calculate = _calculation(system)
    try:
        results = {} if calculate is None else calculate(system)
    except NotExactError:  # the signs of a frustrated ring
        return {}
    if not results:
        return {}
    results["entropy"] = exact_entropy(results["log_z"], results["energy"] / system.temperature)
    twists = system.rotor_observables.twists
    moduli = [f"helicity_modulus{end}" for end in twists]
    return {name: float(results[name]) for name in (*_NAMES, *moduli) if name in results}


def _calculation(system: AbstractRotor) -> Callable[[AbstractRotor], dict] | None:
    lattice, strongest = system.lattice, system.beta * float(np.abs(system.bond_couplings).max())
    in_field = bool(system.site_fields.any())
    if strongest == 0.0:
        known = system.beta * float(np.abs(system.site_fields).max()) <= _STRONGEST["chains"]
        return _free_spins if known else None
    if not is_hypercubic(lattice):
        return None
    if lattice.n_axes == 1:
        strongest += system.beta * float(np.abs(system.site_fields).max())
        known = lattice.n_sites <= _LONGEST and strongest <= _STRONGEST["chains"]
        alike = np.ptp(system.bond_couplings) == 0.0 and np.ptp(system.site_fields) == 0.0
        return _chain if known and (alike or not in_field) else None
    is_torus = lattice.n_axes == 2 and all(lattice.pbc)
    if not is_torus or in_field or system.n_components != 2 or _axis_couplings(system) is None:
        return None
    narrow = min(lattice.extent) == 3 and max(lattice.extent) <= 64
    unfrustrated = system.order_signs is not None
    return _torus if narrow and unfrustrated and strongest <= _STRONGEST["tori"] else None


def _axis_couplings(system: AbstractRotor) -> tuple[float, float] | None:
    """J along x and y; None if bonds of an axis differ."""
    across = np.abs(system.lattice.bond_displacements[:, 0]) > 0.5
    values = [np.unique(system.bond_couplings[which]) for which in (across, ~across)]
    return None if max(map(len, values)) > 1 else (float(values[0][0]), float(values[1][0]))


# The exact package is imported where it is used: it brings numba, which training and sampling do without.


def _free_spins(system: AbstractRotor) -> dict[str, float]:
    from edgphys.exact import rotor_chains

    return rotor_chains.free(system.n_components, system.temperature, system.site_fields)


def _chain(system: AbstractRotor) -> dict[str, float]:
    from edgphys.exact import rotor_chains

    about = system.n_components, system.temperature, system.bond_couplings, float(system.site_fields[0])
    return rotor_chains.chain(*about, is_ring=all(system.lattice.pbc))


def _torus(system: AbstractRotor) -> dict[str, float]:
    from edgphys.exact import xy_tori

    couplings = _axis_couplings(system)
    assert couplings is not None
    extent = system.lattice.extent
    return xy_tori.torus((extent[0], extent[1]), system.temperature, couplings)
