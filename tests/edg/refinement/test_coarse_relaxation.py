# SPDX-License-Identifier: MIT
"""Coarse sites and their continuous form: couplings found again, p_0 normalised, densities exact."""

from __future__ import annotations

import math

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
from edgphys.edg.refinement.laws_of import law_of
from edgphys.edg.refinement.spin_law import SpinLaw
from edgphys.edg.targets.refinement import RelaxedRefinementTarget
from edgphys.systems import XY, Clock, Ising, LatticePotential, Potts


@pytest.mark.statistical
@pytest.mark.parametrize("field", [0.0, 0.3])
def test_couplings_are_found_again(field):
    """Independent spins of a 3 x 3 torus: beta J between neighbours, nothing between others."""
    system = Ising(lattices.build("square", (3, 3)), temperature=3.0, field=field)
    spins = boltzmann_spins(system, 40000, torch.Generator().manual_seed(1))
    orbits = system.lattice.pair_orbits()
    couplings, bias = fit_pair_couplings(SpinLaw(0.0, 0.0), spins, orbits, with_field=field != 0.0)
    np.testing.assert_allclose(couplings, system.beta * system.lattice.adjacency, atol=0.02)
    assert bias[0] == pytest.approx(system.beta * field, abs=0.02)
    assert np.abs(couplings - 1.2 * system.beta * system.lattice.adjacency).max() > 0.05


def ring_of(kind, n=4, **couplings):
    ring = lattices.build("chain", (n,))
    kinds = {
        "potts": lambda: Potts(ring, **{"temperature": 1.2, "q": 3} | couplings),
        "clock": lambda: Clock(ring, **{"temperature": 1.0, "q": 5} | couplings),
        "xy": lambda: XY(ring, **{"temperature": 1.1} | couplings),
        "values": lambda: LatticePotential(
            ring,
            site=lambda s: 0.3 * s**2,
            bond=lambda s, t: -s * t,
            states=(-1.0, 0.0, 1.0),
            **{"temperature": 1.0} | couplings,
        ),
    }
    return kinds[kind]()


def values_of(system, n=40):
    """All values of a site: its states, or n angles."""
    if system.family == "rotor":
        return torch.linspace(-np.pi, np.pi, n + 1, dtype=torch.float64)[:-1]
    return law_of(system).grid


# M of a bond: beta J times the factor between the energy and the scalar product.
FACTORS = {"potts": 2 / 3, "clock": 1.0, "xy": 1.0, "values": 1.0}


@pytest.mark.statistical
@pytest.mark.parametrize("kind", FACTORS)
def test_couplings_of_vectors_are_found_again(kind):
    """Independent configurations of a ring of four, by enumeration: nothing between opposite sites."""
    system = ring_of(kind)
    states = torch.cartesian_prod(*[values_of(system, 12)] * 4)
    weights = torch.softmax(-system.action(states), 0)
    x = states[torch.multinomial(weights, 10000, True, generator=torch.Generator().manual_seed(1))]
    couplings, _ = fit_pair_couplings(law_of(system), x, system.lattice.pair_orbits(), with_field=False)
    expected = FACTORS[kind] * system.beta * system.lattice.adjacency
    np.testing.assert_allclose(couplings, expected, atol=0.05)
    assert np.abs(couplings - 1.2 * expected).max() > 0.08


def relaxation_of(n=3, field=0.0, scale=0.3, law=None):
    couplings = 0.4 * (np.ones((n, n)) - np.eye(n))
    law = SpinLaw(0.0, 0.0, field != 0.0) if law is None else law
    field = field * np.eye(law.n_components)[0]
    return perturb(CoarseRelaxation(law, couplings, field, width=6, seed=1), scale, seed=2)


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


@pytest.mark.parametrize("kind", FACTORS)
def test_law_of_coarse_vectors_is_normalised_and_starts_as_the_exact_law(kind):
    """Two sites with random couplings of all networks, and with none: those of M alone, on all values."""
    system = ring_of(kind)
    law, values = law_of(system), values_of(system)
    pairs = torch.cartesian_prod(values, values)
    generator = torch.Generator().manual_seed(3)
    for scale in (0.3, 0.0):
        relaxation = relaxation_of(2, scale=scale, law=law)
        for y in torch.randn(2, 2 * law.n_components, dtype=torch.float64, generator=generator):
            y = y.expand(len(pairs), -1)
            log_prob = relaxation.log_prob(pairs, y).detach()
            log_cell = 2 * math.log(2 * math.pi / len(values)) if system.family == "rotor" else 0.0
            assert float(torch.logsumexp(log_prob, 0) + log_cell) == pytest.approx(0.0, abs=2e-3)
            if scale == 0.0:
                square = 0.4 * (law.vector(pairs[:, 0]) * law.vector(pairs[:, 1])).sum(0)
                joint = relaxation.log_prob_soft(y, pairs) + square + law.local(pairs).sum(1)
                expected = torch.log_softmax(joint, 0) - log_cell
                # Angles are interpolated between nodes.
                np.testing.assert_allclose(log_prob, expected, atol=0.02 if kind == "xy" else 1e-6)


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

    relaxation = CoarseRelaxation(
        SpinLaw(0.0, 0.0, True), 0.3 * (np.ones((3, 3)) - np.eye(3)), np.array([0.1]), width=12
    )
    settings = TrainingSettings(150, 256, 1e-2, 0.0, 5.0, averaging=0.9, patience=1000, seed=0)
    bound = relaxation.bound(draw)
    losses = train(relaxation, settings, bound, bound).losses
    assert np.mean(losses[-30:]) < np.mean(losses[:10]) - 0.05


# name, extent, field: three and nine coarse spins.
SYSTEMS = [("chain", (12,), 0.0), ("chain", (12,), 0.3)]


def target_of(name, extent, field, temperature=2.5):
    system = Ising(lattices.build(name, extent), temperature=temperature, field=field)
    laws = perturb(LatticeGenerator(system, width=6, root_width=6, seed=1), 0.1, seed=2)
    relaxation = relaxation_of(laws.root.n_root, field, scale=0.1, law=laws.refinement.law)
    return RelaxedRefinementTarget(laws, relaxation)


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
