# SPDX-License-Identifier: MIT
"""Coarse spins and their continuous form: couplings found again, p_0 normalised, densities exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.edg import (
    all_spins,
    boltzmann,
    boltzmann_spins,
    draw_weights,
    jackknife_log_mean,
    make_model,
    perturb,
)
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.core.training import TrainingSettings, train
from edgphys.edg.refinement.coarse_relaxation import CoarseRelaxation, fit_pair_couplings
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.targets.refinement import IsingRefinementTarget
from edgphys.systems import Ising


@pytest.mark.statistical
@pytest.mark.parametrize("field", [0.0, 0.3])
def test_couplings_are_found_again(field):
    """Independent spins of a 3 x 3 torus: beta J between neighbours, nothing between others."""
    system = Ising(lattices.build("square", (3, 3)), temperature=3.0, field=field)
    spins = boltzmann_spins(system, 40000, torch.Generator().manual_seed(1))
    orbits = system.lattice.pair_orbits()
    couplings, bias = fit_pair_couplings(spins, orbits, with_field=field != 0.0)
    np.testing.assert_allclose(couplings, system.beta * system.lattice.adjacency, atol=0.02)
    assert bias == pytest.approx(system.beta * field, abs=0.02)
    assert np.abs(couplings - 1.2 * system.beta * system.lattice.adjacency).max() > 0.05


def relaxation_of(n=3, field=0.0, scale=0.3):
    couplings = 0.4 * (np.ones((n, n)) - np.eye(n))
    return perturb(
        CoarseRelaxation(couplings, field, with_field=field != 0.0, width=6, seed=1), scale, seed=2
    )


@pytest.mark.parametrize("field", [0.0, 0.2])
def test_law_of_the_coarse_spins_is_normalised(field):
    relaxation = relaxation_of(4, field)
    y = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    for row in y:
        log_prob = relaxation.log_prob(all_spins(4), row.expand(16, 4))
        assert float(torch.logsumexp(log_prob, 0).detach()) == pytest.approx(0.0, abs=1e-6)
        if field == 0.0:
            mirrored = relaxation.log_prob(-all_spins(4), -row.expand(16, 4))
            np.testing.assert_allclose(mirrored.detach(), log_prob.detach(), atol=1e-5)


def test_starts_as_the_exact_law_of_pair_couplings():
    """Without training p_0(s | y) N(y) is the joint law of spins with couplings M and their relaxation."""
    relaxation = relaxation_of(4, scale=0.0)
    y = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    states = all_spins(4)
    square = relaxation.root @ relaxation.root
    for row in y:
        joint = relaxation.log_prob_soft(row.expand(16, 4), states) + 0.5 * (states @ square * states).sum(1)
        expected = torch.log_softmax(joint, 0)
        log_prob = relaxation.log_prob(states, row.expand(16, 4)).detach()
        np.testing.assert_allclose(log_prob, expected, atol=1e-6)


@pytest.mark.statistical
def test_draws_have_the_law():
    relaxation = relaxation_of(3)
    y = torch.tensor([0.5, -0.2, 0.1], dtype=torch.float64).expand(20000, 3)
    spins = relaxation.draw(y, torch.Generator().manual_seed(5))
    p = torch.exp(relaxation.log_prob(all_spins(3), y[:8])).detach().numpy()
    number = ((1.0 - spins) / 2.0 @ (2.0 ** torch.arange(3)).double()).long().numpy()
    z = (np.bincount(number, minlength=8) - 20000 * p) / np.sqrt(20000 * p * (1 - p))
    assert np.abs(z).max() < 5.0
    assert np.abs((np.bincount(number, minlength=8) - 2500) / 47).max() > 10.0


def test_learned_from_pairs():
    """Spins with a coupling of all three, which no M has: the learned law becomes better than the start."""
    states = all_spins(3)
    probabilities = torch.softmax(0.8 * states.sum(1).abs() + states.prod(1), 0)

    def draw(n, generator):
        return states[torch.multinomial(probabilities, n, True, generator=generator)]

    relaxation = CoarseRelaxation(0.3 * (np.ones((3, 3)) - np.eye(3)), 0.1, with_field=True, width=12)
    settings = TrainingSettings(150, 256, 1e-2, 0.0, 5.0, averaging=0.9, patience=1000, seed=0)
    bound = relaxation.bound(draw)
    losses = train(relaxation, settings, bound, bound).losses
    assert np.mean(losses[-30:]) < np.mean(losses[:10]) - 0.05


# name, extent, field: three and nine coarse spins.
SYSTEMS = [("chain", (12,), 0.0), ("chain", (12,), 0.3)]


def target_of(name, extent, field, temperature=2.5):
    system = Ising(lattices.build(name, extent), temperature=temperature, field=field)
    laws = perturb(LatticeGenerator(system, width=6, root_width=6, seed=1), 0.1, seed=2)
    return IsingRefinementTarget(laws, relaxation_of(laws.root.n_root, field, scale=0.1))


@pytest.mark.statistical
@pytest.mark.parametrize("case", SYSTEMS)
def test_lift_averages_to_the_marginal_density(case):
    """sum_s N(y; M^{1/2} s_c, 1) exp(-beta H(s)), by enumeration of all twelve spins."""
    target, generator = target_of(*case), torch.Generator().manual_seed(6)
    system, root = target.system, target.refinement.root
    states = all_spins(12)
    for y in torch.randn(2, 3, dtype=torch.float64, generator=generator):
        soft = target.relaxation.log_prob_soft(y.expand(4096, 3), states[:, root])
        exact = float(torch.logsumexp(soft - system.beta * system.energy(states), 0))
        log_density, spins = target.lift(y.expand(8000, 3), generator)
        assert spins.shape == (8000, 12)
        assert_z(*jackknife_log_mean(log_density), exact, n_tests=4, max_err=0.05)
        assert_off(*jackknife_log_mean(log_density), exact + 0.3, least=20.0, max_err=0.05)


@pytest.mark.statistical
@pytest.mark.parametrize("case", SYSTEMS)
def test_weights_of_an_untrained_model_average_to_z(case):
    target = target_of(*case)
    log_w, _ = draw_weights(make_model(target, scale=0.05), 20000, 4, seed=7)
    assert_z(*jackknife_log_mean(log_w), boltzmann(target.system)[2], n_tests=2, max_err=0.06)
    wrong = boltzmann(target.system.replace(temperature=2.0))[2]
    assert_off(*jackknife_log_mean(log_w), wrong, least=50.0, max_err=0.06)


def test_energy_is_the_stand_in_at_coarse_spins_drawn_and_held():
    target = target_of(*SYSTEMS[0])
    y = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(8), requires_grad=True)
    energy = target.energy(y)
    (gradient,) = torch.autograd.grad(energy.sum(), y)
    coarse = target.relaxation.draw(y.detach(), torch.Generator().manual_seed(0))
    soft = target.relaxation.log_prob(coarse, y) - target.relaxation.log_prob_soft(y, coarse)
    np.testing.assert_allclose(
        energy.detach(), (soft - target.laws.root.log_prob(coarse)).detach(), atol=1e-10
    )
    (expected,) = torch.autograd.grad(soft.sum(), y)
    np.testing.assert_allclose(gradient, expected, atol=1e-10)
    assert not torch.equal(target.energy(y), energy)  # other spins at the next call


@pytest.mark.statistical
@pytest.mark.parametrize("case", SYSTEMS)
def test_stand_in_averages_to_the_marginal_of_the_root(case):
    """exp(-energy) over the coarse spins drawn is sum_s p_r(s) N(y; M^{1/2} s, 1), by enumeration."""
    target, generator = target_of(*case), torch.Generator().manual_seed(10)
    states = all_spins(3)
    for y in torch.randn(2, 3, dtype=torch.float64, generator=generator):
        given = target.relaxation.log_prob_soft(y.expand(8, 3), states)
        exact = float(torch.logsumexp(target.laws.root.log_prob(states) + given, 0))
        log_density = -target.energy(y.expand(4000, 3)).detach()
        assert_z(*jackknife_log_mean(log_density), exact, n_tests=4, max_err=0.05)
        assert_off(*jackknife_log_mean(log_density), exact + 0.3, least=20.0, max_err=0.05)


def test_lower_gives_the_density_of_what_it_sees():
    target = target_of(*SYSTEMS[0])
    spins = all_spins(12)[::41]
    y, log_density = target.lower(spins, torch.Generator().manual_seed(9))
    coarse = target.refinement.restrict(spins)
    expected = (
        target.relaxation.log_prob_soft(y, coarse)
        - target.relaxation.log_prob(coarse, y)
        - target.system.beta * target.system.energy(spins)
        - target.refinement.log_density(spins)
    )
    np.testing.assert_allclose(log_density, expected.detach(), atol=1e-9)
    off = y - coarse @ target.relaxation.root
    assert float(off.std()) == pytest.approx(1.0, abs=0.2)
