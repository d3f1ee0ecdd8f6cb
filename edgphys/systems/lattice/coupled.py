# SPDX-License-Identifier: MIT
"""Systems with a coupling J on every bond and a field h on every site, alike or each of its own.

    E = -J sum_<ij> w_ij a(x_i, x_j) - h sum_i w_i b(x_i)

J and h are the `coefficients`; the weights w are 1 where one number was given for all. Where several were,
these are the weights, and `strength` takes the place of J.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import temperature_of
from edgphys.systems.lattice.base import AbstractLatticeSystem, check_lattice
from edgphys.systems.lattice.couplings import Couplings, bond_couplings, site_fields, strength_of
from edgphys.systems.lattice.hopping import BondSums
from edgphys.systems.records import Parameter
from lattices import Lattice
from lattices.colouring import balancing_signs

__all__ = ["COUPLING", "AbstractCoupledSystem", "AbstractGivenCouplings"]

COUPLING = Parameter(
    "coupling", "J, positive for a ferromagnet; one, by kind or by bond", 1.0, takes_several=True
)


class AbstractGivenCouplings(AbstractLatticeSystem):
    """Declaration of a system that is given a coupling and a field.

    Attributes
    ----------
    coupling : float, dict or list
        J as it was given.
    field : float or list
        h as it was given.
    is_uniform : bool
        Whether both are one number.
    bond_couplings : float64 array, shape (n_bonds,)
        J of each bond.
    """

    coupling: Any
    field: Any
    is_uniform: bool
    bond_couplings: NDArray[np.float64]

    def _set_given(
        self, lattice: Lattice, temperature: float, coupling: Any, field: Any, strength: float, **more: Any
    ) -> tuple[Couplings, Couplings, float]:
        """Check and keep the arguments of the constructor; `more` parameters are checked."""
        self.lattice = check_lattice(lattice)
        self.temperature = temperature_of(temperature)
        couplings, fields = bond_couplings(lattice, coupling), site_fields(lattice, field)
        self.coupling, self.field = couplings.given, fields.given
        of_energy = {"coupling": self.coupling, "field": self.field}
        self.parameters = {"temperature": self.temperature, **more, **of_energy}
        strength = strength_of(couplings, strength)
        if not couplings.is_number:
            self.parameters["strength"] = strength
        return couplings, fields, strength

    @property
    def antiferromagnetic(self) -> bool:
        """Whether all neighbours prefer to differ, on a lattice of two sublattices."""
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


class AbstractCoupledSystem(AbstractGivenCouplings):
    """Declaration of a system with couplings and fields; see the module docstring.

    Parameters
    ----------
    lattice : Lattice
        Any lattice, any boundary conditions.
    temperature : float
        Positive, in the units of `coupling` (k_B = 1).
    coupling : float, dict or array, default 1.0
        J, of either sign: of all bonds; by kind of bond (``{"first": 1.0, "second": -0.5}``, kinds as
        ``lattice.unit_cell.kinds`` names them, 0 for those not named); or of each bond, shape (n_bonds,), in
        the order of ``lattice.bonds``.
    field : float or array, default 0.0
        h, or h of each site, shape (n_sites,).
    strength : float, default 1.0
        Factor of all couplings, where these are a dict or an array: what ladders from free spins change.

    Attributes
    ----------
    one_coupling, one_field : bool
        Whether coupling and field are one number each.
    is_uniform : bool
        Whether both are.
    coefficients : tuple of two floats
        Of the two sums that the energy is made of, up to the sign.
    bond_weights, site_weights : float64 arrays, shapes (n_bonds,) and (n_sites,)
        w_ij and w_i.
    bond_couplings, site_fields : float64 arrays, shapes (n_bonds,) and (n_sites,)
        J of each bond, `strength` included, and h of each site.
    """

    def __init__(
        self,
        lattice: Lattice,
        temperature: float,
        coupling: Any = 1.0,
        field: Any = 0.0,
        strength: float = 1.0,
    ) -> None:
        couplings, fields, strength = self._set_given(lattice, temperature, coupling, field, strength)
        self.one_coupling, self.one_field = couplings.is_number, fields.is_number
        self.is_uniform = self.one_coupling and self.one_field
        self.coefficients = (
            self.coupling if couplings.is_number else strength,
            self.field if fields.is_number else 1.0,
        )
        self.bond_weights = np.ones(lattice.n_bonds) if couplings.is_number else couplings.values
        self.site_weights = np.ones(lattice.n_sites) if fields.is_number else fields.values
        self.bond_couplings = self.coefficients[0] * self.bond_weights
        self.site_fields = self.coefficients[1] * self.site_weights
        self._bonds = BondSums(lattice, None if couplings.is_number else couplings.values)

    @property
    def pair_weights(self) -> NDArray[np.float64] | None:
        return None if self.one_coupling else self.bond_weights

    @property
    def _factor(self) -> str:
        """Name of the parameter that multiplies all bonds."""
        return "coupling" if self.one_coupling else "strength"

    @functools.cached_property
    def _kept(self) -> tuple[str, ...]:
        """What couplings and fields keep of the symmetry of the lattice."""
        return self._kept_by(None if self.is_uniform else (self.bond_weights, self.site_weights))

    @functools.cached_property
    def order_signs(self) -> NDArray[np.int8] | None:
        """Signs of the sites in a ground state without field, int8 (n_sites,); None if a loop is frustrated.

        +1 at the first site of each connected part. A change of variables by these signs makes a ferromagnet
        of the system.
        """
        there = self.bond_weights != 0.0
        negative = self.coefficients[0] * self.bond_weights < 0.0
        return balancing_signs(self.n_sites, self.lattice.bonds[there], negative[there])

    @property
    def constants(self) -> tuple[str, ...]:
        """Without couplings and fields there is no energy."""
        return ("energy",) if not (self.bond_couplings.any() or self.site_fields.any()) else ()

    @property
    def action_coefficients(self) -> NDArray[np.float64]:
        """(-beta J, -beta h), for the terms sum_<ij> w_ij a and sum_i w_i b.

        Where J or h are several, the coefficients are -beta strength and -beta.
        """
        return -self.beta * np.array(self.coefficients)
