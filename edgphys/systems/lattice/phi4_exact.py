# SPDX-License-Identifier: MIT
"""What is exactly known of lattice phi^4, and which calculation of `edgphys.exact` gives it.

gaussian     the free field (quartic = 0): any torus, other lattices of up to 4096 sites
transfer     the ring, from its transfer operator
free sites   without hopping, any lattice

The staggered order of hop < 0 is that of hop > 0, to which s_x -> s_x eps_x leads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgphys.errors import NotExactError
from edgphys.formulas import exact_entropy
from edgphys.observables import STAGGERED

if TYPE_CHECKING:
    from edgphys.systems.lattice.phi4 import Phi4

__all__ = ["exact_names", "exact_values"]

# Largest size that the exact package diagonalises as a dense matrix.
_LARGEST_DENSE = 4096
_NAMES = (
    "log_z",
    "free_energy",
    "energy",
    "entropy",
    "specific_heat",
    "magnetization",
    "susceptibility",
    "binder_cumulant",
    "correlation_length",
    "phi2",
)


def exact_names(system: Phi4) -> tuple[str, ...]:
    """Names of the estimates known exactly."""
    calculate, more = _calculation(system)
    if calculate is None:
        return ()
    periodic = all(system.lattice.pbc)
    names = (*_NAMES, *more)
    if system.antiferromagnetic:
        names += tuple(name for name in STAGGERED if name.removeprefix("staggered_") in names)
    return tuple(name for name in names if periodic or not name.endswith("correlation_length"))


def exact_values(system: Phi4) -> dict[str, float]:
    """Their values, by name; an empty dict where nothing is known."""
    calculate, _ = _calculation(system)
    results = {} if calculate is None else calculate(system, system.hop)
    if results:
        results["entropy"] = exact_entropy(results["log_z"], results["energy"])
    if calculate is not None and system.antiferromagnetic:
        results |= {f"staggered_{name}": value for name, value in calculate(system, -system.hop).items()}
    return {name: float(results[name]) for name in exact_names(system)}


def _calculation(system: Phi4) -> tuple[Callable[[Phi4, float], dict] | None, tuple[str, ...]]:
    """The calculation for this instance, and what only it gives."""
    periodic = all(system.lattice.pbc)
    if system.quartic == 0.0:
        known = periodic or system.n_sites <= _LARGEST_DENSE
        return (_gaussian if known else None), ("abs_magnetization",)
    if system.hop == 0.0:
        return _free_sites, ()
    ring = periodic and len(system.lattice.extent) == 1
    return (_transfer if ring else None), ()


# The exact package is imported where it is used: it brings numba, which training and sampling do without.


def _gaussian(system: Phi4, hop: float) -> dict[str, float]:
    from edgphys.exact import gaussian

    return gaussian.free_field(system.lattice, hop, system.quadratic)


def _transfer(system: Phi4, hop: float) -> dict[str, float]:
    from edgphys.exact import transfer

    try:
        return transfer.phi4_chain(system.n_sites, hop, system.quadratic, system.quartic)
    except NotExactError as error:  # it speaks of its own names for the couplings
        raise NotExactError("the transfer operator of the ring needs too fine a grid of the field") from error


def _free_sites(system: Phi4, hop: float) -> dict[str, float]:
    from edgphys.exact import free_sites

    return free_sites.free_fields(system.n_sites, system.quadratic, system.quartic)
