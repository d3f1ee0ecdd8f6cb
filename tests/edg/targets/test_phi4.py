# SPDX-License-Identifier: MIT
"""phi^4 targets: the sublattice density is the integral over the other sublattice, on four sites.

On a ring or chain of four sites the two summed sites are integrated numerically for given kept ones (1e-9).
`lift` is compared with averages over the whole grid by z-tests on importance-weighted draws.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.edg import jackknife_log_mean, log_gaussian, mean_err, restricted_group
from helpers.oracles import phi4_action, sum_over_grid
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.targets.phi4 import Phi4FieldTarget, Phi4SublatticeTarget
from edgphys.edg.targets.sublattices import exchange
from edgphys.systems import Phi4

# kappa, lam: symmetric, broken, antiferromagnetic, nearly Ising spins.
COUPLINGS = [(0.25, 0.022), (0.45, 1.0), (-0.45, 1.0), (0.3, 4.0)]


def system(kappa, lam, extent=(4,), pbc=True, name="chain"):
    return Phi4(lattices.build(name, extent, pbc), kappa=kappa, lam=lam)


def action_of(phi4):
    bonds = phi4.lattice.bonds.tolist()
    return lambda fields: phi4_action(fields, bonds, phi4.hop, phi4.quadratic, phi4.quartic)


@pytest.mark.parametrize("pbc", [True, False])
@pytest.mark.parametrize(("kappa", "lam"), COUPLINGS)
def test_density_is_the_integral_over_the_other_sublattice(kappa, lam, pbc):
    phi4 = system(kappa, lam, pbc=pbc)
    target = Phi4SublatticeTarget(phi4)
    assert target.n_dims == 2
    kept, summed = target.kept.tolist(), target.summed.tolist()
    phi = np.linspace(-9.0, 9.0, 601)
    x = torch.randn(8, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for row in x:
        fields = [None] * 4
        for site, value in zip(kept, row.tolist(), strict=True):
            fields[site] = np.full((1, 1), value)
        fields[summed[0]], fields[summed[1]] = phi[:, None], phi[None, :]
        integral = np.exp(-action_of(phi4)(fields)).sum() * (phi[1] - phi[0]) ** 2
        assert target.energy(row[None]).item() == pytest.approx(-math.log(integral), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("kappa", "lam"), COUPLINGS)
def test_density_integrates_to_z(kappa, lam):
    phi4 = system(kappa, lam)
    end = 6.0 if lam < 0.1 else 3.0
    phi = torch.linspace(-end, end, 161, dtype=torch.float64)
    grid = torch.cartesian_prod(phi, phi)
    log_z = torch.logsumexp(-Phi4SublatticeTarget(phi4).energy(grid), 0).item() + 2 * math.log(
        phi[1] - phi[0]
    )
    exact, _ = sum_over_grid(4, action_of(phi4), [], end, 45)
    assert log_z == pytest.approx(exact, rel=1e-9, abs=1e-9)


def test_gradient_of_the_energy():
    target = Phi4SublatticeTarget(system(0.45, 1.0, (4, 4), name="square"))
    x = torch.randn(2, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    (gradient,) = torch.autograd.grad(target.energy(x).sum(), x)
    step = 1e-4 * torch.eye(8, dtype=torch.float64)
    with torch.no_grad():
        numeric = [(target.energy(x + e) - target.energy(x - e)) / 2e-4 for e in step]
    np.testing.assert_allclose(gradient, torch.stack(numeric, 1), rtol=1e-6, atol=1e-6)


SYMMETRIC = [
    ("square", (4, 4), True),
    ("square", (3, 4), False),
    ("chain", (6,), True),
    ("cubic", (2, 2, 3), False),
]


@pytest.mark.parametrize("kind", [Phi4SublatticeTarget, Phi4FieldTarget])
@pytest.mark.parametrize(("name", "extent", "pbc"), SYMMETRIC)
@pytest.mark.parametrize("kappa", [0.2, -0.2])
def test_energy_has_the_symmetry_of_the_lattice(kind, name, extent, pbc, kappa):
    phi4 = system(kappa, 0.5, extent, pbc, name)
    target = kind(phi4)
    sites = target.kept.numpy() if kind is Phi4SublatticeTarget else np.arange(phi4.n_sites)
    group = restricted_group(phi4.lattice, sites)
    assert len(group) > 1
    x = torch.randn(1, target.n_dims, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    energy = target.energy(x).item()
    np.testing.assert_allclose(target.energy(x[0][group]), energy, rtol=1e-12)
    assert target.energy(-x).item() == pytest.approx(energy, rel=1e-12)
    assert abs(target.energy(x.flip(0).roll(1, 1) * 1.01).item() - energy) > 1e-6
    for permutation in group.numpy():
        assert np.array_equal(target.orbits[np.ix_(permutation, permutation)], target.orbits)
        # The order parameter is carried over to itself or to minus itself.
        assert abs((target.pattern[permutation] * target.pattern).sum()) == target.n_dims


@pytest.mark.parametrize("kind", [Phi4SublatticeTarget, Phi4FieldTarget])
@pytest.mark.parametrize(("kappa", "lam", "broken"), [(0.2, 0.5, False), (0.5, 0.5, True), (-0.5, 0.5, True)])
def test_gaussian_start(kind, kappa, lam, broken):
    phi4 = system(kappa, lam, (4, 4), name="square")
    target = kind(phi4)
    start = target.gaussian_start()
    assert bool(np.abs(start.mean).max() > 1e-3) == broken
    np.testing.assert_allclose(start.mean, np.abs(start.mean).max() * target.pattern, atol=1e-12)
    assert np.linalg.eigvalsh(start.covariance).min() > 0.0
    sites = target.kept.numpy() if kind is Phi4SublatticeTarget else np.arange(phi4.n_sites)
    for permutation in restricted_group(phi4.lattice, sites).numpy():
        np.testing.assert_allclose(
            start.covariance[np.ix_(permutation, permutation)], start.covariance, atol=1e-12
        )


def weighted_lift(target, n, seed):
    generator = torch.Generator().manual_seed(seed)
    x = 1.2 * torch.randn(n, target.n_dims, dtype=torch.float64, generator=generator)
    log_density, field = target.lift(x, generator)
    return log_density - log_gaussian(x, 1.2), field


def pair_averages(phi4):
    """ln Z and <phi_i phi_j>, <phi_i^4> of four sites, on a grid."""
    pairs = [(i, j) for i in range(4) for j in range(i, 4)]
    functions = [lambda f, i=i, j=j: f[i] * f[j] for i, j in pairs] + [
        lambda f, i=i: f[i] ** 4 for i in range(4)
    ]
    log_z, averages = sum_over_grid(4, action_of(phi4), functions, 5.5, 41)
    return pairs, log_z, averages


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("kappa", "lam", "pbc"), [(0.25, 0.022, True), (0.45, 1.0, False), (-0.45, 1.0, True)]
)
def test_lifted_fields_are_distributed_right(kappa, lam, pbc):
    phi4 = system(kappa, lam, pbc=pbc)
    target = Phi4SublatticeTarget(phi4)
    log_w, field = weighted_lift(target, 40000, seed=21)
    pairs, log_z, exact = pair_averages(phi4)
    assert_z(*jackknife_log_mean(log_w), log_z, n_tests=3, max_err=0.02)
    values = [field[:, i] * field[:, j] for i, j in pairs] + [field[:, i] ** 4 for i in range(4)]
    w = torch.exp(log_w - log_z)
    for value, average in zip(values, exact, strict=True):
        assert_z(*mean_err(w * (value - average)), 0.0, n_tests=3 * len(exact), max_err=0.15)


@pytest.mark.statistical
def test_fields_of_another_coupling_are_found():
    """Drawn at kappa = 0.25, compared with 0.27: the test above must be able to see it."""
    log_w, field = weighted_lift(Phi4SublatticeTarget(system(0.25, 0.022)), 40000, seed=21)
    _, log_z, exact = pair_averages(system(0.27, 0.022))
    assert_off(*jackknife_log_mean(log_w), log_z, least=5.0, max_err=0.02)
    assert_off(
        *mean_err(torch.exp(log_w - log_z) * (field[:, 0] * field[:, 1] - exact[1])),
        0.0,
        least=5.0,
        max_err=0.15,
    )


@pytest.mark.parametrize("kind", [Phi4SublatticeTarget, Phi4FieldTarget])
def test_lower_and_lift_agree(kind):
    """Both densities are exact: lowering a lifted field gives back x, or its exchange."""
    phi4 = system(0.3, 0.2, (4, 4), name="square")
    target = kind(phi4)
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(200, target.n_dims, dtype=torch.float64, generator=generator)
    log_density, field = target.lift(x, generator)
    back, log_density_back = target.lower(field, generator)
    kept = (back == x).all(1)
    np.testing.assert_array_equal(log_density_back[kept], log_density[kept])
    if kind is Phi4FieldTarget:
        assert kept.all()
        np.testing.assert_allclose(log_density, -phi4.reduced_energy(field))
    else:
        assert 60 < int(kept.sum()) < 140  # the fair coin of the exchange
        swapped, _ = target.lower(field[:, torch.tensor(np.argsort(exchange(phi4)))], generator)
        assert torch.equal(swapped[~kept], x[~kept])


@pytest.mark.parametrize("pbc", [True, False])
@pytest.mark.parametrize("kind", [Phi4SublatticeTarget, Phi4FieldTarget])
def test_free_field_is_gaussian_with_the_exact_covariance(kind, pbc):
    """Also on an open lattice where hop times the coordination exceeds the mass term: still normalisable."""
    lattice = lattices.build("chain", (6,), pbc)
    hop, quadratic = 0.25, 0.51 if pbc else 0.47
    target = kind(Phi4(lattice, hop=hop, quadratic=quadratic, quartic=0.0))
    sites = target.kept.numpy() if kind is Phi4SublatticeTarget else np.arange(6)
    covariance = np.linalg.inv(2.0 * (quadratic * np.eye(6) - hop * lattice.adjacency))[np.ix_(sites, sites)]
    x = 30.0 * torch.randn(50, target.n_dims, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    quadratic_form = 0.5 * torch.einsum("bi,ij,bj->b", x, torch.tensor(np.linalg.inv(covariance)), x)
    constant = target.energy(x) - quadratic_form
    log_norm = 0.5 * np.linalg.slogdet(2.0 * math.pi * covariance)[1]
    exact = log_norm - target.system.exact_results()["log_z"]
    np.testing.assert_allclose(constant, exact, atol=1e-8)
