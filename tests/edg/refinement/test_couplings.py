# SPDX-License-Identifier: MIT
"""Laws of a range of couplings: one for each sample, the same as alone, and densities that move with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.edg import all_spins, boltzmann, jackknife_log_mean, perturb
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.core.bounds import path_bound
from edgphys.edg.core.conditions import Conditions
from edgphys.edg.refinement.couplings import CouplingRange
from edgphys.edg.refinement.generative_model import RefinementModel
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.systems import Ising, Phi4

CHAIN = lattices.build("chain", (12,))
SYSTEMS = {
    "ising": (Ising(CHAIN, temperature=2.0), {"temperature": (1.5, 4.0)}),
    "field": (Ising(CHAIN, temperature=2.0), {"field": (-0.2, 0.6), "temperature": (2.0, 3.0)}),
    "kappa": (Phi4(CHAIN, kappa=0.2, lam=0.1), {"kappa": (0.1, 0.4)}),
    "lam": (
        Phi4.from_mass(lattices.build("chain", (8,)), m2=-1.0, lam=1.0, convention="flow"),
        {"lam": (0.5, 2.0)},
    ),
}


def family(name, scale=0.3, **options):
    system, ranges = SYSTEMS[name]
    conditions = Conditions.of(system, ranges)
    laws = LatticeGenerator(system, width=6, root_width=6, seed=1, conditions=conditions, **options)
    return perturb(laws, scale, seed=2).requires_grad_(False)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_law_for_each_sample_is_that_of_its_coupling(name):
    system, ranges = SYSTEMS[name]
    every = CouplingRange(system, Conditions.of(system, ranges))
    index = torch.tensor([0, 3, len(every.systems) - 1])
    both, generator = every.at(index).law, torch.Generator().manual_seed(3)
    x, field = (torch.randn(3, 5, generator=generator) for _ in range(2))
    x = torch.sign(x) if both.scale == 1.0 else x * both.scale
    odd = torch.randn(3, 5, both.n_odd, generator=generator)
    even = 0.3 * torch.randn(3, 5, both.n_even, generator=generator)
    moments, times = both.moments(x), torch.tensor([0.0, 1.0, 2.0, 0.0, 1.0])
    for row, k in enumerate(index.tolist()):
        couplings = {name: every.systems[k].couplings[name] for name in ranges}
        alone, here = every.at_couplings(couplings)[1].law, slice(row, row + 1)

        def same(values, others, here=here):
            torch.testing.assert_close(values[here], others.to(values), rtol=1e-4, atol=2e-5)

        same(both.local(x), alone.local(x[here]))
        same(both.log_normaliser(field), alone.log_normaliser(field[here]))
        same(both.exact_log_prob(x, field), alone.exact_log_prob(x[here], field[here]))
        same(both.log_prob(x, odd, even), alone.log_prob(x[here], odd[here], even[here]))
        same(
            both.mean_log_prob(moments, odd, even), alone.mean_log_prob(moments[here], odd[here], even[here])
        )
        same(both.log_weight_on_grid(field), alone.log_weight_on_grid(field[here]))
        same(both.log_normaliser_on_grid(field, times), alone.log_normaliser_on_grid(field[here], times))


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_batch_of_couplings_is_each_of_them_alone(name):
    laws = family(name)
    node = laws.range.draw(8, torch.Generator().manual_seed(1))
    couplings, generator = laws.range.at(node), torch.Generator().manual_seed(2)
    x, log_prob = laws.sample(8, generator, couplings) if name in ("ising", "field") else (None, None)
    if x is None:
        x = torch.randn(8, laws.system.n_variables, generator=generator, dtype=torch.float64)
        log_prob = laws.refinement.learned_log_density(x, range(laws.refinement.n_classes), couplings)
        log_prob = log_prob + laws.root.log_prob(laws.refinement.restrict(x), couplings)
    for row, k in enumerate(node.tolist()):
        names = laws.range.conditions.ranges
        alone = laws.at_couplings({one: laws.range.systems[k].couplings[one] for one in names})
        here = x[row : row + 1]
        if name in ("ising", "field"):
            expected = alone.log_prob(here)
        else:
            rest = alone.refinement.learned_log_density(here, range(alone.refinement.n_classes))
            expected = rest + alone.root.log_prob(alone.refinement.restrict(here))
        assert float(expected) == pytest.approx(float(log_prob[row]), abs=1e-4)
        model = RefinementModel(laws)
        energy = model.target.energy(x, node[:, None])[row]
        assert float(energy) == pytest.approx(float(-alone.refinement.log_marginal(here)), abs=1e-3)


def test_probabilities_sum_to_one_and_move_with_the_coupling():
    laws, states = family("field"), all_spins(12)
    values = []
    for couplings in ({"temperature": 2.0, "field": 0.6}, {"temperature": 2.71, "field": -0.1}):
        log_prob = laws.at_couplings(couplings).log_prob(states)
        assert float(torch.logsumexp(log_prob, 0)) == pytest.approx(0.0, abs=1e-6)
        values.append(log_prob)
    assert float((values[0] - values[1]).abs().mean()) > 0.1


@pytest.mark.statistical
def test_weights_at_any_coupling_average_to_its_z():
    laws = family("ising", scale=0.1)
    for temperature in (1.6, 3.1):
        model = laws.at_couplings({"temperature": temperature})
        assert model.system.temperature == temperature
        x, log_prob = model.sample(40_000, torch.Generator().manual_seed(7))
        found = jackknife_log_mean(model.log_weight(x, log_prob))
        assert_z(*found, boltzmann(model.system)[2], n_tests=2, max_err=0.02)
        wrong = boltzmann(model.system.replace(temperature=temperature + 0.2))[2]
        assert_off(*found, wrong, least=10.0, max_err=0.02)


@pytest.mark.statistical
def test_gradient_is_that_of_the_mean_divergence():
    """Of the loss over many batches, against sum_x q (log q - log pi) at every node, by enumeration."""
    system, ranges = SYSTEMS["ising"]
    system = Ising(lattices.build("chain", (8,)), temperature=2.0)
    laws = LatticeGenerator(system, width=3, root_width=3, seed=1, conditions=Conditions.of(system, ranges))
    model, states = RefinementModel(perturb(laws, 0.3, seed=2)), all_spins(8)
    parameters = list(model.parameters())

    def gradient(loss):
        parts = torch.autograd.grad(loss, parameters, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts])

    exact = torch.zeros(())
    for one in laws.range.systems:
        log_q = laws.at_couplings({"temperature": one.temperature}).log_prob(states)
        exact = exact + (torch.exp(log_q) * (log_q + one.beta * one.energy(states))).sum()
    exact = gradient(exact / len(laws.range.systems))
    generator = torch.Generator().manual_seed(4)
    rows = torch.stack([gradient(path_bound(model, 24 * 16, generator).total) for _ in range(300)])
    direction = torch.randn(len(exact), 6, generator=torch.Generator().manual_seed(5))
    found, wanted = rows @ direction, exact.float() @ direction
    z = (found.mean(0) - wanted) / (found.std(0) / 300**0.5)
    assert (
        float(z.abs().max())
        < 4.0
        < float((found.mean(0) - 1.3 * wanted).div(found.std(0) / 300**0.5).abs().max())
    )


def test_couplings_of_a_batch_are_spread_over_the_range():
    every = family("ising").range
    for n in (5, 24, 100):
        node = every.draw(n, torch.Generator().manual_seed(n)).numpy()
        counts = np.bincount(node, minlength=24)
        assert counts.max() - counts.min() <= 1 and (np.diff(node) >= 0).all()
