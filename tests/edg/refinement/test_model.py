# SPDX-License-Identifier: MIT
"""Refinement and root with random weights: normalised by enumeration, drawn as evaluated, E[w] = Z.

Lattices of at most 12 spins are summed over all states (1e-6: coefficients are float32); fields are judged by
importance weights against quadrature. A wrong temperature in the weights must be seen.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from helpers.edg import all_spins, boltzmann, jackknife_log_mean, perturb
from helpers.oracles import phi4_action, sum_over_grid
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.errors import UnknownNameError
from edgphys.systems import Ising, Phi4

# name, extent, pbc, coupling, field
SPINS = [
    ("chain", (12,), True, 1.0, 0.0),
    ("chain", (11,), False, -1.0, 0.3),
    ("square", (6, 2), (True, False), 1.0, 0.2),
    ("triangular", (5, 2), False, -1.0, 0.0),
    ("honeycomb", (5, 1), False, 1.0, 0.0),
]


def ising(name, extent, pbc, coupling, field, temperature=2.0):
    return Ising(lattices.build(name, extent, pbc), temperature=temperature, coupling=coupling, field=field)


def generator_of(system, scale=0.3, **options):
    model = LatticeGenerator(system, **{"width": 6, "root_width": 6, "seed": 1, **options})
    return perturb(model, scale, seed=2).requires_grad_(False)


@pytest.mark.parametrize("case", SPINS)
def test_probabilities_of_all_states_sum_to_one(case):
    model = generator_of(ising(*case))
    assert model.refinement.n_classes > 0
    states = all_spins(model.system.n_sites)
    log_prob = model.log_prob(states)
    assert float(torch.logsumexp(log_prob, 0)) == pytest.approx(0.0, abs=1e-6)
    assert float(log_prob.std()) > 0.5  # the weights are not those of free spins


@pytest.mark.statistical
@pytest.mark.parametrize("case", SPINS)
def test_draws_have_the_density_that_is_stated(case):
    """Chi-squared over bins of about equal probability; the density of another model must fail."""
    model, other = (generator_of(ising(*case), seed=seed) for seed in (1, 5))
    spins, log_prob = model.sample(20000, torch.Generator().manual_seed(3))
    np.testing.assert_allclose(log_prob, model.log_prob(spins), atol=1e-5)
    states, n = all_spins(model.system.n_sites), model.system.n_sites
    number = ((1.0 - spins) / 2.0 @ (2.0 ** torch.arange(n)).double()).long().numpy()
    assert p_value(model.log_prob(states), number) > 1e-4 / len(SPINS)
    assert p_value(perturb(other, 0.3, seed=6).log_prob(states), number) < 1e-6


def p_value(log_prob, number):
    p = torch.exp(log_prob).numpy()
    order = np.argsort(p)
    bins = np.minimum((np.cumsum(p[order]) * 40).astype(int), 39)
    which = np.empty(len(p), dtype=int)
    which[order] = bins
    expected = np.bincount(which, weights=p, minlength=40)
    counts = np.bincount(which[number], minlength=40)
    used = expected > 0
    return scipy.stats.chisquare(counts[used], expected[used] / expected.sum() * counts.sum()).pvalue


@pytest.mark.parametrize("case", SPINS)
def test_marginal_is_the_sum_over_exact_spins(case):
    """At full and at reduced coupling, by enumeration of all states."""
    system = ising(*case)
    refinement = generator_of(system).refinement
    states = all_spins(system.n_sites)
    inner = np.setdiff1d(np.arange(system.n_sites), refinement.classes.exact)
    key = ((1.0 - states[:, inner]) / 2.0 @ (2.0 ** torch.arange(len(inner))).double()).long()
    for power in (1.0, 0.4):
        weakened = system.replace(coupling=power * system.coupling)
        sums = torch.zeros(2 ** len(inner), dtype=torch.float64)
        sums.index_add_(0, key, torch.exp(-weakened.beta * weakened.energy(states)))
        np.testing.assert_allclose(refinement.log_marginal(states, power), torch.log(sums)[key], rtol=1e-12)


@pytest.mark.parametrize("case", SPINS)
def test_weight_does_not_depend_on_the_exact_spins(case):
    model = generator_of(ising(*case))
    states = all_spins(model.system.n_sites)
    refinement = model.refinement
    log_learned = refinement.learned_log_density(states, range(refinement.n_classes))
    log_root = model.root.log_prob(refinement.restrict(states))
    expected = refinement.log_marginal(states) - log_root - log_learned
    np.testing.assert_allclose(model.log_weight(states, model.log_prob(states)), expected, atol=1e-5)


@pytest.mark.parametrize("case", [SPINS[0], SPINS[3]])
def test_density_is_even_without_a_field(case):
    model = generator_of(ising(*case))
    states = all_spins(model.system.n_sites)
    np.testing.assert_allclose(model.log_prob(-states), model.log_prob(states), atol=1e-5)


FIELDS = [(0.25, 0.022, True), (0.4, 1.0, True), (-0.4, 1.0, False)]


def phi4(kappa, lam, pbc, extent=(6,), name="chain"):
    return Phi4(lattices.build(name, extent, pbc), kappa=kappa, lam=lam)


@pytest.mark.parametrize(("kappa", "lam", "pbc"), FIELDS)
def test_field_draws_and_density_agree(kappa, lam, pbc):
    model = generator_of(phi4(kappa, lam, pbc, (6, 6), "square"))
    phi, log_prob = model.sample(300, torch.Generator().manual_seed(4))
    np.testing.assert_allclose(log_prob, model.log_prob(phi), atol=1e-6)
    np.testing.assert_allclose(model.log_prob(-phi), log_prob, atol=1e-5)
    action = model.system.reduced_energy(phi)
    np.testing.assert_allclose(model.log_weight(phi, log_prob), -action - log_prob, atol=1e-9)


@pytest.mark.parametrize(("kappa", "lam", "pbc"), FIELDS)
def test_field_marginal_is_the_integral_over_exact_sites(kappa, lam, pbc):
    """On six sites with three exact ones, by the trapezoidal rule on each."""
    system = phi4(kappa, lam, pbc)
    refinement = generator_of(system).refinement
    exact = refinement.classes.exact
    assert len(exact) == 3
    x = torch.linspace(-12.0, 12.0, 4001, dtype=torch.float64)
    base = torch.randn(1, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    base[:, exact] = 0.0
    total = -float(system.reduced_energy(base))
    for site in exact:
        moved = base.repeat(len(x), 1)
        moved[:, site] = x
        change = system.reduced_energy(moved) - system.reduced_energy(base)
        total += float(torch.logsumexp(-change, 0)) + math.log(x[1] - x[0])
    assert float(refinement.log_marginal(base)) == pytest.approx(total, rel=1e-9, abs=1e-9)


def four_sites(kappa, lam):
    system = phi4(kappa, lam, True, (4,))
    bonds = system.lattice.bonds.tolist()

    def action(fields):
        return phi4_action(fields, bonds, system.hop, system.quadratic, system.quartic)

    return system, sum_over_grid(4, action, [], 6.0, 45)[0]


@pytest.mark.statistical
@pytest.mark.parametrize(("kappa", "lam"), [(0.25, 0.022), (0.4, 1.0)])
def test_weights_of_fields_average_to_z(kappa, lam):
    """Root alone on a ring of four, random weights, against quadrature; kappa off by 0.03 is seen."""
    system, exact = four_sites(kappa, lam)
    model = generator_of(system, scale=0.1)
    phi, log_prob = model.sample(40000, torch.Generator().manual_seed(6))
    assert_z(*jackknife_log_mean(model.log_weight(phi, log_prob)), exact, n_tests=2, max_err=0.02)
    wrong = four_sites(kappa + 0.03, lam)[1]
    assert_off(*jackknife_log_mean(model.log_weight(phi, log_prob)), wrong, least=5.5, max_err=0.02)


@pytest.mark.statistical
@pytest.mark.parametrize("case", SPINS)
def test_weights_of_spins_average_to_z(case):
    system = ising(*case, temperature=4.0)
    _, _, exact = boltzmann(system)
    model = generator_of(system, scale=0.1)
    spins, log_prob = model.sample(40000, torch.Generator().manual_seed(7))
    assert_z(*jackknife_log_mean(model.log_weight(spins, log_prob)), exact, n_tests=len(SPINS), max_err=0.02)
    wrong = boltzmann(system.replace(temperature=3.5))[2]
    assert_off(*jackknife_log_mean(model.log_weight(spins, log_prob)), wrong, least=20.0, max_err=0.02)


@pytest.mark.parametrize("name", ["square", "triangular"])
def test_laws_serve_a_larger_lattice(name):
    """At the levels that both have the laws are the same; a coarser one takes the coarsest there is."""
    small, large = (generator_of(ising(name, (n, n), True, 1.0, 0.0)).refinement for n in (16, 32))
    assert large.start_from(small) == []
    for key, network in small.networks.items():
        for mine, theirs in zip(large.networks[key].parameters(), network.parameters(), strict=True):
            assert torch.equal(mine, theirs)
    assert torch.equal(large.networks["2_11_0_3"].first, small.networks["1_11_0_3"].first)
    # A configuration that repeats with the period of the small lattice: twice the density along each axis.
    tile = small.sample(torch.ones(5, 16).double(), torch.Generator().manual_seed(9))[0].reshape(5, 16, 16)
    numbers = {
        k: [i for i, one in enumerate(model.classes.learned) if one.level == 0]
        for k, model in (("small", small), ("large", large))
    }
    once = small.learned_log_density(tile.flatten(1), numbers["small"])
    tiled = large.learned_log_density(tile.repeat(1, 2, 2).flatten(1), numbers["large"])
    np.testing.assert_allclose(tiled, 4 * once, rtol=1e-5)


def test_a_system_without_a_law_is_refused():
    system = ising(*SPINS[0])
    stranger = type("Stranger", (), {"family": "potts", "lattice": system.lattice})()
    families = "ising, phi4, states, rotor or continuous with angles"
    with pytest.raises(
        UnknownNameError, match=f"must be of family {families}, with one field for all sites; got "
    ):
        LatticeGenerator(stranger)


def test_large_lattices_fit():
    """128 x 128 spins and 16^3 spins: a small batch, drawn and weighed."""
    for name, extent in (("square", (128, 128)), ("cubic", (16, 16, 16))):
        model = generator_of(ising(name, extent, True, 1.0, 0.0))
        spins, log_prob = model.sample(2, torch.Generator().manual_seed(10))
        np.testing.assert_allclose(model.log_prob(spins), log_prob, rtol=1e-6)
