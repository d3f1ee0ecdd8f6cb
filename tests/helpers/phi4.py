# SPDX-License-Identifier: MIT
"""Independent draws of exp(-S) for small phi^4 systems, and what one sweep does to them."""

from __future__ import annotations

import numpy as np

from edgphys.mcmc.algorithms import make_sampler

__all__ = ["exact_free_fields", "exact_ring_fields", "moved", "stationarity_scores"]


def exact_free_fields(system, n, seed):
    """Free fields by the Cholesky factor of the precision matrix, shape (n, n_sites)."""
    precision = 2 * (system.quadratic * np.eye(system.n_sites) - system.hop * system.lattice.adjacency)
    factor = np.linalg.cholesky(precision)
    normal = np.random.default_rng(seed).standard_normal((system.n_sites, n))
    return np.ascontiguousarray(np.linalg.solve(factor.T, normal).T)


def exact_ring_fields(system, n, seed):
    """Fields of an interacting ring with hop > 0, shape (n, n_sites), by rejection.

    S = sum_i s(phi_i) + hop sum_<ij> (phi_i - phi_j)^2 with s = (quadratic - 2 hop) phi^2 + quartic phi^4:
    sites are drawn from exp(-s) by inversion on a fine grid, the rest is the acceptance probability.
    """
    rng, kept, n_kept = np.random.default_rng(seed), [], 0
    grid = np.linspace(-6, 6, 200_001)
    s = (system.quadratic - 2 * system.hop) * grid**2 + system.quartic * grid**4
    cumulated = np.cumsum(np.exp(s.min() - s))
    while n_kept < n:
        phi = np.interp(rng.random((4 * n, system.n_sites)), cumulated / cumulated[-1], grid)
        bonds = ((phi - np.roll(phi, 1, 1)) ** 2).sum(1)
        kept.append(phi[rng.random(4 * n) < np.exp(-system.hop * bonds)])
        n_kept += len(kept[-1])
    return np.concatenate(kept)[:n]


def moved(system, algorithm, fields, tuned, options=None, seed=0):
    """Each of `fields`, shape (n, n_sites), after one sweep with its own random numbers."""
    sampler = make_sampler(system, algorithm, options)
    after, rows = np.empty((len(fields), 1, system.n_sites)), np.empty((1, sampler.n_columns))
    for i, child in enumerate(np.random.SeedSequence(seed).spawn(len(fields))):
        state = sampler.start(0, child)
        state.configuration = sampler.layout.store(fields[i])
        sampler.advance(state, tuned, 1, rows, after[i])
    return after[:, 0]


def stationarity_scores(system, before, after):
    """z-scores of the mean change of moments, 0 on average if `before` and `after` have one law."""
    values = [_moments(system, fields) for fields in (before, after)]
    changes = {name: values[1][name] - values[0][name] for name in values[0]}
    errors = {name: c.std(ddof=1) / np.sqrt(len(c)) for name, c in changes.items()}
    # What a rule conserves (clusters: |phi|) changes by rounding alone.
    return {name: c.mean() / errors[name] for name, c in changes.items() if np.abs(c).max() > 1e-9}


def _moments(system, fields):
    i, j = system.lattice.bonds.T
    m = fields.mean(1)
    return {
        "links": (fields[:, i] * fields[:, j]).sum(1),
        "phi2": (fields**2).mean(1),
        "phi4": (fields**4).mean(1),
        "m2": m**2,
        "m4": m**4,
        "first_site": fields[:, 0] ** 2,
    }
