# SPDX-License-Identifier: MIT
"""Systems of q states with a coupling J and a field h, alike or by bond and site: Potts and clock models."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import temperature_of, whole
from edgphys.systems.lattice.base import check_lattice
from edgphys.systems.lattice.couplings import Couplings, bond_couplings, site_fields, strength_of
from edgphys.systems.lattice.finite_states.base import MOST_STATES, AbstractFiniteStates
from lattices import Lattice

__all__ = ["AbstractCoupledStates"]


class AbstractCoupledStates(AbstractFiniteStates):
    """Declaration of a system of q states in which bonds with J > 0 favour equal states.

    Attributes
    ----------
    q : int
        Number of states.
    coupling : float, dict or list
        J as it was given.
    field : float or list
        h as it was given.
    """

    q: int
    coupling: Any
    field: Any
    _given: tuple[Couplings, Couplings, float]

    def _set_parameters(
        self, lattice: Lattice, temperature: float, q: int, coupling: Any, field: Any, strength: float
    ) -> None:
        """Check and keep the arguments of the constructor."""
        self.lattice = check_lattice(lattice)
        self.temperature = temperature_of(temperature)
        self.q = whole(q, "q", 2, MOST_STATES)
        couplings, fields = bond_couplings(lattice, coupling), site_fields(lattice, field)
        self.coupling, self.field = couplings.given, fields.given
        self.parameters = {
            **{"temperature": self.temperature, "q": self.q},
            **{"coupling": self.coupling, "field": self.field},
        }
        strength = strength_of(couplings, strength)
        if not couplings.is_number:
            self.parameters["strength"] = strength
        self._given = couplings, fields, strength

    def _set_tables(self, bond: NDArray[np.float64], site: NDArray[np.float64]) -> None:
        """Energies of a bond with J = 1 and of a site with h = 1."""
        self._set_energy(bond, site, *self._given)

    @property
    def antiferromagnetic(self) -> bool:
        """Whether all neighbours prefer different states, on a lattice of two sublattices."""
        couplings = self.bond_couplings
        none_positive = bool(couplings.any()) and not bool((couplings > 0.0).any())
        return none_positive and self.lattice.bipartition is not None

    @property
    def sublattices_alike(self) -> bool:
        return self.is_uniform and super().sublattices_alike

    @property
    def conditions(self) -> tuple[str, ...]:
        """A model may be conditioned on temperature and field; J only sets the unit of energy."""
        return ("temperature", "field") if isinstance(self.field, float) else ("temperature",)
