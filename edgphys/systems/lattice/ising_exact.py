# SPDX-License-Identifier: MIT
"""What is exactly known of an Ising model, and which calculation of `edgphys.exact` gives it.

enumeration   any lattice of up to 20 sites                         all estimates
transfer      the ring of up to 4096 sites                          all estimates
kaufman       the square torus without field; J < 0 if even         log_z, free_energy, energy, specific_heat
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgphys.systems.lattice.hopping import is_hypercubic

if TYPE_CHECKING:
    from edgphys.systems.lattice.ising import Ising

__all__ = ["exact_names", "exact_values"]

# Largest sizes that the exact package takes.
_ENUMERATED, _LONGEST_RING = 20, 4096
_MOMENTS = ("log_z", "free_energy", "energy", "specific_heat")
_ORDER = ("magnetization", "abs_magnetization", "susceptibility", "binder_cumulant", "correlation_length")


def exact_names(system: Ising) -> tuple[str, ...]:
    """Names of the estimates known exactly."""
    calculate, order = _calculation(system)
    if calculate is None:
        return ()
    periodic = all(system.lattice.pbc)
    return (*_MOMENTS, *(name for name in order if periodic or name != "correlation_length"))


def exact_values(system: Ising) -> dict[str, float]:
    """Their values, by name; an empty dict where nothing is known."""
    calculate, _ = _calculation(system)
    results = {} if calculate is None else calculate(system)
    return {name: float(results[name]) for name in exact_names(system)}


def _calculation(system: Ising) -> tuple[Callable[[Ising], dict] | None, tuple[str, ...]]:
    """The calculation for this instance, and what it gives beyond the moments of the energy."""
    lattice = system.lattice
    if system.n_sites <= _ENUMERATED:
        return _enumeration, _ORDER
    if not (all(lattice.pbc) and is_hypercubic(lattice)):
        return None, ()
    n_axes = len(lattice.extent)
    if n_axes == 1:
        return (_transfer if system.n_sites <= _LONGEST_RING else None), _ORDER
    # An antiferromagnet is frustrated on an odd torus, where the sign of J cannot be turned.
    turnable = system.coupling >= 0.0 or not any(length % 2 for length in lattice.extent)
    return (_kaufman if n_axes == 2 and system.field == 0.0 and turnable else None), ()


# The exact package is imported where it is used: it brings numba, which training and sampling do without.


def _enumeration(system: Ising) -> dict[str, float]:
    from edgphys.exact import enumeration

    return enumeration.ising(system.lattice, system.temperature, system.coupling, system.field)


def _transfer(system: Ising) -> dict[str, float]:
    from edgphys.exact import transfer

    return transfer.ising_chain(system.n_sites, system.temperature, system.coupling, system.field)


def _kaufman(system: Ising) -> dict[str, float]:
    from edgphys.exact import kaufman

    lx, ly = system.lattice.extent
    torus = lx, ly, system.temperature, system.coupling
    log_z = kaufman.log_z(*torus)
    results = {"log_z": log_z, "free_energy": -system.temperature * log_z}
    return results | {"energy": kaufman.energy(*torus), "specific_heat": kaufman.specific_heat(*torus)}
