# SPDX-License-Identifier: MIT
"""Coarse fields as a target: the density is the integral over the rest, for laws with random weights.

On a ring of twelve three coarse sites are left; the integral over the three sites between two of them is the
fourth power of the transfer operator, on a grid (1e-9).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.edg import draw_weights, jackknife_log_mean, make_model, perturb
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.field.hartree import phi4_gaussian
from edgphys.edg.refinement.classes import split_sites
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.targets.refinement import Phi4RefinementTarget, root_lattice
from edgphys.systems import Phi4

HOP, QUADRATIC, QUARTIC = 0.4, 0.3, 0.5


def target_of(extent=(12,), name="chain", scale=0.1, hop=HOP):
    system = Phi4(lattices.build(name, extent), hop=hop, quadratic=QUADRATIC, quartic=QUARTIC)
    return Phi4RefinementTarget(
        perturb(LatticeGenerator(system, width=6, root_width=6, seed=1), scale, seed=2)
    )


def log_marginal(coarse, hop=HOP):
    """log of the density of three coarse fields, shape (n, 3), from the transfer operator."""
    x = np.linspace(-6.0, 6.0, 801)
    step = x[1] - x[0]

    def weight(a):
        return np.exp(-QUADRATIC * a**2 - QUARTIC * a**4)

    between = np.exp(2 * hop * np.outer(x, x)) * weight(x) * step
    values = []
    for row in coarse:
        total = 0.0
        for left, right in zip(row, np.roll(row, -1), strict=True):
            start = np.exp(2 * hop * left * x) * weight(x) * step
            segment = start @ between @ between @ np.exp(2 * hop * x * right)
            total += math.log(segment * weight(left))
        values.append(total)
    return np.array(values)


def test_root_of_a_ring():
    target = target_of()
    assert target.refinement.classes.root.tolist() == [0, 4, 8]
    assert target.orbits.tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


@pytest.mark.statistical
def test_lift_averages_to_the_marginal_density():
    target, generator = target_of(), torch.Generator().manual_seed(3)
    coarse = torch.randn(4, 3, dtype=torch.float64, generator=generator)
    exact, wrong = log_marginal(coarse.numpy()), log_marginal(coarse.numpy(), 0.5)
    for k in range(4):
        log_density, field = target.lift(coarse[k].expand(12000, 3), generator)
        assert field.shape == (12000, 12)
        assert_z(*jackknife_log_mean(log_density), exact[k], n_tests=4, max_err=0.03)
    assert np.abs(wrong - exact).max() > 0.2
    k = int(np.argmax(np.abs(wrong - exact)))
    log_density, _ = target.lift(coarse[k].expand(18000, 3), generator)
    assert_off(*jackknife_log_mean(log_density), wrong[k], least=30.0, max_err=0.03)


def test_energy_is_the_stand_in():
    """Minus the learned density of the coarse fields, normalised: a bound on log 1."""
    target = target_of()
    coarse = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    x = coarse.clone().requires_grad_(True)
    energy = target.energy(x)
    assert torch.equal(energy, -target.laws.root.log_prob(coarse))
    (gradient,) = torch.autograd.grad(energy.sum(), x)
    for k in range(3):
        step = torch.zeros(5, 3, dtype=torch.float64)
        step[:, k] = 1e-4
        numeric = (target.energy(coarse + step) - target.energy(coarse - step)) / 2e-4
        np.testing.assert_allclose(gradient[:, k], numeric.detach(), atol=5e-3)
    x = torch.linspace(-4.5, 4.5, 24, dtype=torch.float64)
    grid = torch.cartesian_prod(x, x, x)
    assert float(torch.exp(-target.energy(grid)).sum() * (x[1] - x[0]) ** 3) == pytest.approx(1.0, abs=1e-2)


def test_lower_gives_the_density_of_what_it_sees():
    target, generator = target_of((6, 6), "square"), torch.Generator().manual_seed(6)
    x = torch.randn(50, target.n_dims, dtype=torch.float64, generator=generator)
    log_density, field = target.lift(x, generator)
    coarse, lower = target.lower(field, torch.Generator().manual_seed(7))
    assert torch.equal(coarse, x)
    np.testing.assert_allclose(lower, log_density, atol=1e-5)  # float32 networks, in another order
    expected = -target.system.reduced_energy(field) - target.refinement.log_density(field)
    np.testing.assert_allclose(lower, expected.detach(), atol=1e-9)


@pytest.mark.parametrize("hop", [0.2, 0.6, -0.6])
@pytest.mark.parametrize(("name", "extent"), [("square", (8, 8)), ("chain", (12,))])
def test_gaussian_start_is_that_of_the_whole_lattice(hop, name, extent):
    target = target_of(extent, name, hop=hop)
    start, root = target.gaussian_start(), target.refinement.classes.root
    broken = bool(start.mean.any())
    args = (target.system.lattice.adjacency, hop, QUADRATIC, QUARTIC)
    mean, covariance = phi4_gaussian(*args, broken=broken)
    np.testing.assert_allclose(start.covariance, covariance[np.ix_(root, root)], atol=1e-10)
    np.testing.assert_allclose(start.mean, mean * target.pattern, atol=1e-10)
    assert np.linalg.eigvalsh(start.covariance).min() > 0.0


@pytest.mark.parametrize(
    ("name", "extent"), [("square", (16, 12)), ("kagome", (12, 12)), ("honeycomb", (6, 6)), ("chain", (4,))]
)
def test_root_lattice(name, extent):
    classes = split_sites(lattices.build(name, extent))
    coarse, sites = root_lattice(classes)
    spacing = np.array(classes.spacings[-1])
    assert np.array_equal(coarse.cells[sites] * spacing, classes.lattice.cells[classes.root])
    assert np.array_equal(coarse.sublattices[sites], classes.lattice.sublattices[classes.root])


@pytest.mark.statistical
def test_weights_of_an_untrained_model_average_to_z():
    target = target_of()
    exact = target.system.exact_results()["log_z"]
    log_w, field = draw_weights(make_model(target, scale=0.05), 20000, 4, seed=8)
    assert_z(*jackknife_log_mean(log_w), exact, max_err=0.05)
    assert field.shape == (20000, 12)
    wrong = target.system.replace(quadratic=QUADRATIC + 0.03).exact_results()["log_z"]
    assert_off(*jackknife_log_mean(log_w), wrong, least=10.0, max_err=0.05)
