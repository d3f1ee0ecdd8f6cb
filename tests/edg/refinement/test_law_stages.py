# SPDX-License-Identifier: MIT
"""Training of root and laws: the gradient against enumeration, small systems learned to their exact log Z."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.edg import all_spins, boltzmann, boltzmann_spins, mean_err, perturb
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.core.training import TrainingSettings, train_stages
from edgphys.edg.refinement.generative_model import RefinementModel
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.law_stages import batch_size_for, law_stages
from edgphys.edg.refinement.quartic_law import QuarticLaw
from edgphys.edg.refinement.reference_bound import ReferenceBound
from edgphys.errors import TrainingError
from edgphys.systems import Ising, Phi4

FREE_RUN = TrainingSettings(
    n_steps=150,
    batch_size=128,
    learning_rate=1e-2,
    path_share=0.0,
    max_gradient=20.0,
    averaging=0.95,
    patience=1_000_000,
    seed=0,
    annealing=0.4,
)


def ring(n=12, temperature=1.5, field=0.0):
    return Ising(lattices.build("chain", (n,)), temperature=temperature, field=field)


def no_reference():
    raise AssertionError("nothing to learn from was needed")


def trained(system, training="energy", reference=None, *, width=16, settings=FREE_RUN):
    """Root and laws, and the losses."""
    laws = LatticeGenerator(system, width=width, root_width=width)
    stages = law_stages(laws, training, settings, no_reference if reference is None else lambda: reference)
    return laws, train_stages(RefinementModel(laws), stages).losses


def free_energy(model, states):
    """sum_x q (log q - log pi), the exact loss, over all states."""
    log_q = model.log_prob(states)
    return (torch.exp(log_q) * -model.log_weight(states, log_q)).sum()


def gap(model):
    """log Z minus the bound, by enumeration."""
    return boltzmann(model.system)[2] + float(free_energy(model, all_spins(model.system.n_sites)).detach())


def forward_divergence(model):
    """<log pi - log q> of the Boltzmann distribution, by enumeration."""
    states, probabilities, _ = boltzmann(model.system)
    return float((probabilities * (torch.log(probabilities) - model.log_prob(states).detach())).sum())


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
def test_spins_are_learned_from_the_energy(field):
    model, losses = trained(ring(field=field))
    assert len(losses) == 150
    assert 0.0 < gap(model) < 5e-3


@pytest.mark.parametrize("field", [pytest.param(0.0, marks=pytest.mark.slow), 0.2])
def test_spins_are_learned_from_reference(field):
    """Configurations in int8, as datasets have them; from those of free spins another law is learned."""
    system = ring(field=field)
    spins = boltzmann_spins(system, 4000, torch.Generator().manual_seed(4))
    model, _ = trained(system, "chains", spins.to(torch.int8))
    assert 0.0 < forward_divergence(model) < 5e-3
    free = boltzmann_spins(ring(temperature=1e6), 4000, torch.Generator().manual_seed(4))
    assert forward_divergence(trained(system, "chains", free)[0]) > 0.015


def test_both_ends_with_a_short_run_on_the_energy():
    system = ring()
    spins = boltzmann_spins(system, 4000, torch.Generator().manual_seed(4))
    chains, energy = law_stages(LatticeGenerator(system, width=4), "both", FREE_RUN, lambda: spins)
    assert (chains.settings.n_steps, energy.settings.n_steps) == (135, 15)
    assert energy.settings.learning_rate == pytest.approx(1e-3) and energy.settings.annealing == 0.0
    model, losses = trained(system, "both", spins)
    assert len(losses) == 150
    assert 0.0 < gap(model) < 5e-3
    assert 0.0 < forward_divergence(model) < 5e-3


def ring_of_fields():
    return Phi4(lattices.build("chain", (6,)), kappa=0.45, lam=1.0)


def bound_gap(model):
    """log Z from the transfer operator minus the bound, and its error."""
    phi, log_prob = model.sample(8000, torch.Generator().manual_seed(5))
    log_w = model.log_weight(phi, log_prob)
    return model.system.exact_results()["log_z"] - float(log_w.mean()), float(log_w.std()) / 8000**0.5


def test_fields_are_learned_from_the_energy():
    """Ring of six at strong coupling: the bound comes within 0.02 nats of the transfer operator's log Z."""
    distance, error = bound_gap(trained(ring_of_fields())[0])
    assert -4 * error < distance < 0.02


