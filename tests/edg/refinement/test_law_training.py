# SPDX-License-Identifier: MIT
"""The gradient against enumeration, and small systems learned to their exact log Z and entropy."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.edg import all_spins, boltzmann, boltzmann_spins, mean_err, perturb
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.law_training import LawTraining, fit_to_energy, fit_to_reference
from edgphys.errors import TrainingError
from edgphys.systems import Ising, Phi4


def ring(n=12, temperature=1.5, field=0.0):
    return Ising(lattices.build("chain", (n,)), temperature=temperature, field=field)


def free_energy(model, states):
    """sum_x q (log q - log pi), the exact loss, over all states."""
    log_q = model.log_prob(states)
    return (torch.exp(log_q) * -model.log_weight(states, log_q)).sum()


@pytest.mark.statistical
def test_gradient_is_that_of_the_free_energy():
    """Along the exact gradient, known by enumeration, and along random directions; 1.1 times it is off."""
    model = perturb(LatticeGenerator(ring(6), width=3, root_width=3, seed=1), 0.3, seed=2)
    parameters = list(model.parameters())
    exact = flat(
        torch.autograd.grad(free_energy(model, all_spins(6)), parameters, allow_unused=True)
    ).double()
    generator, rows = torch.Generator().manual_seed(3), []
    for _ in range(200):
        configurations, log_prob = model.draw_learned(500, generator)
        with torch.no_grad():
            f = log_prob - model.refinement.log_marginal(configurations)
        loss = ((f - f.mean()) * log_prob).mean()
        rows.append(flat(torch.autograd.grad(loss, parameters, allow_unused=True)))
    # The mean of a batch of 500 as its own baseline shortens the gradient by 1/500.
    rows = torch.stack(rows).double() * 500 / 499
    directions = torch.randn(4, len(exact), generator=generator, dtype=torch.float64)
    for direction in (exact, *directions):
        mean, err = mean_err(rows @ direction)
        assert_z(
            mean,
            err,
            float(exact @ direction),
            n_tests=5,
            max_err=0.1 * float(exact.norm() * direction.norm()),
        )
    mean, err = mean_err(rows @ exact)
    assert_off(mean, err, 1.1 * float(exact @ exact), least=20.0, max_err=1.0)


def flat(grads):
    return torch.cat([g.detach().flatten() for g in grads if g is not None])


@pytest.mark.parametrize("field", [0.0, 0.2])
def test_spins_are_learned_without_reference(field):
    system = ring(field=field)
    model = LatticeGenerator(system, width=16, root_width=16)
    losses = fit_to_energy(model, LawTraining(150, 128, 1e-2, annealing=0.4))
    assert len(losses) == 150
    gap = boltzmann(system)[2] + float(free_energy(model, all_spins(12)).detach())
    assert 0.0 < gap < 5e-3


def test_spins_are_learned_from_reference():
    system = ring()
    spins = boltzmann_spins(system, 4000, torch.Generator().manual_seed(4))
    model = LatticeGenerator(system, width=16, root_width=16)
    seen = []
    fit_to_reference(
        model, spins.to(torch.int8), LawTraining(120, 128, 1e-2), lambda step, loss: seen.append((step, loss))
    )
    assert [step for step, _ in seen] == list(range(1, 121))
    states, probabilities, _ = boltzmann(system)
    log_q = model.log_prob(states).detach()
    divergence = float((probabilities * (torch.log(probabilities) - log_q)).sum())
    assert 0.0 < divergence < 5e-3


def test_fields_are_learned_without_reference():
    """Ring of six at strong coupling: the bound comes within 0.02 nats of the transfer operator's log Z."""
    system = Phi4(lattices.build("chain", (6,)), kappa=0.45, lam=1.0)
    model = LatticeGenerator(system, width=16, root_width=16)
    fit_to_energy(model, LawTraining(150, 128, 1e-2, annealing=0.4))
    phi, log_prob = model.sample(8000, torch.Generator().manual_seed(5))
    log_w = model.log_weight(phi, log_prob)
    gap = system.exact_results()["log_z"] - float(log_w.mean())
    error = float(log_w.std()) / 8000**0.5
    assert -4 * error < gap < 0.02


def test_not_finite_stops():
    model = LatticeGenerator(ring(), width=4, root_width=4)
    with torch.no_grad():
        model.root.network.third_bias.fill_(math.nan)
    with pytest.raises(TrainingError, match="stopped at step 0: the loss must be finite, got nan"):
        fit_to_energy(model, LawTraining(3, 8))


def test_same_seed_same_weights():
    def trained():
        model = LatticeGenerator(ring(), width=4, root_width=4)
        fit_to_energy(model, LawTraining(5, 16, seed=3))
        return model.root.network.first

    assert torch.equal(trained(), trained())
