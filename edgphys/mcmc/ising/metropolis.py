# SPDX-License-Identifier: MIT
"""Single-spin-flip Metropolis for the Ising model.

A flip of spin s_i in the field b_i = J sum_j s_j + h costs dE = 2 s_i b_i; it is accepted with probability

    LAZY * min(1, exp(-beta dE)),    LAZY = 15/16.

The factor is a proposal that is made 15 times in 16. Without it, in a fixed order of sites, every dE = 0
flip is certain: on the chain, domain walls then move ballistically and the number of right movers minus left
movers never changes, and at J = h = 0 every spin flips in every sweep. With it each visit of a site may end
either way, so one sweep leads from any configuration to any other (irreducible, aperiodic), in whatever
order the sites come; each visit satisfies detailed balance, so exp(-beta H) is stationary. The price is 1/16
of the flips.

Orders: ``checkerboard`` (colour after colour, the default and the fast one) and ``random`` (each update
picks a site). One sweep is n_sites attempted flips.

The acceptance is compared as a 64-bit integer, so that rare excitations (probability 1e-12 and below) keep
their exact rate.

References
----------
Metropolis et al., J. Chem. Phys. 21, 1087 (1953), doi:10.1063/1.1699114.
Newman and Barkema, Monte Carlo Methods in Statistical Physics, Oxford University Press (1999), ch. 3.
"""

from __future__ import annotations

import numpy as np

from edgphys.mcmc.ising.bits.packed import IN_FIELD, METROPOLIS
from edgphys.mcmc.ising.flip_probabilities import LAZY
from edgphys.mcmc.ising.local import AbstractIsingLocal

__all__ = ["IsingMetropolis"]


class IsingMetropolis(AbstractIsingLocal):
    """Local updates; any lattice, coupling and field.

    Options: ``order``, "checkerboard" or "random".
    """

    name = "metropolis"
    rank = 60

    @staticmethod
    def flip_table(beta: float, coupling: float, field: float, max_coordination: int) -> np.ndarray:
        """LAZY min(1, exp(-beta dE)) times 2**64; see the base class for the order.

        Examples
        --------
        >>> IsingMetropolis.flip_table(0.5, 1.0, 0.0, 2)[:5] / 2.0**64  # s = -1 and dE = -4, -2, 0, 2, 4
        array([0.9375    , 0.9375    , 0.9375    , 0.34488698, 0.12687683])
        """
        alignment = np.arange(-max_coordination, max_coordination + 1)
        rows = [
            LAZY * np.exp(np.minimum(0.0, -2 * beta * (coupling * alignment + s * field))) for s in (-1, 1)
        ]
        return (np.concatenate(rows) * 2.0**64).astype(np.uint64)

    def _rule(self) -> int:
        return METROPOLIS if self.system.field == 0 else IN_FIELD
