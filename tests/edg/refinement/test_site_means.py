# SPDX-License-Identifier: MIT
"""Means of sites given all others that are not exact, against enumeration and quadrature.

The identity that training rests on: averaged over exact configurations, the mean of log q given the rest is
the mean of log q itself; not so at another temperature.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.edg import all_spins, boltzmann, boltzmann_spins, mean_err, perturb
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.systems import Ising, Phi4

# name, extent, pbc, coupling, field; an extent of 2 joins two sites twice.
SPINS = {
    "square": ("square", (4, 4), True, 1.0, 0.0),
    "triangular": ("triangular", (4, 3), True, -1.0, 0.2),
    "honeycomb": ("honeycomb", (3, 2), (True, False), 1.0, 0.0),
    "joined twice": ("square", (6, 2), True, 1.0, 0.0),
    "open": ("square", (5, 3), False, 1.0, 0.0),
    "in a field": ("chain", (12,), True, -1.0, 0.4),
}


def laws_of(system, scale=0.0):
    laws = LatticeGenerator(system, width=4, root_width=4, seed=1)
    return perturb(laws, scale, seed=2).requires_grad_(False)


def ising(name, temperature=2.0):
    lattice, extent, pbc, coupling, field = SPINS[name]
    built = lattices.build(lattice, extent, pbc, allow_double_bonds=2 in extent)
    return Ising(built, temperature=temperature, coupling=coupling, field=field)


def sites_not_exact(refinement):
    return np.setdiff1d(np.arange(refinement.n_sites), refinement.classes.exact)


def moments(refinement, configurations):
    """Of all sites that are not exact."""
    x = configurations.clone()
    x[:, refinement.exact] = 7.0  # not looked at
    sites = torch.from_numpy(sites_not_exact(refinement))
    return refinement.means.moments(refinement.law, x, refinement._around_exact(x), sites)


@pytest.mark.parametrize("name", SPINS)
def test_mean_of_a_spin_given_all_others(name):
    """Sums over the exact spins, and over the spin itself, of all states."""
    system = ising(name)
    refinement = laws_of(system).refinement
    states, probabilities, _ = boltzmann(system)
    found = moments(refinement, states)
    sites = sites_not_exact(refinement)
    powers = 2 ** torch.arange(system.n_sites)
    number = ((1.0 - states) / 2.0).long()
    for k, site in enumerate(sites):
        given = np.setdiff1d(sites, site)
        key = (number[:, given] * powers[given]).sum(1)
        total = torch.zeros(2**system.n_sites, dtype=torch.float64).index_add_(0, key, probabilities)
        tilted = torch.zeros_like(total).index_add_(0, key, probabilities * states[:, site])
        np.testing.assert_allclose(found[:, k, 0], (tilted / total)[key], atol=1e-12)


@pytest.mark.parametrize(("kappa", "lam"), [(0.25, 0.022), (0.4, 1.0), (-0.3, 0.5)])
@pytest.mark.parametrize("pbc", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_moments_of_a_field_given_all_others(kappa, lam, pbc):
    """Powers of a site of a chain of six with its two exact neighbours integrated out, on a fine grid."""
    system = Phi4(lattices.build("chain", (6,), pbc), kappa=kappa, lam=lam)
    refinement = laws_of(system).refinement
    law, sites = refinement.law, sites_not_exact(refinement)
    phi = law.scale * torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    found = moments(refinement, phi)
    grid = torch.linspace(-9.0, 9.0, 3001, dtype=torch.float64) * law.scale
    for k, site in enumerate(sites):
        for row in range(4):
            x = phi[row].expand(len(grid), 6).clone()
            x[:, site] = grid
            p = torch.softmax(refinement.log_marginal(x), 0)
            expected = torch.stack([p @ (grid / law.scale) ** n for n in (1, 2, 3, 4)])
            np.testing.assert_allclose(found[row, k], expected, rtol=TOLERANCE, atol=TOLERANCE)


# Averages over 24 values of the field; the site integral is read off a table.
TOLERANCE = 2e-5


@pytest.mark.statistical
@pytest.mark.parametrize("name", SPINS)
def test_averaged_and_plain_log_prob_agree_in_the_mean(name):
    """Over exact configurations, and with less noise; over those of another temperature they do not agree."""
    system = ising(name)
    laws = laws_of(system, scale=0.3)
    refinement, numbers = laws.refinement, range(laws.refinement.n_classes)

    def difference(of):
        x = boltzmann_spins(of, 40000, torch.Generator().manual_seed(4))
        coarse = refinement.restrict(x)
        plain = laws.root.log_prob(coarse) + refinement.learned_log_density(x, numbers)
        means = laws.root.mean_log_prob(coarse, refinement.root_moments(x))
        means = means.double() + refinement.mean_log_prob(x, numbers)
        if of is system:
            assert float(means.std()) < float(plain.std())
        return means - plain

    assert_z(*mean_err(difference(system)), 0.0, n_tests=len(SPINS), max_err=0.02)
    assert_off(*mean_err(difference(ising(name, 1.0))), 0.0, least=6.0, max_err=0.02)


def test_each_state_has_the_mean_over_the_law_of_the_site():
    """`mean_log_prob` of a law is log_prob summed over both values by their probability."""
    law = laws_of(ising("in a field")).refinement.law
    generator = torch.Generator().manual_seed(5)
    odd, even = (torch.randn(20, 1, generator=generator, dtype=torch.float64) for _ in range(2))
    mean = 2.0 * torch.rand(20, generator=generator, dtype=torch.float64) - 1.0
    up = torch.ones(20, dtype=torch.float64)
    expected = 0.5 * (1 + mean) * law.log_prob(up, odd, even) + 0.5 * (1 - mean) * law.log_prob(
        -up, odd, even
    )
    np.testing.assert_allclose(law.mean_log_prob(mean[:, None], odd, even), expected, atol=1e-12)


def test_mean_log_prob_of_a_field_is_that_of_the_exponential_family():
    """At moments of one value: its height minus the log of the integral, on a fine grid."""
    law = laws_of(Phi4(lattices.build("chain", (6,)), kappa=0.4, lam=1.0)).refinement.law
    odd = torch.tensor([0.7, -0.4], dtype=torch.float64)
    even = torch.tensor([0.3, 0.2], dtype=torch.float64)

    def height(x):
        return law.moments(x) @ law._coefficients(odd, even)

    fine = torch.linspace(-8.0, 8.0, 20001, dtype=torch.float64) * law.scale
    log_z = torch.logsumexp(height(fine), 0) + torch.log(fine[1] - fine[0])
    x = law.nodes * law.scale
    found = law.mean_log_prob(law.moments(x), odd.expand(len(x), 2), even.expand(len(x), 2))
    np.testing.assert_allclose(found, height(x) - log_z, atol=1e-5)


def test_states_with_exact_spins_flipped_have_the_same_means():
    refinement = laws_of(ising("square")).refinement
    states = all_spins(16)[::97]
    flipped = states.clone()
    flipped[:, refinement.exact] *= -1.0
    assert torch.equal(refinement.root_moments(states), refinement.root_moments(flipped))
