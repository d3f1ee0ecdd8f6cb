# SPDX-License-Identifier: MIT
"""Exact averages by brute force, and z-scores of Markov chains whose error comes from independent chains."""

from __future__ import annotations

import itertools

import numpy as np
import scipy.stats

from helpers.stats import assert_off, assert_z

__all__ = [
    "all_spins",
    "assert_chains",
    "assert_chains_off",
    "boltzmann",
    "chi_square_p",
    "estimates",
    "phi4_chain_moments",
    "widened",
]


def all_spins(n_sites):
    """All configurations, shape (2**n_sites, n_sites), +1 and -1."""
    bits = np.arange(2**n_sites)[:, None] >> np.arange(n_sites)
    return (1 - 2 * (bits & 1)).astype(np.int8)


def boltzmann(system):
    """Probabilities of `all_spins` from the bonds themselves, not from the system's own energy."""
    spins = all_spins(system.n_sites).astype(float)
    i, j = system.lattice.bonds.T
    energy = -system.parameters["coupling"] * (spins[:, i] * spins[:, j]).sum(1)
    energy -= system.parameters["field"] * spins.sum(1)
    weight = np.exp(-system.beta * (energy - energy.min()))
    return weight / weight.sum(), energy


def estimates(moments, beta, n_sites):
    """Name -> value from averages of the measured variables (and of energy squared)."""
    result = {
        "energy": moments["energy"],
        "specific_heat": beta**2 * (moments["energy_2"] - moments["energy"] ** 2) / n_sites,
        "abs_magnetization": moments["abs_magnetization"],
        "binder_cumulant": 1 - moments["magnetization_4"] / (3 * moments["magnetization_2"] ** 2),
        "magnetization": moments["magnetization"],
    }
    return result | {name: moments[name] for name in ("correlator_min", "phi2") if name in moments}


def widened(estimate, err, exact, n_chains):
    """The error bar that makes Student's t of the few chains a z-score of the same p-value."""
    t = abs(estimate - exact) / err
    z = scipy.stats.norm.isf(scipy.stats.t.sf(t, n_chains - 1))
    return err * max(1.0, t / max(z, 1e-9))


def assert_chains(samples, exact, max_err, *, n_tests):
    """Jackknife over chains against exact values; Student's t for the few chains, turned into a z-score."""
    for triple in _compared(samples, exact, max_err):
        assert_z(*triple, n_tests=n_tests, max_err=np.inf)


def assert_chains_off(samples, exact, max_err, *, least):
    """A control of `assert_chains`: the farthest of the averages is off by at least `least` error bars."""
    triples = list(_compared(samples, exact, max_err))
    assert_off(*max(triples, key=lambda t: abs(t[0] - t[2]) / t[1]), least=least, max_err=np.inf)


def _compared(samples, exact, max_err):
    """Estimate, widened error bar and exact value of every name."""
    means = {
        name: samples[name].mean("draw").values for name in samples.data_vars if name != "configurations"
    }
    means["energy_2"] = (samples["energy"] ** 2).mean("draw").values
    beta, n_sites, n = samples.attrs["beta"], samples.attrs["n_sites"], samples.sizes["chain"]
    full = estimates({name: values.mean() for name, values in means.items()}, beta, n_sites)
    left_out = {name: (values.sum() - values) / (n - 1) for name, values in means.items()}
    replicas = estimates(left_out, beta, n_sites)
    for name, value in exact.items():
        estimate = n * full[name] - (n - 1) * replicas[name].mean()
        err = np.sqrt((n - 1) * replicas[name].var())
        assert 0 < err <= max_err, f"{name}: error bar {err:.3g} outside (0, {max_err:.3g}]"
        yield estimate, widened(estimate, err, value, n), value


def chi_square_p(counts, probabilities):
    """p-value of `counts`, shape (n_rows, n_states), against rows of `probabilities`, all rows together."""
    expected = counts.sum(1, keepdims=True) * probabilities
    assert not counts[probabilities == 0].any(), "a move that the matrix forbids"
    possible = expected > 0
    statistic = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    return scipy.stats.chi2.sf(statistic, possible.sum() - len(counts))


def phi4_chain_moments(n, hop, quadratic, quartic):
    """<S>, specific heat and <phi^2> of a periodic phi^4 chain of n sites, by its transfer matrix on a grid.

    <S> and its variance are derivatives of log Z(t) = log int exp(-t S), taken by central differences.
    """
    grid, step = np.linspace(-7, 7, 281, retstep=True)

    def log_z(t, source=0.0):
        local = np.exp(-0.5 * (t * (quadratic * grid**2 + quartic * grid**4) + source * grid**2))
        matrix = local[:, None] * np.exp(2 * t * hop * np.outer(grid, grid)) * local * step
        values = np.linalg.eigvalsh(matrix)
        return n * np.log(values[-1]) + np.log(((values / values[-1]) ** n).sum())

    d = 1e-3
    energy = -(log_z(1 + d) - log_z(1 - d)) / (2 * d)
    variance = (log_z(1 + d) - 2 * log_z(1.0) + log_z(1 - d)) / d**2
    phi2 = -(log_z(1.0, d) - log_z(1.0, -d)) / (2 * d) / n
    return {"energy": energy, "specific_heat": variance / n, "phi2": phi2}


def subsets(n):
    """All subsets of ``range(n)`` as tuples of 0 and 1."""
    return itertools.product((0, 1), repeat=n)
