# SPDX-License-Identifier: MIT
"""Swendsen-Wang by enumeration, and the correlation function from its definition."""

from __future__ import annotations

import numpy as np
from numba import njit

from helpers.chains import all_spins, boltzmann, subsets, widened
from helpers.stats import assert_off, assert_z

__all__ = [
    "all_signs",
    "assert_mean",
    "assert_mean_off",
    "correlation_by_rolls",
    "exact_correlation",
    "swendsen_wang_matrix",
    "transition_counts",
]


def swendsen_wang_matrix(system):
    """Transition matrix of one sweep: the sum over sets of active bonds and over the signs of clusters."""
    n, bonds, p = system.n_sites, system.lattice.bonds, system.parameters
    follow = 1 - np.exp(-2 * system.beta * abs(p["coupling"]))
    matrix = np.zeros((2**n, 2**n))
    for state, spins in enumerate(all_spins(n).astype(int)):
        satisfied = [(i, j) for i, j in bonds if p["coupling"] * spins[i] * spins[j] > 0]
        for choice in subsets(len(satisfied)):
            label = np.arange(n)
            for (i, j), taken in zip(satisfied, choice, strict=True):
                if taken:
                    label[label == label[j]] = label[i]
            outcomes = {state: np.prod([follow if taken else 1 - follow for taken in choice])}
            for c in set(label):
                members = np.flatnonzero(label == c)
                turn = 1 / (1 + np.exp(2 * system.beta * p["field"] * spins[members].sum()))
                mask = sum(1 << int(i) for i in members)
                both = [(s ^ m, w * f) for s, w in outcomes.items() for m, f in ((0, 1 - turn), (mask, turn))]
                outcomes = dict(both)  # all different: the clusters have no site in common
            for end, weight in outcomes.items():
                matrix[state, end] += weight
    return matrix


@njit
def _count(kernel, start, rng, args, n_repeats, counts):
    for _ in range(n_repeats):
        spins = start.copy()
        kernel(spins, rng, *args)
        state = 0
        for i in range(spins.size - 1):
            if spins[i] < 0:
                state |= 1 << i
        counts[state] += 1


def transition_counts(n_sites, kernel, args, n_repeats=20_000):
    """How often a kernel goes from each state to each state, sites in the order of the lattice."""
    rng = np.array([1, 2, 3, 4], np.uint64)
    counts = np.zeros((2**n_sites,) * 2, np.int64)
    for row, spins in zip(counts, all_spins(n_sites), strict=True):
        _count(kernel, np.append(spins, np.int8(0)), rng, args, n_repeats, row)
    return counts


def correlation_by_rolls(fields, n_axes):
    """G(r) of each field, shape (n_batch, *extent, ...), written as rolls."""
    n_distances = min(fields.shape[1 : 1 + n_axes]) // 2 + 1
    rows = []
    for r in range(n_distances):
        products = [fields * np.roll(fields, r, axis=1 + a) for a in range(n_axes)]
        rows.append(np.mean([p.reshape(len(fields), -1).mean(1) for p in products], axis=0))
    return np.array(rows).T


def exact_correlation(system):
    """G(r) from the sum over all states."""
    probability, _ = boltzmann(system)
    fields = all_spins(system.n_sites).reshape(-1, *system.event_shape).astype(float)
    return probability @ correlation_by_rolls(fields, system.lattice.n_axes)


def all_signs(spins, labels):
    """All configurations that signs of the clusters make of one, shape (2**n_clusters, n_sites)."""
    return spins * all_spins(int(labels.max()) + 1)[:, labels]


def assert_mean(of_chains, exact, max_err, *, n_tests):
    """Means of independent chains against an exact value; Student's t turned into a z-score."""
    assert_z(*_mean_err(of_chains, exact, max_err), exact, n_tests=n_tests, max_err=np.inf)


def assert_mean_off(of_chains, exact, max_err, *, least):
    """A control of `assert_mean`: off by at least `least` error bars."""
    assert_off(*_mean_err(of_chains, exact, max_err), exact, least=least, max_err=np.inf)


def _mean_err(of_chains, exact, max_err):
    mean, err = of_chains.mean(), of_chains.std(ddof=1) / np.sqrt(len(of_chains))
    assert 0 < err <= max_err, f"error bar {err:.3g} outside (0, {max_err:.3g}]"
    return mean, widened(mean, err, exact, len(of_chains))
