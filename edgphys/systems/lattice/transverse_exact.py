# SPDX-License-Identifier: MIT
"""What is exactly known of a quantum Ising model in a transverse field, without time step.

Free fermions on chains with one coupling, without longitudinal field; else diagonalisation, of few sites.
"""

from __future__ import annotations

from typing import Any

from edgphys.exact import diagonalisation, transverse_chain
from edgphys.formulas import exact_entropy

__all__ = ["exact_names", "exact_values"]

_MOMENTS = ("log_z", "free_energy", "energy", "entropy", "specific_heat", "transverse_magnetization")
_ORDER = ("magnetization", "susceptibility", "equal_time_magnetization_2", "equal_time_magnetization_4")


def exact_names(system: Any) -> tuple[str, ...]:
    """Names of the estimates that are known."""
    if _is_small(system):
        return (*_MOMENTS, *_ORDER)
    return _MOMENTS if _is_free(system) else ()


def exact_values(system: Any) -> dict[str, float]:
    """Their values, by name."""
    results: dict[str, float] = {}
    about = system.temperature, system.field
    if _is_small(system):
        results |= diagonalisation.transverse_ising(
            system.built_on, *about, system.quantum_bonds, system.longitudinal_field
        )
    if _is_free(system):
        lattice = system.built_on
        chain = lattice.n_sites, *about, float(system.quantum_bonds[0])
        results |= transverse_chain.estimates(*chain, ring=all(lattice.pbc))
    if results:
        results["entropy"] = exact_entropy(results["log_z"], system.beta * results["energy"])
    return {name: float(results[name]) for name in exact_names(system)}


def _is_free(system: Any) -> bool:
    """Whether its fermions are free, on a chain with one coupling."""
    lattice = system.built_on
    is_chain = lattice.unit_cell.name == "chain" and lattice.n_sites <= transverse_chain.MOST_SITES
    is_double = lattice.n_sites == 2 and all(lattice.pbc)
    is_one = not system.longitudinal_field and bool((system.quantum_bonds == system.quantum_bonds[0]).all())
    return _is_itself(system) and is_chain and not is_double and is_one


def _is_small(system: Any) -> bool:
    return _is_itself(system) and system.built_on.n_sites <= diagonalisation.MOST_SITES


def _is_itself(system: Any) -> bool:
    return system.coefficients[0] == 1.0
