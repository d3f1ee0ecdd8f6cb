# SPDX-License-Identifier: MIT
"""Which law serves the sites of a system, by its family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgphys.edg.refinement.law import AbstractLaw
from edgphys.edg.refinement.quartic_law import QuarticLaw, field_size
from edgphys.edg.refinement.spin_law import SpinLaw
from edgphys.edg.targets.base import partial_sums
from edgphys.errors import UnknownNameError
from edgphys.systems import Phi4
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice.base import AbstractLatticeSystem
from edgphys.systems.lattice.ising import AbstractIsing

__all__ = ["common_form", "has_law", "law_of"]


def _spin_law(system: AbstractIsing, with_field: bool | None) -> SpinLaw:
    return SpinLaw(system.beta * system.coefficients[0], system.beta * system.coefficients[1], with_field)


def _quartic_law(system: Phi4, size: tuple[float, float] | None) -> QuarticLaw:
    return QuarticLaw(system.quadratic, system.quartic, system.hop, _degree(system), size=size)


def _largest(systems: Sequence[Phi4]) -> tuple[float, float]:
    sizes = [field_size(one.quadratic, one.quartic, one.hop, _degree(one)) for one in systems]
    scale = max(scale for scale, _ in sizes)
    return scale, max(scale * end for scale, end in sizes) / scale


def _degree(system: Phi4) -> int:
    return int(system.lattice.coordination.max())


@dataclass(frozen=True)
class _Kind:
    """How laws of a family are made, and the form that serves several of its systems."""

    law: Callable[[Any, Any], AbstractLaw]
    common_form: Callable[[Any], Any]
    needs: frozenset[str]


_LAWS = {
    "ising": _Kind(
        _spin_law, lambda systems: any(one.site_fields.any() for one in systems), frozenset({"cells"})
    ),
    "phi4": _Kind(_quartic_law, _largest, frozenset({"sites"})),
}


def has_law(system: AbstractSystem) -> bool:
    """Whether there is a law for the sites of `system`: by its family, with the family's own energy.

    One law serves the sites of all cells: couplings may differ by kind of bond, not from cell to cell.
    """
    return system.family in _LAWS and not _LAWS[system.family].needs - set(partial_sums(system))


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
        words = f"system must be of family {' or '.join(_LAWS)}, the same in all cells; got {system!r}"
        raise UnknownNameError(words, "system")
    return _LAWS[system.family].law(system, form)


def common_form(systems: Sequence[AbstractLatticeSystem]) -> Any:
    """What one network can serve at the couplings of all: whether it has an even part, or a scale."""
    return _LAWS[systems[0].family].common_form(systems)
