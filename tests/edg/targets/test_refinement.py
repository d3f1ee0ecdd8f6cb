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
from edgphys.edg.refinement.model import Refinement
from edgphys.edg.targets.refinement import Phi4RefinementTarget, root_lattice
from edgphys.systems import Phi4

HOP, QUADRATIC, QUARTIC = 0.4, 0.3, 0.5


def target_of(extent=(12,), name="chain", scale=0.1, hop=HOP):
    system = Phi4(lattices.build(name, extent), hop=hop, quadratic=QUADRATIC, quartic=QUARTIC)
    return Phi4RefinementTarget(perturb(Refinement(system, width=6, seed=1), scale, seed=2))


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
    log_density, _ = target.lift(coarse[k].expand(12000, 3), generator)
    assert_off(*jackknife_log_mean(log_density), wrong[k], least=30.0, max_err=0.03)


def test_mean_energy_bounds_the_marginal_from_above():
    target = target_of()
    coarse = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    energy = target.energy(coarse.repeat(2000, 1)).reshape(2000, 5)
    error = energy.std(0) / 2000**0.5
    assert torch.all(energy.mean(0) + 5 * error > -torch.from_numpy(log_marginal(coarse.numpy())))


def test_gradient_of_the_energy_at_fixed_draws():
    target = target_of()
    x = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5), requires_grad=True)
    (gradient,) = torch.autograd.grad(target.energy(x).sum(), x)
    refinement = target.refinement
    drawn, _ = refinement.draw_learned(x.detach(), torch.Generator().manual_seed(0))

    def energy(coarse):
        field = drawn.clone()
        field[:, refinement.root] = coarse
        log_prob = refinement.learned_log_density(field, range(refinement.n_classes))
        return (log_prob - refinement.log_marginal(field)).sum()

    for k in range(3):
        step = torch.zeros(3, 3, dtype=torch.float64)
        step[:, k] = 1e-2
        with torch.no_grad():
            numeric = [energy(x + step) - energy(x - step), energy(x + 2 * step) - energy(x - 2 * step)]
        # float32 networks: fourth order in a step of 0.01 leaves 1e-4.
        estimate = float(8 * numeric[0] - numeric[1]) / 0.12
        assert float(gradient[:, k].sum()) == pytest.approx(estimate, abs=2e-3)


def test_draws_of_the_energy_go_on_with_the_state():
    first, second = target_of(), target_of()
    x = torch.ones(4, 3)
    values = [first.energy(x) for _ in range(3)]
    assert not torch.equal(values[0], values[1])
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.energy(x), second.energy(x))


def test_lower_gives_the_density_of_what_it_sees():
    target, generator = target_of((6, 6), "square"), torch.Generator().manual_seed(6)
    x = torch.randn(50, target.n_dims, dtype=torch.float64, generator=generator)
    _, field = target.lift(x, generator)
    coarse, lower = target.lower(field, torch.Generator().manual_seed(7))
    seen = target.group.move(field, torch.Generator().manual_seed(7))
    assert torch.equal(coarse, target.refinement.restrict(seen))
    assert (coarse != x).any()
    expected = -target.system.reduced_energy(seen) - target.refinement.log_density(seen)
    np.testing.assert_allclose(lower, expected, atol=1e-9)
    np.testing.assert_allclose(target.system.reduced_energy(field), target.system.reduced_energy(seen))


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
