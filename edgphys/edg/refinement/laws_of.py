# SPDX-License-Identifier: MIT
"""Which law serves the sites of a system, by its family, and how far.

One law serves the same site of all cells, from coarse to fine, where bonds of one kind have one weight. In
a glass every site needs a law of its own: the autoregressive root has them, and takes all sites but the
exact ones of a lattice that is small enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgphys.edg.refinement.angle_law import AngleLaw
from edgphys.edg.refinement.circle_law import CircleLaw
from edgphys.edg.refinement.law import AbstractLaw
from edgphys.edg.refinement.quartic_law import QuarticLaw, field_size
from edgphys.edg.refinement.sphere_law import SphereLaw
from edgphys.edg.refinement.spin_law import SpinLaw
from edgphys.edg.refinement.states_law import StatesLaw
from edgphys.edg.targets.base import partial_sums
from edgphys.errors import ArgumentValueError, UnknownNameError
from edgphys.systems import Phi4
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice.base import AbstractLatticeSystem
from edgphys.systems.lattice.ising import AbstractIsing

__all__ = [
    "MOST_OF_ONE_LEVEL",
    "are_alike",
    "common_form",
    "field_weights",
    "has_law",
    "law_of",
    "why_no_law",
]

# Sites of a lattice whose couplings or fields differ from cell to cell: each has a network of its own, and
# those that are not exact are drawn one after the other.
MOST_OF_ONE_LEVEL = 256


def _spin_law(system: AbstractIsing, with_field: bool | None) -> SpinLaw:
    pair, field = (system.beta * one for one in system.coefficients)
    if system.one_field:
        return SpinLaw(pair, field, with_field)
    return SpinLaw(pair, 0.0, bool(system.site_fields.any()), ghost=field / pair)


def _quartic_law(system: Phi4, size: tuple[float, float] | None) -> QuarticLaw:
    return QuarticLaw(system.quadratic, system.quartic, system.hop, _degree(system), size=size)


def _states_law(system: Any, form: None) -> StatesLaw:
    return StatesLaw(system.beta, system.bond_table, system.site_table)


def _rotor_law(system: Any, form: tuple[float, bool] | None) -> AngleLaw | SphereLaw:
    strength, with_field = _rotor_form([system]) if form is None else form
    pair, field = system.beta * system.coefficients[0], system.beta * system.field
    kind = AngleLaw if system.n_components == 2 else SphereLaw
    return kind(pair, field, strength, with_field)


def _rotor_form(systems: Sequence[Any]) -> tuple[float, bool]:
    """The largest coupling of a site to its neighbours and the field, and whether there is a field."""
    strengths = [one.beta * (_heaviest(one) * abs(one.coefficients[0]) + abs(one.field)) for one in systems]
    return max(strengths), any(one.field != 0.0 for one in systems)


def _circle_law(system: Any, form: float | None) -> CircleLaw:
    curvature = _steepest([system]) if form is None else form
    return CircleLaw(system.angle_harmonics, system.beta, system.bond_factor, curvature)


def _steepest(systems: Sequence[Any]) -> float:
    """The largest second derivative of the exponent of an angle given its neighbours."""
    return max(
        one.beta * one.angle_harmonics.curvature(_heaviest(one) * abs(one.bond_factor)) for one in systems
    )


def _has_harmonics(system: Any) -> bool:
    return system.angle_harmonics is not None


def _heaviest(system: AbstractLatticeSystem) -> float:
    """Largest sum of the weights of the bonds of a site, without their signs."""
    lattice, weights = system.lattice, system.pair_weights
    size = np.ones(lattice.n_bonds) if weights is None else np.abs(weights)
    sums = np.zeros(lattice.n_sites)
    for ends in lattice.bonds.T:
        np.add.at(sums, ends, size)
    return float(sums.max(initial=0.0))


def _same_tables(systems: Sequence[Any]) -> None:
    """Laws of states serve several temperatures, with one table of energies."""
    first = systems[0]
    for one in systems:
        if not (
            np.array_equal(one.bond_table, first.bond_table)
            and np.array_equal(one.site_table, first.site_table)
        ):
            words = f"temperature alone for {first.name}, whose laws have one table of energies"
            raise ArgumentValueError(f"conditions must be {words}, got a range of others", "conditions")


def _largest(systems: Sequence[Phi4]) -> tuple[float, float]:
    sizes = [field_size(one.quadratic, one.quartic, one.hop, _degree(one)) for one in systems]
    scale = max(scale for scale, _ in sizes)
    return scale, max(scale * end for scale, end in sizes) / scale


def _degree(system: Phi4) -> int:
    return int(system.lattice.coordination.max())


@dataclass(frozen=True)
class _Kind:
    """How laws of a family are made, and the form that serves several of its systems.

    `serves` says whether the sites of a system have a law, `differs` whether only their fields stand in the
    way where they have none; `field_weights` gives those of fields that differ from site to site.
    """

    law: Callable[[Any, Any], AbstractLaw]
    common_form: Callable[[Any], Any]
    serves: Callable[[Any], bool]
    differs: Callable[[Any], bool]
    field_weights: Callable[[Any], NDArray[np.float64] | None] = lambda system: None


def _any_field(systems: Sequence[AbstractIsing]) -> bool:
    return any(one.site_fields.any() for one in systems)


def _declares(partial_sum: str) -> Callable[[Any], bool]:
    return lambda system: partial_sum in partial_sums(system)


def are_alike(system: AbstractLatticeSystem) -> bool:
    """Whether all cells are alike: one field, and bonds of one kind with one weight."""
    if field_weights(system) is not None:
        return False
    weights, kinds = system.pair_weights, system.lattice.bond_kinds
    if weights is None:
        return True
    return all(np.ptp(weights[kinds == kind]) == 0.0 for kind in np.unique(kinds))


def field_weights(system: AbstractLatticeSystem) -> NDArray[np.float64] | None:
    """Weights of the fields of the sites, shape (n_sites,), where they differ and the law takes them."""
    return _LAWS[system.family].field_weights(system)


def _spin_field_weights(system: AbstractIsing) -> NDArray[np.float64] | None:
    return None if system.one_field else system.site_weights


def _serves_spins(system: AbstractIsing) -> bool:
    """A field of each site is told in units of the coupling."""
    return "spins" in partial_sums(system) and (system.one_field or system.coefficients[0] != 0.0)


def _has_one_table(system: Any) -> bool:
    return np.ndim(system.site_table) == 1


def _has_one_field(system: Any) -> bool:
    return np.ndim(system.field) == 0


_LAWS = {
    "ising": _Kind(_spin_law, _any_field, _serves_spins, lambda system: False, _spin_field_weights),
    "phi4": _Kind(_quartic_law, _largest, _declares("sites"), lambda system: False),
    "states": _Kind(_states_law, _same_tables, _has_one_table, lambda system: True),
    "continuous": _Kind(_circle_law, _steepest, _has_harmonics, lambda system: False),
    "rotor": _Kind(_rotor_law, _rotor_form, _has_one_field, lambda system: True),
}


def has_law(system: AbstractSystem) -> bool:
    """Whether there are laws for the sites of `system`: by its family, with the family's own energy.

    Where couplings or fields differ from cell to cell, and not by kind of bond alone, up to 256 sites.
    """
    of_law = _LAWS.get(system.family)
    return of_law is not None and of_law.serves(system) and _is_small_or_alike(system)


def _is_small_or_alike(system: Any) -> bool:
    return system.lattice.n_sites <= MOST_OF_ONE_LEVEL or are_alike(system)


def why_no_law(system: AbstractSystem) -> str:
    """Where a system of a family with laws has none: why, as the end of a sentence; or nothing."""
    of_law = _LAWS.get(system.family)
    if of_law is None:
        return ""
    if of_law.serves(system) and not _is_small_or_alike(system):
        return f", more than {MOST_OF_ONE_LEVEL} whose couplings or fields differ"
    return " whose fields differ from site to site" if of_law.differs(system) else ""


def law_of(system: AbstractLatticeSystem, form: Any = None) -> AbstractLaw:
    """The law of the sites of `system`.

    Parameters
    ----------
    system : AbstractLatticeSystem
    form : optional
        What laws of several couplings have in common, see `common_form`; default: what suits this one.

    Raises
    ------
    UnknownNameError
        If there is none for its family.
    """
    if not has_law(system):
        *most, angles, rotors = _LAWS
        families = f"{', '.join(most)}, {rotors} or {angles} with angles"
        words = f"system must be of family {families}, with one field for all sites; got {system!r}"
        raise UnknownNameError(words, "system")
    return _LAWS[system.family].law(system, form)


def common_form(systems: Sequence[AbstractLatticeSystem]) -> Any:
    """What one network can serve at the couplings of all: whether it has an even part, or a scale."""
    return _LAWS[systems[0].family].common_form(systems)
