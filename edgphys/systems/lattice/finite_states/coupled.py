# SPDX-License-Identifier: MIT
"""Systems of q states with a coupling J and a field h, alike or by bond and site: Potts and clock models."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import whole
from edgphys.systems.lattice.coupled import AbstractGivenCouplings
from edgphys.systems.lattice.couplings import Couplings
from edgphys.systems.lattice.finite_states.base import MOST_STATES, AbstractFiniteStates
from lattices import Lattice

__all__ = ["AbstractCoupledStates"]


class AbstractCoupledStates(AbstractGivenCouplings, AbstractFiniteStates):
    """Declaration of a system of q states in which bonds with J > 0 favour equal states.

    Attributes
    ----------
    q : int
        Number of states.
    """

    q: int
    _given: tuple[Couplings, Couplings, float]

    def _set_parameters(
        self, lattice: Lattice, temperature: float, q: int, coupling: Any, field: Any, strength: float
    ) -> None:
        """Check and keep the arguments of the constructor."""
        self.q = whole(q, "q", 2, MOST_STATES)
        self._given = self._set_given(lattice, temperature, coupling, field, strength, q=self.q)

    def _set_tables(self, bond: NDArray[np.float64], site: NDArray[np.float64]) -> None:
        """Energies of a bond with J = 1 and of a site with h = 1."""
        self._set_energy(bond, site, *self._given)
