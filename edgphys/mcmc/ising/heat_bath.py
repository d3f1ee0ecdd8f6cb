# SPDX-License-Identifier: MIT
"""Single-spin heat bath (Glauber dynamics) for the Ising model.

A visited spin forgets its value and is drawn anew from its law given its neighbours, with the local field
b_i = J sum_j s_j + h:

    p(s_i = +1) = 1 / (1 + exp(-2 beta b_i)).

A draw from a conditional law of exp(-beta H) leaves exp(-beta H) stationary, whatever the order of the
sites; both values have positive probability, so that one sweep leads from any configuration to any other.
Fewer spins flip than in Metropolis, at dE = 0 one half instead of 15 in 16. The outcome does not depend on
the spin before, which is what couplings of chains and comparisons with kinetic theory need.

Orders: ``checkerboard`` (colour after colour, the default and the fast one) and ``random`` (each update
picks a site).

References
----------
Glauber, J. Math. Phys. 4, 294 (1963), doi:10.1063/1.1703954.
"""

from __future__ import annotations

import numpy as np

from edgphys.mcmc.ising.bits.packed import HEAT_BATH
from edgphys.mcmc.ising.flip_probabilities import logistic
from edgphys.mcmc.ising.local import AbstractIsingLocal

__all__ = ["IsingHeatBath"]


class IsingHeatBath(AbstractIsingLocal):
    """Local updates; any lattice, coupling and field.

    Options: ``order``, "checkerboard" or "random".
    """

    name = "heat_bath"
    rank = 70
    sweep = "n_sites single-spin draws from the law given the neighbours"

    @staticmethod
    def flip_table(beta: float, coupling: float, field: float, max_coordination: int) -> np.ndarray:
        """1 / (1 + exp(beta dE)) times 2**64; see the base class for the order.

        Examples
        --------
        >>> IsingHeatBath.flip_table(0.5, 1.0, 0.0, 2)[:5] / 2.0**64  # s = -1 and dE = -4, -2, 0, 2, 4
        array([0.88079708, 0.73105858, 0.5       , 0.26894142, 0.11920292])
        """
        alignment = range(-max_coordination, max_coordination + 1)
        costs = [2 * beta * (coupling * n + s * field) for s in (-1, 1) for n in alignment]
        return np.array([logistic(-cost, 64) for cost in costs], dtype=np.uint64)

    def _rule(self) -> int:
        return HEAT_BATH
