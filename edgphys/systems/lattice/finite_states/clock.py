# SPDX-License-Identifier: MIT
r"""Clock model with q states on any lattice: spins of unit length that point to the corners of a polygon.

    H(s) = -J sum_<ij> cos(2 pi (s_i - s_j) / q) - h sum_i cos(2 pi s_i / q),     s_i = 0, ..., q - 1

`energy` is H; J > 0 is ferromagnetic, h favours state 0. J may differ from kind to kind of bond or from bond
to bond, and h from site to site, as those of `edgphys.systems.Ising`.

Order. e(s) = (cos(2 pi s / q), sin(2 pi s / q)); for q = 2 the second component is left out, and state 0 is
the spin +1 of the Ising model with the same J and h. q = 3 is the Potts model with J_Potts = 3 J / 2; q = 4
is two Ising models with J/2 each, side by side; q = infinity the XY model.

References
----------
J. V. Jose, L. P. Kadanoff, S. Kirkpatrick, D. R. Nelson, Phys. Rev. B 16, 1217 (1977),
doi:10.1103/PhysRevB.16.1217. M. Suzuki, Prog. Theor. Phys. 37, 770 (1967) (q = 4).
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

__all__ = ["Clock"]

_ENERGY = "H = -J sum_<ij> cos(2 pi (s_i - s_j)/q) - h sum_i cos(2 pi s_i/q)"
_ORDER = {
    "magnetization": "sum_i cos(2 pi s_i/q) / n_sites per draw; average; dimensionless",
    "abs_magnetization": "|m| = |sum_i exp(2 pi i s_i/q)| / n_sites per draw; average; dimensionless",
}


def _cosines(q: int) -> NDArray[np.float64]:
    """cos(2 pi s / q), shape (q,), the same at s and q - s, and exactly 0 and 1 where it is."""
    steps = np.arange(q)
    values = np.cos(2.0 * np.pi * np.minimum(steps, q - steps) / q)
    return np.where(4 * steps % (2 * q) == q, 0.0, np.where(2 * steps == q, -1.0, values))


@final
class Clock(AbstractCoupledStates):
    """Clock model; see the module docstring for signs and formulae.

    Parameters
    ----------
    lattice : Lattice
        Any lattice, any boundary conditions.
    temperature : float
        Positive, in the units of `coupling` (k_B = 1).
    q : int
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
    >>> system = Clock(lattices.build("square", (4, 4)), temperature=1.0, q=6)
    >>> float(system.energy(np.zeros((1, 4, 4)))[0]), system.symmetries
    (-32.0, ('translation', 'point_group', 'dihedral', 'z2'))
    """

    name = "clock"
    record: ClassVar[SystemRecord | None] = SystemRecord(
        energy=_ENERGY,
        parameters=(
            Parameter("temperature", "in units of J (k_B = 1)"),
            Parameter("q", "number of states"),
            COUPLING,
            Parameter("field", "h, along state 0; one, or by site", 0.0, takes_several=True),
        ),
        lattices="any lattice, periodic or open",
        exact=EXACT,
        title="clock model",
    )

    def __init__(
        self,
        lattice: Lattice,
        temperature: float,
        q: int,
        coupling: Any = 1.0,
        field: Any = 0.0,
        strength: float = 1.0,
    ) -> None:
        self._set_parameters(lattice, temperature, q, coupling, field, strength)
        cosines, steps = _cosines(self.q), np.arange(self.q)
        self._set_tables(-cosines[(steps[:, None] - steps) % self.q], -cosines)

    @functools.cached_property
    def order_vectors(self) -> NDArray[np.float64]:  # pyright: ignore[reportIncompatibleVariableOverride]
        cosines = _cosines(self.q)
        if self.q == 2:
            return cosines[:, None]
        return np.stack([cosines, np.sin(2.0 * np.pi * np.arange(self.q) / self.q)], axis=1)

    @property
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""
        return {**super().definitions, "energy": f"{_ENERGY}, total; units of J; average <H>", **_ORDER}
