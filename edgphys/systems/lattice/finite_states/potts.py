# SPDX-License-Identifier: MIT
r"""Potts model with q states on any lattice.

    H(s) = -J sum_<ij> delta(s_i, s_j) - h sum_i delta(s_i, 0),     s_i = 0, 1, ..., q - 1,     k_B = 1

`energy` is H; J > 0 is ferromagnetic, h favours state 0. J may differ from kind to kind of bond or from bond
to bond, and h from site to site, as those of `edgphys.systems.Ising`.

Order. e(s) are the corners of a simplex, e(s) . e(s') = (q delta(s, s') - 1) / (q - 1), e(0) along the first
axis. With n_k sites in state k,

    |m|^2 = (q sum_k (n_k/N)^2 - 1) / (q - 1),     magnetization = (q n_0/N - 1) / (q - 1)
    order_parameter = (q max_k n_k/N - 1) / (q - 1)

all of them 1 where all sites are alike. For q = 2 state 0 is the spin +1 of an Ising model with coupling J/2
and field h/2 and H = H_Ising - J n_bonds/2 - h N/2; |m| and order_parameter are then the same.

T_c of the square lattice is J / log(1 + sqrt q), see `edgphys.exact.potts`.

References
----------
R. B. Potts, Proc. Camb. Phil. Soc. 48, 106 (1952), doi:10.1017/S0305004100027419. F. Y. Wu, Rev. Mod. Phys.
54, 235 (1982), doi:10.1103/RevModPhys.54.235 (the simplex: eq. 1.4).
"""

from __future__ import annotations

import functools
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from edgphys.systems.lattice.coupled import COUPLING
from edgphys.systems.lattice.finite_states.coupled import AbstractCoupledStates
from edgphys.systems.lattice.finite_states.exact import EXACT
from edgphys.systems.records import Parameter, SystemRecord
from lattices import Lattice

__all__ = ["Potts", "simplex"]

_ENERGY = "H = -J sum_<ij> delta(s_i, s_j) - h sum_i delta(s_i, 0)"
_ORDER = {
    "magnetization": "(q n_0/n_sites - 1) / (q - 1) per draw, n_0 sites in state 0; average; dimensionless",
    "abs_magnetization": "|m| = sqrt((q sum_k (n_k/n_sites)^2 - 1) / (q - 1)) per draw, n_k sites in state "
    "k; average; dimensionless",
    "order_parameter": "(q max_k n_k/n_sites - 1) / (q - 1) per draw; average; dimensionless",
}


def simplex(q: int) -> NDArray[np.float64]:
    """Corners of the simplex, unit vectors, shape (q, q - 1), the first along the first axis.

    Examples
    --------
    >>> simplex(2).tolist(), (simplex(3) @ simplex(3)[0]).round(12).tolist()
    ([[1.0], [-1.0]], [1.0, -0.5, -0.5])
    """
    corners = np.zeros((q, q - 1))
    for k in range(q - 1):
        left = q - 1 - k  # corners after this one
        corners[k, k] = np.sqrt(1.0 - (corners[k, :k] ** 2).sum())
        corners[k + 1 :, k] = -corners[k, k] / left
    return corners


@final
class Potts(AbstractCoupledStates):
    """Potts model; see the module docstring for signs and formulae.

    Parameters
    ----------
    lattice : Lattice
        Any lattice, any boundary conditions.
    temperature : float
        Positive, in the units of `coupling` (k_B = 1).
    q : int, default 3
        Number of states, from 2 to 126.
    coupling : float, dict or array, default 1.0
        J: one number, one for each kind of bond, or one for each bond, as of `edgphys.systems.Ising`.
    field : float or array, default 0.0
        h, or h of each site.
    strength : float, default 1.0
        Factor of all couplings, where these are a dict or an array.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, length or size, or not finite.

    Examples
    --------
    >>> import lattices
    >>> system = Potts(lattices.build("square", (4, 4)), temperature=1.0, q=3)
    >>> float(system.energy(np.zeros((1, 4, 4)))[0]), system.symmetries
    (-32.0, ('translation', 'point_group', 'permutation', 'z2'))
    """

    name = "potts"
    record: ClassVar[SystemRecord | None] = SystemRecord(
        energy=_ENERGY,
        parameters=(
            Parameter("temperature", "in units of J (k_B = 1)"),
            Parameter("q", "number of states", 3),
            COUPLING,
            Parameter("field", "h, of state 0; one, or by site", 0.0, takes_several=True),
        ),
        lattices="any lattice, periodic or open",
        exact=EXACT,
        title="Potts model",
    )

    def __init__(
        self,
        lattice: Lattice,
        temperature: float,
        q: int = 3,
        coupling: Any = 1.0,
        field: Any = 0.0,
        strength: float = 1.0,
    ) -> None:
        self._set_parameters(lattice, temperature, q, coupling, field, strength)
        same = np.eye(self.q)
        self._set_tables(-same, -same[0])

    @functools.cached_property
    def order_vectors(self) -> NDArray[np.float64]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return simplex(self.q)

    @property
    def _stored_vectors(self) -> dict[str, int]:
        return {"simplex": self.q}

    @property
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""
        return {**super().definitions, "energy": f"{_ENERGY}, total; units of J; average <H>", **_ORDER}

    def _measure_more(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        most = np.max([(flat == k).mean(axis=1) for k in range(self.q)], axis=0)
        return {"order_parameter": (self.q * most - 1.0) / (self.q - 1.0)}

    @property
    def _own_names(self) -> tuple[str, ...]:
        return ("order_parameter",)
