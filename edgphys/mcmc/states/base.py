# SPDX-License-Identifier: MIT
"""What the algorithms for finitely many states share: tables, starts, and the observables of a draw.

Configurations are the numbers of the states, int8. The entry beyond the last site, which stands for
neighbours that are not there, holds q, a state without energy: tables over the states of a neighbour have
q + 1 rows.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numba import njit

from edgphys.mcmc.core.sampler import AbstractLatticeSampler, ChainState
from edgphys.mcmc.core.spectrum import keep_configuration
from edgphys.mcmc.random.xoshiro import new_state

__all__ = ["AbstractStatesSampler", "measure_states"]

# Columns of the order parameter before its correlators.
_N_MOMENTS = 5


class AbstractStatesSampler(AbstractLatticeSampler):
    """A chain of a system of finitely many states; one byte for each site."""

    family = "states"
    columns = ("energy",)

    def __init__(self, system, options: dict) -> None:
        super().__init__(system, options)
        self.columns = ("energy", *system.observables)
        self._n_staggered = sum(name.startswith("staggered_") for name in self.columns)

    def leave_out(self, columns: set[str]) -> None:
        """The staggered order, all of it."""
        self.columns = tuple(name for name in self.columns if name not in columns)
        self._n_staggered = sum(name.startswith("staggered_") for name in self.columns)

    def kept_dtype(self) -> type:
        return np.int8

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        """Even chains of independent sites, odd ones in one state, each in another."""
        start_seed, kernel_seed = seed.spawn(2)
        if index % 2 == 0:
            values = self._disordered(np.random.default_rng(start_seed))
        else:
            values = (self._ordered() + index // 2) % self.system.n_states
        return ChainState(self._store(values), new_state(kernel_seed))

    def place(self, state: ChainState, values: np.ndarray) -> None:
        state.configuration = self._store(values)

    def _store(self, values: np.ndarray) -> np.ndarray:
        stored = self.layout.store(values.astype(np.int8))
        stored[-1] = self.system.n_states
        return stored

    def _disordered(self, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(self.system.n_states, size=self.layout.n_sites)

    def _ordered(self) -> np.ndarray:
        return np.zeros(self.layout.n_sites, np.int64)

    def _probe(self) -> tuple:
        """The arguments of `measure_states` that do not change."""
        system, layout = self.system, self.layout
        weights = np.empty(0) if system.pair_weights is None else system.pair_weights[layout.bond_order]
        signs = np.empty(0, np.int64)
        if self._n_staggered:
            signs = np.asarray(system.lattice.bipartition, np.int64)[layout.order]
        tables = weights, system.bond_table, self._site_rows(), np.ascontiguousarray(system.order_vectors)
        return (
            layout.order,
            layout.bonds,
            tables,
            (layout.cosines, layout.sines, signs),
            len(self._correlators),
        )

    def _site_rows(self) -> np.ndarray:
        """Energies of sites in the order of the layout, shape (n_sites, q); (1, q) where all are alike."""
        table = self.system.site_table
        return table[None].copy() if table.ndim == 1 else table[self.layout.order]

    def _weight_kinds(self) -> tuple[np.ndarray, np.ndarray]:
        """Different weights of bonds, and which of them leads to each neighbour."""
        neighbours = self.layout.neighbour_bonds
        weights = self.system.pair_weights
        if weights is None or not len(weights):
            return np.ones(1), np.zeros(neighbours.shape, np.uint32)
        values, kinds = np.unique(weights, return_inverse=True)
        return values, np.append(kinds.ravel(), 0)[neighbours].astype(np.uint32)

    @staticmethod
    def _over_neighbours(tables: Iterable[np.ndarray]) -> np.ndarray:
        """Tables (q, q) over the states of a neighbour and a site, with a row of zeros for no neighbour."""
        return np.stack([np.vstack([table, np.zeros((1, table.shape[1]))]) for table in tables])


@njit(nogil=True, cache=True)
def _order(states, vectors, signs, cosines, sines, out):
    """m_1, |m|, |m|^2, |m|^4, N |m|^2 and correlators of m = sum_x signs_x e(s_x) / N; no signs: all +1."""
    q, n_components = vectors.shape
    n_axes, n_sites = cosines.shape[0], states.size - 1
    sums = np.zeros((1 + 2 * n_axes, q))
    for i in range(n_sites):
        sign = float(signs[i]) if signs.size > 0 else 1.0
        sums[0, states[i]] += sign
        for axis in range(n_axes):
            sums[1 + axis, states[i]] += sign * cosines[axis, i]
            sums[1 + n_axes + axis, states[i]] += sign * sines[axis, i]
    power = np.zeros(1 + 2 * n_axes)
    for c in range(n_components):
        for k in range(power.size):
            amplitude = 0.0
            for s in range(q):
                amplitude += vectors[s, c] * sums[k, s]
            power[k] += amplitude * amplitude
            if k == 0 and c == 0:
                out[0] = amplitude / n_sites
    square = power[0] / float(n_sites) ** 2
    out[1], out[2], out[3], out[4] = np.sqrt(square), square, square * square, n_sites * square
    if out.size > 5:
        out[5] = 0.0
    for axis in range(n_axes):
        of_axis = (power[1 + axis] + power[1 + n_axes + axis]) / n_sites
        out[5] += of_axis / n_axes
        if out.size > 6:
            out[6 + axis] = of_axis


@njit(nogil=True, cache=True)
def measure_states(states, probe, row, kept):
    """Energy, order, staggered order and the share of the most frequent state into `row`; states into `kept`.

    `kept` has length n_sites, or 0 to keep nothing; `row` has as many places as there are columns.
    """
    order, bonds, (weights, bond, sites, vectors), (cosines, sines, signs), n_correlators = probe
    n_sites = order.size
    energy = 0.0
    for b in range(bonds.shape[0]):
        one = bond[states[bonds[b, 0]], states[bonds[b, 1]]]
        energy += weights[b] * one if weights.size > 0 else one
    for i in range(n_sites):
        energy += sites[i if sites.shape[0] > 1 else 0, states[i]]
    row[0] = energy
    end = 1 + _N_MOMENTS + n_correlators
    _order(states, vectors, signs[:0], cosines, sines, row[1:end])
    if signs.size > 0:
        _order(states, vectors, signs, cosines, sines, row[end : 2 * end - 1])
        end = 2 * end - 1
    if row.size > end:
        q, most = vectors.shape[0], 0
        counts = np.zeros(q, np.int64)
        for i in range(n_sites):
            counts[states[i]] += 1
            most = max(most, counts[states[i]])
        row[end] = (q * most / n_sites - 1.0) / (q - 1.0)
    keep_configuration(states, order, kept)
