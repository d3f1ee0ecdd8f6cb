# SPDX-License-Identifier: MIT
"""What is exactly known of a system of finitely many states, and which calculation gives it.

free sites    no bonds, any lattice             moments of the energy, magnetization, susceptibility
enumeration   up to 2^20 states in all          all estimates, staggered too
frontier      up to 2^19 states of the sites    all but abs_magnetization, binder_cumulant, order_parameter
              between what is summed and what
              is not: strips and narrow tori
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgphys.formulas import exact_entropy

if TYPE_CHECKING:
    from edgphys.systems.lattice.finite_states.base import AbstractFiniteStates

__all__ = ["EXACT", "exact_names", "exact_values"]

# For the records of systems.
EXACT = (
    "all estimates by enumeration up to 2^20 states: 12 sites with q = 3",
    "strips and narrow tori, with any couplings and fields: log_z, moments of the energy, susceptibility and "
    "correlation length (q = 3: up to 10 sites across, tori with rows of up to 5)",
)
_MOMENTS = ("log_z", "free_energy", "energy", "entropy", "specific_heat")
_SECOND = ("magnetization", "susceptibility", "correlation_length")
_ORDER = ("magnetization", "abs_magnetization", "susceptibility", "binder_cumulant", "correlation_length")


def exact_names(system: AbstractFiniteStates) -> tuple[str, ...]:
    """Names of the estimates known exactly."""
    # The exact package is imported where it is used: it brings numba, which sampling does without.
    from edgphys.exact import frontier, states

    if not system.bond_table.any():
        return (*_MOMENTS, "magnetization", "susceptibility")
    known, own = _ORDER, tuple(name for name in system.observables if name in ("order_parameter",))
    if not states.can_enumerate(system.n_sites, system.n_states):
        if not frontier.can_sum(system.lattice, system.n_states):
            return ()
        known, own = _SECOND, ()
    if system.antiferromagnetic:
        known = (*known, *(f"staggered_{name}" for name in known))
    periodic = all(system.lattice.pbc)
    return (
        *_MOMENTS,
        *(name for name in known if periodic or not name.endswith("correlation_length")),
        *own,
    )


def exact_values(system: AbstractFiniteStates) -> dict[str, float]:
    """Their values, by name; an empty dict where nothing is known."""
    from edgphys.exact import frontier, states

    names = exact_names(system)
    if not names:
        return {}
    energy = system.bond_table, system.site_table
    if not system.bond_table.any():
        results = states.free_sites(system.n_sites, system.temperature, energy[1], system.order_vectors)
    else:
        enumerable = states.can_enumerate(system.n_sites, system.n_states)
        calculate = states.enumerated if enumerable else frontier.states
        about = {"staggered": system.antiferromagnetic, "vanishes": "z2" in system.symmetries}
        tables = *energy, system.pair_weights, system.order_vectors
        results = calculate(system.lattice, system.temperature, *tables, **about)
    results["entropy"] = exact_entropy(results["log_z"], results["energy"] / system.temperature)
    return {name: float(results[name]) for name in names}
