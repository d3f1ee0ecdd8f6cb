# SPDX-License-Identifier: MIT
"""Laws of q states with random weights: normalised by enumeration, drawn as evaluated, equivariant, E[w] = Z.

Lattices of up to 19,683 states are summed over all of them (1e-6: coefficients are float32). Wrong bonds in
the weights, and a field that tells states apart, must be seen.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from helpers.edg import jackknife_log_mean, mean_err, perturb
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.laws_of import has_law, law_of
from edgphys.edg.refinement.states_law import StatesLaw
from edgphys.edg.refinement.states_network import kinds_of_pairs


def potts(lattice, extent, pbc=False, **couplings):
    return ep.Potts(lattices.build(lattice, extent, pbc), temperature=1.1, **couplings)


def clock(**couplings):
    return ep.Clock(lattices.build("chain-j1j2", (6,)), temperature=1.0, q=5, **couplings)


def blume_capel():
    return ep.LatticePotential(
        lattices.build("triangular", (2, 4), False),
        site=lambda s: 0.7 * s**2,
        bond=lambda s, t: -s * t,
        states=(-1.0, 0.0, 1.0),
        temperature=0.9,
    )


SYSTEMS = {
    "potts": lambda: potts("chain", (9,)),
    "triangular": lambda: potts("triangular", (2, 4), coupling=-1.0),
    "field": lambda: potts("square", (2, 3), field=0.4),
    "kinds of bonds": lambda: potts("chain-j1j2", (7,), coupling={"first": 1.0, "second": -0.5}),
    "clock": clock,
    "clock in a field": lambda: clock(field=0.3),
    "blume-capel": blume_capel,
}


def laws_of(system, scale=0.3, seed=1):
    laws = LatticeGenerator(system, width=5, root_width=5, seed=seed)
    return perturb(laws, scale, seed=seed + 1).requires_grad_(False)


def all_states(system):
    states = itertools.product(range(system.n_states), repeat=system.n_sites)
    return torch.tensor(np.array(list(states), dtype=np.float64))


def log_weights(system, states):
    """-E / T from the tables and the list of bonds."""
    first, second = system.lattice.bonds.T
    x, weights = states.long().numpy(), system.pair_weights
    bonds = system.bond_table[x[:, first], x[:, second]]
    energy = (bonds if weights is None else bonds * weights).sum(1) + system.site_table[x].sum(1)
    return torch.from_numpy(-energy / system.temperature)


@pytest.mark.parametrize("name", SYSTEMS)
def test_probabilities_of_all_states_sum_to_one(name):
    """And the weight does not depend on the exact sites, whose sum is in the marginal."""
    system = SYSTEMS[name]()
    laws, states = laws_of(system), all_states(system)
    log_prob, refinement = laws.log_prob(states), laws.refinement
    assert float(torch.logsumexp(log_prob, 0)) == pytest.approx(0.0, abs=1e-6)
    assert float(log_prob.std()) > 0.5  # the weights are not those of free sites
    expected = log_weights(system, states) - log_prob
    np.testing.assert_allclose(laws.log_weight(states, log_prob), expected, atol=1e-9)
    log_learned = refinement.learned_log_density(states, range(refinement.n_classes))
    log_learned = log_learned + laws.root.log_prob(refinement.restrict(states))
    np.testing.assert_allclose(refinement.log_marginal(states) - log_learned, expected, atol=1e-5)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["triangular", "clock in a field", "blume-capel"])
def test_weights_of_draws_average_to_z(name):
    """Against enumeration; with bonds stronger by a fifth in the weights, they do not."""
    system = SYSTEMS[name]().replace(temperature=2.5)
    laws, states = laws_of(system, 0.1), all_states(system)
    exact = float(torch.logsumexp(log_weights(system, states), 0))
    x, log_prob = laws.sample(6000, torch.Generator().manual_seed(3))
    np.testing.assert_allclose(log_prob, laws.log_prob(x), atol=1e-5)
    log_w = log_weights(system, x) - log_prob
    assert_z(*jackknife_log_mean(log_w), exact, n_tests=3, max_err=0.05)
    bonds = log_weights(system, x) + system.beta * torch.from_numpy(system.site_table)[x.long()].sum(1)
    assert_off(*jackknife_log_mean(log_w + 0.2 * bonds), exact, least=6.0, max_err=0.2)


GROUPS = {
    "potts": [1, 2, 0],
    "kinds of bonds": [1, 0, 2],
    "clock": [1, 2, 3, 4, 0],
    "clock in a field": [0, 4, 3, 2, 1],
    "blume-capel": [2, 1, 0],
}


@pytest.mark.parametrize("name", GROUPS)
def test_density_is_that_of_permuted_states(name):
    laws = laws_of(SYSTEMS[name]())
    x, log_prob = laws.sample(200, torch.Generator().manual_seed(4))
    permuted = torch.tensor(GROUPS[name], dtype=torch.float64)[x.long()]
    np.testing.assert_allclose(laws.log_prob(permuted), log_prob, atol=1e-5)


def test_a_field_breaks_the_permutation():
    laws = laws_of(SYSTEMS["field"]())
    x, log_prob = laws.sample(200, torch.Generator().manual_seed(4))
    assert float((laws.log_prob((x + 1.0) % 3.0) - log_prob).abs().max()) > 0.3


@pytest.mark.parametrize("name", ["triangular", "field", "kinds of bonds", "blume-capel"])
def test_mean_of_a_site_given_all_others(name):
    """Sums over the exact sites, and over the site itself, of all states."""
    system = SYSTEMS[name]()
    refinement, states = laws_of(system).refinement, all_states(system)
    probabilities = torch.softmax(log_weights(system, states), 0)
    sites = np.setdiff1d(np.arange(system.n_sites), refinement.classes.exact)
    around = refinement._around_exact(states)
    found = refinement.means.moments(refinement.law, states, around, torch.from_numpy(sites))
    powers = system.n_states ** torch.arange(system.n_sites)
    for k, site in enumerate(sites):
        given = np.setdiff1d(sites, site)
        key = (states.long()[:, given] * powers[given]).sum(1)
        total = torch.zeros(int(powers[-1]) * system.n_states, dtype=torch.float64)
        total.index_add_(0, key, probabilities)
        for state in range(system.n_states):
            chosen = torch.zeros_like(total).index_add_(0, key, probabilities * (states[:, site] == state))
            np.testing.assert_allclose(found[:, k, state], (chosen / total)[key], atol=1e-12)


def test_mean_log_prob_is_linear_in_the_moments():
    law = law_of(SYSTEMS["field"]())
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    each = torch.stack([law.log_prob(torch.full((20,), float(k)).double(), logits) for k in range(3)], -1)
    np.testing.assert_allclose(torch.logsumexp(each, -1), 0.0, atol=1e-13)
    weights = torch.softmax(torch.randn(20, 3, generator=generator, dtype=torch.float64), -1)
    np.testing.assert_allclose(law.mean_log_prob(weights, logits), (weights * each).sum(-1), atol=1e-12)


@pytest.mark.statistical
def test_draws_of_states():
    law = law_of(SYSTEMS["field"]())
    logits = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64).expand(20000, 3)
    x, log_prob = law.draw(logits, torch.Generator().manual_seed(6))
    np.testing.assert_array_equal(log_prob, law.log_prob(x, logits))
    around = torch.tensor([-2.0, 0.0, -1.0], dtype=torch.float64)[:, None].expand(3, 20000)
    exact = law.draw_exact(around, torch.Generator().manual_seed(7))
    for k in range(3):
        state = torch.full((1,), float(k), dtype=torch.float64)
        given = law.exact_log_prob(state, around[:, :1])
        for draws, p in ((x, law.log_prob(state, logits[:1])), (exact, given)):
            assert_z(*mean_err((draws == k).double()), math.exp(p), n_tests=6, max_err=0.01)
            assert_off(*mean_err((draws == k).double()), math.exp(p) + 0.05, least=8.0, max_err=0.01)


@pytest.mark.parametrize(("name", "n_kinds"), [("potts", 2), ("clock", 3), ("blume-capel", 5), ("field", 5)])
def test_kinds_of_pairs_are_those_of_the_symmetry(name, n_kinds):
    system = SYSTEMS[name]()
    kinds = kinds_of_pairs(system.bond_table, system.site_table)
    assert kinds.max() + 1 == n_kinds
    for permutation in (GROUPS[name],) if name in GROUPS else ():
        np.testing.assert_array_equal(kinds[np.ix_(permutation, permutation)], kinds)


def test_weights_of_potts_do_not_depend_on_q():
    shapes = [
        LatticeGenerator(ep.Potts(lattices.build("square", (6, 6)), 1.0, q=q)).root.network.shapes
        for q in (3, 7)
    ]
    assert shapes[0] == shapes[1]


def test_two_states_are_a_spin():
    """Potts of two states, J = 2: logits (a, -a) of a spin with the coefficient a."""
    law, logits = StatesLaw(1.0, -np.eye(2), np.zeros(2)), torch.tensor([[0.7, -0.7]], dtype=torch.float64)
    up = torch.zeros(1, dtype=torch.float64)
    assert float(law.log_prob(up, logits)) == pytest.approx(0.7 - math.log(2.0 * math.cosh(0.7)), abs=1e-14)


def test_fields_of_each_site_and_large_glasses_have_no_law():
    lattice = lattices.build("square", (4, 4))
    assert has_law(ep.Potts(lattice, 1.0))
    assert has_law(ep.Potts(lattice, 1.0, coupling=lattices.random_bonds(lattice, seed=0)))
    large = lattices.build("square", (17, 17))
    assert not has_law(ep.Potts(large, 1.0, coupling=lattices.random_bonds(large, seed=0)))
    with pytest.raises(ValueError, match="with one field for all sites"):
        law_of(ep.Potts(lattice, 1.0, field=np.linspace(0.0, 1.0, 16)))
