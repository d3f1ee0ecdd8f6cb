# SPDX-License-Identifier: MIT
"""What the Ising algorithms share: starts, and the observables of a draw measured inside the kernel.

H = -J sum_<ij> s_i s_j - h sum_i s_i, with J the ``coupling`` and h the ``field``; where there are several
of them, one for each bond and one for each site.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import overload

from edgphys.mcmc.core.sampler import AbstractLatticeSampler
from edgphys.mcmc.core.spectrum import keep_configuration, lowest_correlators, staggered_order

__all__ = ["AbstractIsingSampler", "measure_spins"]


class AbstractIsingSampler(AbstractLatticeSampler):
    """An Ising chain: spins +1 and -1, int8."""

    family = "ising"
    columns = ("energy", "magnetization")

    def kept_dtype(self) -> type:
        return np.int8

    def _disordered(self, rng: np.random.Generator) -> np.ndarray:
        return rng.choice(np.array([-1, 1]), self.layout.n_sites)

    def _ordered(self) -> np.ndarray:
        signs = self.system.order_signs
        return np.ones(self.layout.n_sites) if signs is None else np.asarray(signs)

    def _probe(self) -> tuple:
        """The arguments of `measure_spins` that do not change."""
        layout, system = self.layout, self.system
        if system.is_uniform:
            return layout.order, layout.bonds, system.coupling, system.field, self._wave_probe()
        bonds, sites, constant = system.energy_weights
        sites = np.append(sites[layout.order], constant)
        return layout.order, layout.bonds, bonds[layout.bond_order], sites, self._wave_probe()


def _energy(spins, bonds, coupling, field, total):
    """H, with the sum of all spins known; the last of several fields is a constant."""
    raise NotImplementedError  # compiled only, by what couplings are


@overload(_energy, inline="always", jit_options={"fastmath": {"reassoc", "contract"}})
def _typed_energy(spins, bonds, coupling, field, total):
    if isinstance(coupling, types.Array):

        def of_arrays(spins, bonds, coupling, field, total):
            energy = field[field.size - 1]
            for b in range(bonds.shape[0]):
                energy -= coupling[b] * (spins[bonds[b, 0]] * spins[bonds[b, 1]])
            for i in range(field.size - 1):
                energy -= field[i] * spins[i]
            return energy

        return of_arrays

    def of_numbers(spins, bonds, coupling, field, total):
        aligned = 0
        for b in range(bonds.shape[0]):
            aligned += spins[bonds[b, 0]] * spins[bonds[b, 1]]
        return -coupling * aligned - field * total

    return of_numbers


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # sums of finite numbers: reordering is safe
def measure_spins(spins, probe, row, kept):
    """Energy, magnetization per site, correlators and what is staggered into `row`; the spins into `kept`.

    `kept` has length n_sites, or 0 to keep nothing.
    """
    order, bonds, coupling, field, ((wave, staggered, end), cosines, sines, signs) = probe
    n_sites = order.size
    total = 0
    for i in range(n_sites):
        total += spins[i]
    row[0] = _energy(spins, bonds, coupling, field, total)
    row[1] = total / n_sites
    lowest_correlators(spins, cosines, sines, row[wave:staggered])
    staggered_order(spins, signs, cosines, sines, row[staggered:end])
    keep_configuration(spins, order, kept)