def exact_fields(system, n, generator):
    """Independent fields of the ring of six, on a grid, site by site by powers of the transfer operator."""
    x = torch.linspace(-3.0, 3.0, 201, dtype=torch.float64)
    weight = torch.exp(-system.quadratic * x**2 - system.quartic * x**4)
    step = torch.exp(2.0 * system.hop * x[:, None] * x) * weight
    rest = [torch.linalg.matrix_power(step, k) for k in range(7)]
    first = torch.multinomial(rest[6].diagonal(), n, True, generator=generator)
    sites = [first]
    for k in range(5, 0, -1):
        sites.append(torch.multinomial(step[sites[-1]] * rest[k][:, first].T, 1, generator=generator)[:, 0])
    return x[torch.stack(sites, dim=1)]


def test_fields_are_learned_from_reference():
    system = ring_of_fields()
    phi = exact_fields(system, 4000, torch.Generator().manual_seed(6))
    distance, error = bound_gap(trained(system, "chains", phi.float())[0])
    assert -4 * error < distance < 0.02


@pytest.mark.parametrize("training", ["energy", "chains", "both"])
def test_not_finite_stops(training):
    laws = LatticeGenerator(ring(), width=4, root_width=4)
    with torch.no_grad():
        laws.root.network.third.fill_(math.nan)
    stages = law_stages(laws, training, FREE_RUN, lambda: all_spins(12)[:8])
    with pytest.raises(
        TrainingError, match=r"stopped at step 0: the (loss|mean energy .*) must be finite, got nan"
    ):
        train_stages(RefinementModel(laws), stages)


@pytest.mark.parametrize("training", ["energy", "chains", "both"])
def test_same_seed_same_weights(training):
    short = TrainingSettings(10, 16, 1e-2, 0.0, 20.0, 0.9, 1000, seed=3)

    def weights():
        return trained(ring(), training, all_spins(12)[:50], width=4, settings=short)[0].state_dict()

    for one, other in zip(weights().values(), weights().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.statistical
def test_loss_is_minus_the_mean_log_density_of_the_reference():
    """Of all but the exact sites, with every site averaged; over all states by their weight. Seen: 2 %."""
    system = ring(field=0.3)
    laws = perturb(LatticeGenerator(system, width=4, root_width=4), 0.2, seed=1).requires_grad_(False)
    states, probabilities, _ = boltzmann(system)
    numbers = range(laws.refinement.n_classes)
    log_q = laws.root.log_prob(laws.refinement.restrict(states))
    log_q = log_q + laws.refinement.learned_log_density(states, numbers)
    generator = torch.Generator().manual_seed(7)
    bound = ReferenceBound(laws, boltzmann_spins(system, 20000, generator).float())
    values = [float(bound(None, 128, generator).total) for _ in range(100)]
    exact = -float(probabilities @ log_q)
    assert_z(*mean_err(values), exact, max_err=0.01)
    assert_off(*mean_err(values), 1.02 * exact, least=5.5, max_err=0.01)


def test_batches_shrink_with_the_lattice():
    for training in ("chains", "energy", "both"):
        sizes = [batch_size_for(n * n, training) for n in (4, 16, 64, 256)]
        assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[-1]
    assert np.all([batch_size_for(n, "both") == batch_size_for(n, "chains") for n in (16, 4096)])


def test_fields_learn_from_the_energy_at_the_default_rate(monkeypatch):
    field = Phi4.from_mass(lattices.build("square", (8, 8)), m2=-4.0, lam=5.276, convention="flow")
    settings = replace(FREE_RUN, n_steps=60, batch_size=64, learning_rate=0.02)
    _, losses = trained(field, width=48, settings=settings)
    assert max(losses) < losses[0] + 1.0 and np.mean(losses[-10:]) < losses[0] - 1.5
    # The control: with less of the energy at first, as spins learn, they spread out.
    monkeypatch.setattr(QuarticLaw, "is_bounded", True)
    _, losses = trained(field, width=48, settings=settings)
    assert max(losses) > losses[0] + 5.0
