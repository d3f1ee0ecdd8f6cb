# SPDX-License-Identifier: MIT
r"""Overrelaxation for rotors: reflections of spins about their local fields, and heat bath.

    S_i  ->  2 (S_i . H_i) H_i / |H_i|^2 - S_i

keeps S_i . H_i, and with it the energy, so that nothing is rejected; it is its own inverse and keeps the area
of the sphere: detailed balance holds. Alone it would stay on a surface of constant energy. A sweep is some
sweeps of reflections and one of heat bath (`edgphys.mcmc.rotors.heat_bath`), which makes the chain ergodic.
Spin waves then travel, and relax in a time that grows as the correlation length rather than as its square.
The number of sweeps of reflections is uniform in ``1 .. 2 n_over - 1``, independent of the spins: a fixed one
would return some spin wave to where it was.

References
----------
Creutz, Phys. Rev. D 36, 515 (1987), doi:10.1103/PhysRevD.36.515.
Gupta, DeLapp, Batrouni, Fox, Baillie and Apostolakis, Phys. Rev. Lett. 61, 1996 (1988),
doi:10.1103/PhysRevLett.61.1996 (XY).
"""

from __future__ import annotations

from numba import njit

from edgphys import _checks
from edgphys.mcmc.core.sampler import ATTEMPTED, ChainState
from edgphys.mcmc.random.xoshiro import uniform
from edgphys.mcmc.rotors.base import AbstractRotorSampler
from edgphys.mcmc.rotors.heat_bath import heat_bath_sweep, local_field
from edgphys.mcmc.rotors.measure import measure_rotors

__all__ = ["RotorOverrelaxation", "reflect_sweep"]


class RotorOverrelaxation(AbstractRotorSampler):
    """Reflections and local draws; any lattice, couplings and field.

    Options: ``n_over``, mean number of sweeps of reflections before each one of heat bath, at least 1.
    """

    name = "overrelaxation"
    rank = 50
    sweep = "n_over sweeps of n_sites reflections on average, then n_sites draws given the neighbours"
    defaults = {"n_over": 4}  # noqa: RUF012  (read only)

    def _check_options(self) -> None:
        _checks.count(self.options["n_over"], "n_over", 1)

    @property
    def updates_per_sweep(self) -> int:
        return self.n_variables * (1 + int(self.options["n_over"]))

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        _sweeps(*self._args(state), n_sweeps)

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        return {}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        _sample(*self._args(state), self._probe(), thin, rows, kept)

    def report(self, states: list[ChainState]) -> dict[str, float]:
        return {}

    def _args(self, state: ChainState) -> tuple:
        return state.configuration, state.rng, state.counts, self._tables, int(self.options["n_over"])


@njit(nogil=True, cache=True)
def reflect_sweep(spins, counts, tables):
    """One reflection of every spin in storage order."""
    n_sites, solid = spins.shape[0] - 1, spins.shape[1] == 3
    for i in range(n_sites):
        x, y, z = local_field(spins, tables, i)
        square = x * x + y * y + z * z
        if square > 0.0:
            along = x * spins[i, 0] + y * spins[i, 1]
            if solid:
                along += z * spins[i, 2]
            along *= 2.0 / square
            spins[i, 0] = along * x - spins[i, 0]
            spins[i, 1] = along * y - spins[i, 1]
            if solid:
                spins[i, 2] = along * z - spins[i, 2]
    counts[ATTEMPTED] += n_sites


@njit(nogil=True, cache=True)
def _cycle(spins, rng, counts, tables, n_over):
    for _ in range(1 + int(uniform(rng) * (2 * n_over - 1))):
        reflect_sweep(spins, counts, tables)
    heat_bath_sweep(spins, rng, counts, tables)


@njit(nogil=True, cache=True)
def _sweeps(spins, rng, counts, tables, n_over, n_sweeps):
    for _ in range(n_sweeps):
        _cycle(spins, rng, counts, tables, n_over)


@njit(nogil=True, cache=True)
def _sample(spins, rng, counts, tables, n_over, probe, thin, rows, kept):
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            _cycle(spins, rng, counts, tables, n_over)
        measure_rotors(spins, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
