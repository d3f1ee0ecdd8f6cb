# SPDX-License-Identifier: MIT
"""What is exactly known of an Ising model, and which calculation of `edgphys.exact` gives it.

free sites    J = 0, any lattice                                    all estimates
enumeration   any lattice of up to 20 sites                         all estimates, staggered too
transfer      the ring of up to 4096 sites                          all estimates; staggered if h = 0
strips        rows of up to 8 sites (6 if open), 1024 in all        all estimates, staggered if h = 0
frontier      couplings by kind or bond, fields by site: up to 19   all estimates, staggered too
              spins between what is summed and what is not
kaufman       the square torus without field; J < 0 if even         log_z, free_energy, energy, entropy,
                                                                    specific_heat
planar        no field, two axes, no bonds that cross: repeating    the same; refused far below the couplings
              couplings up to 512^2 cells, others up to 16^2 on     where these are frustrated
              a torus, 23^2 if open
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from edgphys.formulas import exact_entropy
from edgphys.observables import STAGGERED
from edgphys.systems.lattice.hopping import is_hypercubic
from lattices import Lattice
from lattices.rows import can_contract

if TYPE_CHECKING:
    from edgphys.systems.lattice.ising import Ising

__all__ = ["exact_names", "exact_values"]

# Largest sizes that the exact package takes.
_ENUMERATED, _LONGEST_RING = 20, 4096
_MOMENTS = ("log_z", "free_energy", "energy", "entropy", "specific_heat")
_ORDER = ("magnetization", "abs_magnetization", "susceptibility", "binder_cumulant", "correlation_length")


def exact_names(system: Ising) -> tuple[str, ...]:
    """Names of the estimates known exactly."""
    calculate, order = _calculation(system)
    if calculate is None:
        return ()
    periodic = all(system.lattice.pbc)
    return (*_MOMENTS, *(name for name in order if periodic or not name.endswith("correlation_length")))


def exact_values(system: Ising) -> dict[str, float]:
    """Their values, by name; an empty dict where nothing is known."""
    calculate, _ = _calculation(system)
    results = {} if calculate is None else calculate(system)
    if results:
        results["entropy"] = exact_entropy(results["log_z"], results["energy"] / system.temperature)
    return {name: float(results[name]) for name in exact_names(system)}


def _calculation(system: Ising) -> tuple[Callable[[Ising], dict] | None, tuple[str, ...]]:
    """The calculation for this instance, and what it gives beyond the moments of the energy."""
    lattice = system.lattice
    if not system.is_uniform:
        return _calculation_of_couplings(system)
    if system.coupling == 0.0:
        return _free_sites, _ORDER
    order = (*_ORDER, *STAGGERED) if system.antiferromagnetic else _ORDER
    if system.n_sites <= _ENUMERATED:
        return _enumeration, order
    n_axes, torus = len(lattice.extent), all(lattice.pbc) and is_hypercubic(lattice)
    if n_axes == 1 and torus:
        known = system.n_sites <= _LONGEST_RING
        return (_transfer if known else None), order if system.field == 0.0 else _ORDER
    # An antiferromagnet is frustrated on an odd torus, where the sign of J cannot be turned.
    if can_contract(lattice):
        return _strip, order if system.field == 0.0 else _ORDER
    if system.field != 0.0:
        return None, ()
    turnable = system.coupling >= 0.0 or not any(length % 2 for length in lattice.extent)
    if torus and n_axes == 2 and turnable:
        return _kaufman, ()
    return (_planar if _is_planar(lattice) else None), ()


def _calculation_of_couplings(system: Ising) -> tuple[Callable[[Ising], dict] | None, tuple[str, ...]]:
    """The same where bonds or sites have couplings of their own."""
    from edgphys.exact import frontier, planar

    order = (*_ORDER, *STAGGERED) if system.antiferromagnetic else _ORDER
    if system.n_sites <= _ENUMERATED:
        return _enumeration_of_couplings, order
    if not frontier.can_sum(system.lattice):
        free = not system.site_fields.any()
        return (_planar if free and planar.can_sum(system.lattice, system.bond_couplings) else None), ()
    if not frontier.has_law(system.lattice):
        order = tuple(name for name in order if not name.endswith(("abs_magnetization", "binder_cumulant")))
    return _frontier, order


@functools.lru_cache(maxsize=64)
def _is_planar(lattice: Lattice) -> bool:
    """Whether `planar` can sum it, all couplings alike."""
    from edgphys.exact import planar

    return planar.can_sum(lattice, np.ones(lattice.n_bonds))


# The exact package is imported where it is used: it brings numba, which training and sampling do without.


def _enumeration(system: Ising) -> dict[str, float]:
    from edgphys.exact import enumeration

    return enumeration.ising(system.lattice, system.temperature, system.coupling, system.field)


def _enumeration_of_couplings(system: Ising) -> dict[str, float]:
    from edgphys.exact import enumeration

    about = system.lattice, system.temperature, system.bond_couplings, system.site_fields
    return enumeration.ising_of_couplings(*about, staggered=system.antiferromagnetic)


def _frontier(system: Ising) -> dict[str, float]:
    from edgphys.exact import frontier

    about = system.lattice, system.temperature, system.bond_couplings, system.site_fields
    return frontier.ising(*about, staggered=system.antiferromagnetic)


def _free_sites(system: Ising) -> dict[str, float]:
    from edgphys.exact import free_sites

    return free_sites.free_spins(system.n_sites, system.temperature, system.field)


def _transfer(system: Ising) -> dict[str, float]:
    from edgphys.exact import transfer

    ring = system.n_sites, system.temperature
    results = transfer.ising_chain(*ring, system.coupling, system.field)
    if not system.antiferromagnetic:
        return results
    # s_x -> s_x eps_x makes a ferromagnet of it: its order is the staggered one here.
    turned = transfer.ising_chain(*ring, -system.coupling)
    return results | {name: turned[name.removeprefix("staggered_")] for name in STAGGERED}


def _strip(system: Ising) -> dict[str, float]:
    from edgphys.exact import strips

    about = system.lattice, system.temperature
    results = strips.ising(*about, system.coupling, system.field)
    if system.antiferromagnetic and system.field == 0.0:
        turned = strips.ising(*about, -system.coupling)
        results |= {
            name: turned[key] for name in STAGGERED if (key := name.removeprefix("staggered_")) in turned
        }
    return results


def _kaufman(system: Ising) -> dict[str, float]:
    from edgphys.exact import kaufman

    lx, ly = system.lattice.extent
    torus = lx, ly, system.temperature, system.coupling
    log_z = kaufman.log_z(*torus)
    results = {"log_z": log_z, "free_energy": -system.temperature * log_z}
    return results | {"energy": kaufman.energy(*torus), "specific_heat": kaufman.specific_heat(*torus)}


def _planar(system: Ising) -> dict[str, float]:
    from edgphys.exact import planar

    return planar.ising(system.lattice, system.temperature, system.bond_couplings)
