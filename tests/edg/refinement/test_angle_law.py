# SPDX-License-Identifier: MIT
"""Laws of angles with random weights: normalised, drawn as evaluated, equivariant under O(2), E[w] = Z.

Rings are judged by the sum of Bessel functions, Z = sum_k (2 pi I_k(beta))^n, a small torus by quadrature. A
wrong normaliser of the exact class must be seen.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from helpers.edg import assert_means_on_grid, jackknife_log_mean, mean_err, perturb
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys.edg.refinement.angle_law import AngleLaw
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.laws_of import has_law
from edgphys.edg.refinement.von_mises import draw_von_mises, log_bessel

# Cosines, then sines: none, moderate, two peaks, narrow.
COEFFICIENTS = [
    (0, 0, 0, 0, 0, 0, 0, 0),
    (0.7, 0.3, 0, 0, -0.4, 0.2, 0.1, 0),
    (0.1, 2, 0, 0, 0, 1, 0, -0.3),
    (9, 0, 0.3, 0, 7, 0, 0, 0.2),
]


def tensors(coefficients, n=1):
    row = torch.tensor(coefficients, dtype=torch.float64).expand(n, 8)
    return row[:, :4], row[:, 4:]


def xy(lattice, extent, pbc=True, temperature=0.9, **couplings):
    return ep.XY(lattices.build(lattice, extent, pbc), temperature=temperature, **couplings)


def laws_of(system, scale=0.3, seed=1):
    laws = LatticeGenerator(system, width=5, root_width=5, seed=seed)
    return perturb(laws, scale, seed=seed + 1).requires_grad_(False)


def wrapped(x):
    return torch.remainder(x + math.pi, 2.0 * math.pi) - math.pi


def distribution(law, coefficients):
    """Angles between nodes, three to a piece, and the masses between them by the trapezoid rule (exact)."""
    centre = math.atan2(coefficients[4], coefficients[0])
    n = 4 * len(law.nodes)
    # From a node to the same one, a turn later.
    x = centre - math.pi + torch.arange(n + 1, dtype=torch.float64) * (2.0 * math.pi / n)
    density = torch.exp(law.log_prob(wrapped(x), *tensors(coefficients, n + 1))).numpy()
    masses = 0.5 * (density[1:] + density[:-1]) * (2 * math.pi / n)
    return x.numpy(), np.concatenate([[0.0], np.cumsum(masses)])


@pytest.mark.parametrize("coefficients", COEFFICIENTS)
def test_law_is_normalised_and_drawn_as_evaluated(coefficients):
    law = AngleLaw(1.0, 0.0, 4.0)
    x, below = distribution(law, coefficients)
    assert below[-1] == pytest.approx(1.0, abs=1e-12)
    draws, log_prob = law.draw(*tensors(coefficients, 3000), torch.Generator().manual_seed(1))
    assert float(draws.min()) >= -math.pi
    assert float(draws.max()) < math.pi
    np.testing.assert_allclose(log_prob, law.log_prob(draws, *tensors(coefficients, 3000)), atol=1e-12)
    turned = x[0] + np.mod(draws.numpy() - x[0], 2.0 * math.pi)
    # The density is linear within a piece of four steps: interpolated with an error below 1e-4.
    assert scipy.stats.kstest(np.interp(turned, x, below), "uniform").pvalue > 1e-4 / len(COEFFICIENTS)
    if coefficients != COEFFICIENTS[0]:
        other = turned + 0.15
        assert scipy.stats.kstest(np.interp(other, x, below), "uniform").pvalue < 1e-6


def test_law_contains_that_of_von_mises():
    """Up to the square of the step between nodes."""
    law = AngleLaw(1.3, 0.2, 4.0)
    around = torch.tensor([1.1, -0.6], dtype=torch.float64)[:, None].expand(2, 50)
    x = torch.linspace(-3.1, 3.1, 50, dtype=torch.float64)
    exact, errors = law.exact_log_prob(x, around), []
    for strength, n_nodes in ((4.0, 64), (400.0, 400)):
        fine = AngleLaw(1.3, 0.2, strength)
        assert len(fine.nodes) == n_nodes
        learned = fine.log_prob(x, *tensors((1.43, 0, 0, 0, -0.78, 0, 0, 0), 50))
        errors.append(float((learned - exact).abs().max()))
    assert 1e-5 < errors[0] < 5e-3
    assert errors[1] < errors[0] / 25
    integral = torch.exp(law.exact_log_prob(law.nodes, around[:, :1].expand(2, len(law.nodes)))).sum()
    assert float(integral) * 2.0 * math.pi / len(law.nodes) == pytest.approx(1.0, abs=1e-12)


def test_mean_log_prob_is_that_of_the_family():
    law, (cosines, sines) = AngleLaw(1.0, 0.3, 4.0), tensors(COEFFICIENTS[1], 400)
    x = torch.arange(400, dtype=torch.float64) * (2 * math.pi / 400)
    height = (law.moments(x) * torch.cat(law._with_bias(cosines, sines), -1)).sum(-1)
    expected = height - torch.logsumexp(height, 0) - math.log(2.0 * math.pi / 400)
    np.testing.assert_allclose(law.mean_log_prob(law.moments(x), cosines, sines), expected, atol=1e-6)


def test_gradient_with_respect_to_coefficients():
    law, x = AngleLaw(1.0, 0.0, 400.0), torch.tensor([0.3, -2.0, 3.0], dtype=torch.float64)
    for coefficients in COEFFICIENTS[:3]:
        leaf = torch.tensor(coefficients, dtype=torch.float64, requires_grad=True)
        parts = (part.expand(3, 4) for part in leaf.split(4))
        (gradient,) = torch.autograd.grad(law.log_prob(x, *parts).sum(), leaf)
        expected = law.moments(x).sum(0) - 3.0 * torch.autograd.grad(_log_z(leaf, law), leaf)[0]
        # The density between its 400 nodes differs by the square of the step.
        np.testing.assert_allclose(gradient, expected, atol=2e-3)


def _log_z(coefficients, law):
    return torch.logsumexp(law.moments(law.nodes) @ coefficients, 0)


@pytest.mark.statistical
@pytest.mark.parametrize("kappa", [0.0, 1e-5, 0.4, 3.0, 200.0])
def test_draws_of_von_mises(kappa):
    """<cos theta> = I_1 / I_0, and as many angles on either side."""
    x = draw_von_mises(torch.full((20000,), kappa), torch.Generator().manual_seed(2))
    expected = scipy.special.i1e(kappa) / scipy.special.i0e(kappa)
    assert_z(*mean_err(torch.cos(x)), expected, n_tests=10, max_err=0.006)
    assert_z(*mean_err(torch.sin(x)), 0.0, n_tests=10, max_err=0.006)
    assert_off(*mean_err(torch.cos(x)), expected - 0.04, least=6.0, max_err=0.006)
    assert float(log_bessel(torch.tensor(kappa, dtype=torch.float64))) == pytest.approx(
        math.log(2 * math.pi * scipy.special.i0e(kappa)) + kappa, abs=1e-12
    )


@pytest.mark.statistical
@pytest.mark.parametrize("coupling", [1.0, -0.7])
def test_weights_on_a_ring_average_to_the_sum_of_bessel_functions(coupling):
    """12 sites: three in the root, three learned, six exact. A normaliser of half the coupling is seen."""
    system = xy("chain", (12,), coupling=coupling)
    laws = laws_of(system, 0.1)
    k = system.beta * coupling
    exact = math.log((2 * math.pi * scipy.special.iv(np.arange(-40, 41), k)).__pow__(12).sum())
    x, log_prob = laws.sample(6000, torch.Generator().manual_seed(3))
    np.testing.assert_allclose(log_prob, laws.log_prob(x), atol=2e-5)
    log_w = laws.log_weight(x, log_prob)
    assert_z(*jackknife_log_mean(log_w), exact, n_tests=3, max_err=0.05)
    around, law = laws.refinement._around_exact(x), laws.refinement.law
    wrong = law.log_normaliser(around).sum(1) - law.log_normaliser(0.5 * around).sum(1)
    assert_off(*jackknife_log_mean(log_w - wrong), exact, least=6.0, max_err=0.2)


@pytest.mark.statistical
def test_weights_on_a_small_torus_average_to_the_integral():
    """2 x 2 sites in a field, each pair joined twice, by the trapezoid rule on each angle."""
    lattice = lattices.build("square", (2, 2), allow_double_bonds=True)
    system = ep.XY(lattice, temperature=0.9, field=0.3)
    x = torch.arange(24, dtype=torch.float64) * (2.0 * math.pi / 24)
    grid = torch.cartesian_prod(x, x, x, x)
    exact = float(torch.logsumexp(-system.beta * system.energy(grid), 0)) + 4 * math.log(2.0 * math.pi / 24)
    laws = laws_of(system, 0.1)
    draws, log_prob = laws.sample(6000, torch.Generator().manual_seed(3))
    log_w = laws.log_weight(draws, log_prob)
    assert_z(*jackknife_log_mean(log_w), exact, n_tests=3, max_err=0.05)
    assert_off(*jackknife_log_mean(log_w), exact + 0.2, least=4.0, max_err=0.05)


@pytest.mark.parametrize("field", [0.0, 0.4])
def test_density_turns_and_reflects(field):
    """Without a field with all of O(2), with one with the reflection alone."""
    laws = laws_of(xy("square", (4, 8), field=field))
    x, log_prob = laws.sample(100, torch.Generator().manual_seed(4))
    np.testing.assert_allclose(laws.log_prob(wrapped(-x)), log_prob, atol=2e-4)
    turned = laws.log_prob(wrapped(x + 0.7))
    if field:
        assert float((turned - log_prob).abs().max()) > 0.3
    else:
        np.testing.assert_allclose(turned, log_prob, atol=2e-4)


def test_marginal_is_the_integral_over_exact_sites():
    """And the weight does not depend on them."""
    system = xy("square", (4, 4), field=0.3, coupling={"x": 1.0, "y": -0.4})
    laws = laws_of(system)
    x, log_prob = laws.sample(50, torch.Generator().manual_seed(5))
    refinement = laws.refinement
    log_learned = refinement.learned_log_density(x, range(refinement.n_classes))
    expected = laws.log_weight(x, log_prob) + laws.root.log_prob(refinement.restrict(x)) + log_learned
    np.testing.assert_allclose(refinement.log_marginal(x), expected, atol=2e-4)


def test_mean_of_an_angle_given_all_others():
    """Moments of a site of a ring of six with its two exact neighbours integrated out, on a fine grid."""
    system = xy("chain", (6,), field=0.4)
    x = 6.0 * torch.rand(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) - 3.0
    assert_means_on_grid(laws_of(system).refinement, x, 200, atol=1e-6)


def test_fields_of_each_site_have_no_law():
    lattice = lattices.build("square", (4, 4))
    assert has_law(ep.XY(lattice, 1.0))
    assert has_law(ep.XY(lattice, 1.0, coupling=lattices.random_bonds(lattice, seed=0)))
    assert not has_law(ep.XY(lattice, 1.0, field=np.linspace(0.0, 1.0, 16)))
