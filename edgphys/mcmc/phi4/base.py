# SPDX-License-Identifier: MIT
"""What the phi^4 algorithms share: starts, the observables of a draw, and the local update.

S = -2 hop sum_<ij> phi_i phi_j + sum_i (quadratic phi_i^2 + quartic phi_i^4), weight exp(-S).

The local update proposes phi_i + width * (2 u - 1), u uniform in [0, 1), and accepts with min(1, exp(-dS)).
The width is tuned in the warm-up to an acceptance of one half (Robbins and Monro) and frozen afterwards.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from edgphys.mcmc.core.sampler import ACCEPTED, ATTEMPTED, AbstractLatticeSampler
from edgphys.mcmc.core.spectrum import keep_configuration, lowest_correlator
from edgphys.mcmc.random.xoshiro import advance_words

__all__ = [
    "AbstractPhi4Sampler",
    "accepts",
    "adapt_width",
    "local_sweep",
    "measure_field",
    "unit_interval",
]

_TARGET_ACCEPTANCE = 0.5
_S11, _TO_UNIT = np.uint64(11), 2.0**-53


class AbstractPhi4Sampler(AbstractLatticeSampler):
    """A phi^4 chain: real fields, float64."""

    family = "phi4"
    columns = ("energy", "magnetization", "phi2", "correlator_min")

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
        layout = self.layout
        return layout.order, layout.bonds, layout.cosines, layout.sines, *self._action()


@njit(nogil=True, cache=True, inline="always")
def unit_interval(word):
    """Uniform float64 in [0, 1) of 64 random bits."""
    return (word >> _S11) * _TO_UNIT


@njit(nogil=True, cache=True, inline="always")
def accepts(word, change):
    """Metropolis test of a change of the action by 64 random bits.

    The bound ``1 - x <= exp(-x)`` often spares the exponential; of a decrease it is at least 1.
    """
    u = unit_interval(word)
    return u < 1.0 - change or u < math.exp(-change)


@njit(nogil=True, cache=True)
def local_sweep(phi, rng, counts, neighbours, action, width):
    """One Metropolis update of every site in storage order; the fraction accepted."""
    hop, quadratic, quartic = action
    n_sites, q = neighbours.shape
    s0, s1, s2, s3 = rng[0], rng[1], rng[2], rng[3]
    accepted = 0
    for i in range(n_sites):
        total = 0.0
        for j in range(q):
            total += phi[neighbours[i, j]]
        old = phi[i]
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        new = old + width * (2.0 * unit_interval(word) - 1.0)
        old2, new2 = old * old, new * new
        change = -2.0 * hop * total * (new - old) + (new2 - old2) * (quadratic + quartic * (new2 + old2))
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        if accepts(word, change):
            phi[i] = new
            accepted += 1
    rng[0], rng[1], rng[2], rng[3] = s0, s1, s2, s3
    counts[ATTEMPTED] += n_sites
    counts[ACCEPTED] += accepted
    return accepted / n_sites


@njit(nogil=True, cache=True)
def adapt_width(tuning, accepted_fraction):
    """Robbins-Monro step of the log width, ``tuning[0]``; ``tuning[1]`` counts the steps."""
    tuning[1] += 1.0
    tuning[0] += 2.0 * (accepted_fraction - _TARGET_ACCEPTANCE) / tuning[1] ** 0.6


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # sums of finite numbers: reordering is safe
def measure_field(phi, probe, row, kept):
    """Action, magnetization and phi^2 per site, lowest-momentum correlator into `row`; the field into `kept`.

    `row` has length 4, or 3 on lattices with an open axis; `kept` has length n_sites, or 0 to keep nothing.
    """
    order, bonds, cosines, sines, hop, quadratic, quartic = probe
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
    if cosines.shape[0] > 0:
        row[3] = lowest_correlator(phi, cosines, sines)
    keep_configuration(phi, order, kept)
