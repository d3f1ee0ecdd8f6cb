# SPDX-License-Identifier: MIT
"""What the phi^4 algorithms share: starts, and the observables of a draw measured inside the kernel.

S = -2 hop sum_<ij> phi_i phi_j + sum_i (quadratic phi_i^2 + quartic phi_i^4), weight exp(-S).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.core.sampler import AbstractLatticeSampler
from edgphys.mcmc.core.spectrum import keep_configuration, lowest_correlators, staggered_order

__all__ = ["AbstractPhi4Sampler", "measure_field"]


class AbstractPhi4Sampler(AbstractLatticeSampler):
    """A phi^4 chain: real fields, float64."""

    family = "phi4"
    columns = ("energy", "magnetization", "phi2")

    def _action(self) -> tuple[float, float, float]:
        return float(self.system.hop), float(self.system.quadratic), float(self.system.quartic)

    def _amplitude(self) -> float:
        """Typical |phi|: the minimum of the action of uniform fields, or the width of one free site."""
        hop, quadratic, quartic = self._action()
        coordination = 2 * len(self.layout.bonds) / self.layout.n_sites
        uniform_part = quadratic - abs(hop) * coordination
        if uniform_part < 0 < quartic:
            return math.sqrt(-uniform_part / (2 * quartic))
        # Bounded away from 0: on an open or frustrated free lattice the true lowest mode lies above this
        # estimate.
        return 1 / math.sqrt(2 * max(uniform_part, 0.05 * abs(quadratic)) + math.sqrt(12 * quartic))

    def _disordered(self, rng: np.random.Generator) -> np.ndarray:
        return self._amplitude() * rng.standard_normal(self.layout.n_sites)

    def _ordered(self) -> np.ndarray:
        lattice = self.system.lattice
        signs = np.ones(self.layout.n_sites)
        if self.system.hop < 0 and lattice.bipartition is not None:
            signs = np.asarray(lattice.bipartition, np.float64)
        return self._amplitude() * signs

    def _probe(self) -> tuple:
        """The arguments of `measure_field` that do not change."""
        return self.layout.order, self.layout.bonds, self._wave_probe(), *self._action()


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # sums of finite numbers: reordering is safe
def measure_field(phi, probe, row, kept):
    """Action, magnetization, phi^2 per site, correlators, what is staggered into `row`; phi into `kept`.

    `kept` has length n_sites, or 0 to keep nothing.
    """
    order, bonds, ((wave, staggered, end), cosines, sines, signs), hop, quadratic, quartic = probe
    n_sites = order.size
    links, sum1, sum2, sum4 = 0.0, 0.0, 0.0, 0.0
    for b in range(bonds.shape[0]):
        links += phi[bonds[b, 0]] * phi[bonds[b, 1]]
    for i in range(n_sites):
        square = phi[i] * phi[i]
        sum1 += phi[i]
        sum2 += square
        sum4 += square * square
    row[0] = -2.0 * hop * links + quadratic * sum2 + quartic * sum4
    row[1] = sum1 / n_sites
    row[2] = sum2 / n_sites
    lowest_correlators(phi, cosines, sines, row[wave:staggered])
    staggered_order(phi, signs, cosines, sines, row[staggered:end])
    keep_configuration(phi, order, kept)
