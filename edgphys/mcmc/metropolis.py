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
from numba import int64, njit, uint64

from edgphys.mcmc.ising_base import AbstractIsingSampler, measure_spins
from edgphys.mcmc.sampler import ACCEPTED, ATTEMPTED, ChainState
from edgphys.mcmc.xoshiro import advance_words, next_word, random_site

__all__ = ["LAZY", "IsingMetropolis", "acceptance_table"]

LAZY = 15 / 16


class IsingMetropolis(AbstractIsingSampler):
    """Local updates; any lattice, coupling and field.

    Options: ``order``, "checkerboard" or "random".
    """

    name = "metropolis"
    sweep = "n_sites attempted single-spin flips"
    defaults = {"order": "checkerboard"}  # noqa: RUF012  (read only)

    def _check_options(self) -> None:
        if self.options["order"] not in ("checkerboard", "random"):
            raise ValueError(f"order must be 'checkerboard' or 'random', got {self.options['order']!r}")

    def _prepare(self) -> None:
        parameters = self.system.parameters
        self._table = acceptance_table(
            self.system.beta, parameters["coupling"], parameters["field"], self.layout.neighbours.shape[1]
        )

    def warm_up(self, state: ChainState, first: int, n_sweeps: int, n_total: int) -> None:
        self.advance(state, {}, n_sweeps, np.empty((1, 3)), np.empty((0, 0), np.int8))

    def freeze(self, states: list[ChainState]) -> dict[str, float]:
        return {}

    def advance(self, state: ChainState, tuned: dict[str, float], thin: int, rows, kept) -> None:
        random_order = self.options["order"] == "random"
        tables = self.layout.neighbours, self._table
        _sample(
            state.configuration,
            state.rng,
            state.counts,
            tables,
            random_order,
            self._probe(),
            thin,
            rows,
            kept,
        )


def acceptance_table(beta: float, coupling: float, field: float, max_coordination: int) -> np.ndarray:
    """Acceptance times 2**64 for each spin and sum of neighbours.

    Returns
    -------
    uint64, shape (2 * (2 q + 1),)
        Entry ``(2 q + 1) * (s + 1) / 2 + s * n + q`` for spin s, sum of neighbours n, largest coordination q.

    Examples
    --------
    >>> acceptance_table(0.5, 1.0, 0.0, 2)[:5] / 2.0**64  # s = -1 and dE = -4, -2, 0, 2, 4
    array([0.9375    , 0.9375    , 0.9375    , 0.34488698, 0.12687683])
    """
    alignment = np.arange(-max_coordination, max_coordination + 1)
    rows = [LAZY * np.exp(np.minimum(0.0, -2 * beta * (coupling * alignment + s * field))) for s in (-1, 1)]
    return (np.concatenate(rows) * 2.0**64).astype(np.uint64)


@njit(nogil=True, cache=True)
def _sweep_in_order(spins, rng, neighbours, table):
    n_sites, q = neighbours.shape
    s0, s1, s2, s3 = rng[0], rng[1], rng[2], rng[3]
    accepted = 0
    for i in range(n_sites):
        spin = int64(spins[i])
        total = int64(0)
        for j in range(q):
            total += spins[neighbours[i, j]]
        entry = uint64((2 * q + 1) * ((spin + 1) >> 1) + spin * total + q)
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        flip = int64(word < table[entry])  # arithmetic in place of a branch that would be mispredicted
        spins[i] = spin * (1 - 2 * flip)
        accepted += flip
    rng[0], rng[1], rng[2], rng[3] = s0, s1, s2, s3
    return accepted


@njit(nogil=True, cache=True)
def _sweep_at_random(spins, rng, neighbours, table):
    n_sites, q = neighbours.shape
    accepted = 0
    for _ in range(n_sites):
        i = random_site(rng, n_sites)
        spin = int64(spins[i])
        total = int64(0)
        for j in range(q):
            total += spins[neighbours[i, j]]
        entry = uint64((2 * q + 1) * ((spin + 1) >> 1) + spin * total + q)
        flip = int64(next_word(rng) < table[entry])
        spins[i] = spin * (1 - 2 * flip)
        accepted += flip
    return accepted


@njit(nogil=True, cache=True)
def _sample(spins, rng, counts, tables, random_order, probe, thin, rows, kept):
    neighbours, table = tables
    for draw in range(rows.shape[0]):
        for _ in range(thin):
            if random_order:
                counts[ACCEPTED] += _sweep_at_random(spins, rng, neighbours, table)
            else:
                counts[ACCEPTED] += _sweep_in_order(spins, rng, neighbours, table)
            counts[ATTEMPTED] += neighbours.shape[0]
        measure_spins(spins, probe, rows[draw], kept[draw] if kept.shape[0] > 0 else kept[:0].ravel())
