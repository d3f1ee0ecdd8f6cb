# SPDX-License-Identifier: MIT
"""Laws of unit vectors with random weights: normalised, drawn as evaluated, equivariant under O(3), E[w] = Z.

Rings are judged by the expansion in waves (`edgphys.exact.rotor_chains`), densities by a product of Gauss'
and the trapezoid rule. A wrong normaliser of the exact class must be seen.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.edg import jackknife_log_mean, mean_err, perturb
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.sphere_law import SphereLaw
from edgphys.edg.refinement.von_mises_fisher import draw_von_mises_fisher, log_sphere, sphere

LAW = SphereLaw(0.7, 0.3, 3.0)


def quadrature(n=40):
    """Points and weights on the sphere, exact for polynomials of degree 2 n - 1."""
    z, weight = np.polynomial.legendre.leggauss(n)
    azimuth = 2.0 * np.pi * np.arange(2 * n) / (2 * n)
    across = np.sqrt(1.0 - z**2)[:, None]
    ones = np.ones_like(azimuth)
    points = np.stack([across * np.cos(azimuth), across * np.sin(azimuth), z[:, None] * ones], axis=-1)
    weights = weight[:, None] * ones * (np.pi / n)
    return torch.from_numpy(points.reshape(-1, 3)), torch.from_numpy(weights.ravel())


POINTS, WEIGHTS = quadrature()


def coefficients(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    fields = 2.0 * torch.randn(*shape, 4, 3, dtype=torch.float64, generator=generator)
    return fields, torch.randn(*shape, 4, dtype=torch.float64, generator=generator)


def heisenberg(lattice="chain", extent=(12,), pbc=True, temperature=0.8, **couplings):
    return ep.Heisenberg(lattices.build(lattice, extent, pbc), temperature=temperature, **couplings)


def laws_of(system, scale=0.1, seed=1):
    laws = LatticeGenerator(system, width=5, root_width=5, seed=seed)
    return perturb(laws, scale, seed=seed + 1).requires_grad_(False)


def rotation(seed, n=1):
    """A matrix of O(3), with either sign of its determinant."""
    normal = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(normal)[0]


def test_log_sphere():
    """Against sinh, across the end of the series, with its derivative."""
    kappa = torch.tensor([0.01, 0.3, 0.316, 0.3163, 0.5, 3.0, 30.0], dtype=torch.float64)
    square = (kappa**2).requires_grad_(True)
    expected = torch.log(4.0 * math.pi * torch.sinh(kappa) / kappa)
    found = log_sphere(square)
    np.testing.assert_allclose(found.detach(), expected, atol=1e-9)
    (slope,) = torch.autograd.grad(found.sum(), square)
    np.testing.assert_allclose(slope, (1.0 / torch.tanh(kappa) - 1.0 / kappa) / (2.0 * kappa), atol=1e-8)
    flat = torch.zeros(1, requires_grad=True)
    assert torch.autograd.grad(log_sphere(flat).sum(), flat)[0].item() == pytest.approx(1.0 / 6.0)


def test_points_cover_the_sphere():
    x = sphere(128)
    np.testing.assert_allclose(x.square().sum(1), 1.0, atol=1e-12)
    np.testing.assert_allclose(x.mean(0), 0.0, atol=2e-3)
    np.testing.assert_allclose(x.T @ x / 128, np.eye(3) / 3, atol=2e-3)


@pytest.mark.statistical
@pytest.mark.parametrize("kappa", [0.0, 1e-9, 0.4, 3.0, 300.0])
def test_draws_of_von_mises_and_fisher(kappa):
    """Component along the field by Langevin's function, and its square; nothing across."""
    axis = rotation(1)[:, 0]
    x = draw_von_mises_fisher((kappa * axis).expand(20000, 3), torch.Generator().manual_seed(2))
    np.testing.assert_allclose(x.square().sum(1), 1.0, atol=1e-12)
    langevin = 1.0 / math.tanh(kappa) - 1.0 / kappa if kappa > 1e-3 else kappa / 3.0
    square = 1.0 - 2.0 * langevin / kappa if kappa > 1e-3 else 1.0 / 3.0
    assert_z(*mean_err(x @ axis), langevin, n_tests=20, max_err=0.006)
    assert_z(*mean_err((x @ axis) ** 2), square, n_tests=20, max_err=0.006)
    for across in rotation(1).T[1:]:
        assert_z(*mean_err(x @ across), 0.0, n_tests=20, max_err=0.006)
    assert_off(*mean_err(x @ axis), langevin - 0.04, least=6.0, max_err=0.006)


@pytest.mark.statistical
def test_law_is_normalised_and_drawn_as_evaluated():
    """Means of draws against quadrature; those of another share of the components are seen."""
    fields, shares = coefficients(3)
    density = torch.exp(LAW.log_prob(POINTS, fields, shares))
    assert float(WEIGHTS @ density) == pytest.approx(1.0, abs=1e-10)
    n = 20000
    x, log_prob = LAW.draw(fields.expand(n, 4, 3), shares.expand(n, 4), torch.Generator().manual_seed(4))
    np.testing.assert_allclose(log_prob, LAW.log_prob(x, fields, shares), atol=1e-12)
    exact = (WEIGHTS * density) @ torch.cat([POINTS, POINTS**2], 1)
    wrong = (WEIGHTS * torch.exp(LAW.log_prob(POINTS, fields, 0.0 * shares))) @ POINTS
    for k, values in enumerate(torch.cat([x, x**2], 1).T):
        assert_z(*mean_err(values), float(exact[k]), n_tests=6, max_err=0.006)
    off = int((wrong - exact[:3]).abs().argmax())
    assert_off(*mean_err(x[:, off]), float(wrong[off]), least=6.0, max_err=0.006)


def test_given_all_neighbours():
    """Density and normaliser by quadrature; on the grid, the same."""
    around = torch.tensor([[0.5, 2.0], [1.0, -3.0], [-0.7, 0.1]], dtype=torch.float64)
    height = LAW.local(POINTS)[:, None] + 0.7 * POINTS @ around
    exact = torch.logsumexp(height + torch.log(WEIGHTS)[:, None], 0)
    np.testing.assert_allclose(LAW.log_normaliser(around), exact, atol=1e-10)
    log_prob = LAW.exact_log_prob(POINTS[:, None].expand(-1, 2, 3), around[:, None].expand(3, len(POINTS), 2))
    np.testing.assert_allclose(log_prob, height - exact, atol=1e-10)
    np.testing.assert_allclose(
        LAW.log_weight_on_grid(around), (LAW.local(LAW.grid)[:, None] + 0.7 * LAW.grid @ around).T, atol=1e-12
    )
    times = torch.tensor([1.0, 2.0], dtype=torch.float64)
    more = around[..., None] + times[None, :, None] * LAW.grid.T[:, None]
    np.testing.assert_allclose(
        LAW.log_normaliser_on_grid(around, times), LAW.log_normaliser(more), atol=1e-12
    )


def test_mean_log_prob_is_that_of_the_points():
    fields, shares = coefficients(5, 128)
    found = LAW.mean_log_prob(LAW.moments(LAW.grid), fields, shares)
    np.testing.assert_allclose(found, LAW.log_prob(LAW.grid, fields, shares), atol=1e-10)


def test_law_in_a_field():
    """One component times the exponential of a field, normalised; the fields of all components are moved."""
    fields, shares = coefficients(6)
    one = fields[:1].expand(4, 3), shares
    field = torch.tensor([0.4, -1.0, 2.0], dtype=torch.float64)
    found = LAW.log_prob(POINTS, *LAW.in_field(one, field, 0.3))
    height = LAW.log_prob(POINTS, *one) + field @ LAW.vector(POINTS)
    assert float(LAW.vector(torch.eye(3)[2])[0]) == 1.0  # the axis of a field is the first
    np.testing.assert_allclose(found, height - torch.logsumexp(height + torch.log(WEIGHTS), 0), atol=1e-9)


@pytest.mark.statistical
@pytest.mark.parametrize("couplings", [{}, {"coupling": -0.7}, {"field": 0.5}])
def test_weights_on_a_ring_average_to_the_sum_over_waves(couplings):
    """12 sites: three in the root, three learned, six exact. A normaliser of half the coupling is seen."""
    system = heisenberg(**couplings)
    laws, exact = laws_of(system), system.exact_results()["log_z"]
    x, log_prob = laws.sample(6000, torch.Generator().manual_seed(3))
    assert x.shape == (6000, 36)
    np.testing.assert_allclose(log_prob, laws.log_prob(x), atol=2e-5)
    log_w = laws.log_weight(x, log_prob)
    assert_z(*jackknife_log_mean(log_w), exact, n_tests=3, max_err=0.05)
    by_site, law = laws.refinement.law.by_site(x), laws.refinement.law
    around = laws.refinement._around_exact(by_site)
    wrong = law.log_normaliser(around).sum(1) - law.log_normaliser(0.5 * around).sum(1)
    assert_off(*jackknife_log_mean(log_w - wrong), exact, least=6.0, max_err=0.2)


@pytest.mark.parametrize("field", [0.0, 0.4])
def test_density_rotates_and_reflects(field):
    """Without a field with all of O(3), with one with the rotations about it alone."""
    laws = laws_of(heisenberg("square", (4, 8), field=field), 0.3)
    x, log_prob = laws.sample(50, torch.Generator().manual_seed(4))
    about = torch.eye(3, dtype=torch.float64)
    about[:2, :2] = torch.linalg.qr(rotation(7)[:2, :2])[0]

    def moved(matrix):
        return laws.log_prob((x.unflatten(1, (-1, 3)) @ matrix.T).flatten(1))

    np.testing.assert_allclose(moved(about), log_prob, atol=2e-4)
    if field:
        assert float((moved(rotation(8)) - log_prob).abs().max()) > 0.3
    else:
        np.testing.assert_allclose(moved(rotation(8)), log_prob, atol=2e-4)


def test_marginal_is_the_integral_over_exact_sites():
    """And the weight does not depend on them."""
    system = heisenberg("square", (4, 4), field=0.3, coupling={"x": 1.0, "y": -0.4})
    laws = laws_of(system, 0.3)
    x, log_prob = laws.sample(50, torch.Generator().manual_seed(5))
    refinement, sites = laws.refinement, laws.refinement.law.by_site(x)
    log_learned = refinement.learned_log_density(sites, range(refinement.n_classes))
    expected = laws.log_weight(x, log_prob) + laws.root.log_prob(refinement.restrict(sites)) + log_learned
    np.testing.assert_allclose(refinement.log_marginal(sites), expected, atol=2e-4)


def test_mean_of_a_vector_given_all_others():
    """Of a site of a ring of six with its two exact neighbours integrated out: the mean by quadrature."""
    refinement = laws_of(heisenberg(extent=(6,), field=0.4)).refinement
    law, generator = refinement.law, torch.Generator().manual_seed(3)
    x = draw_von_mises_fisher(torch.zeros(2, 6, 3), generator)
    sites = np.setdiff1d(np.arange(6), refinement.classes.exact)
    found = refinement.means.moments(law, x, refinement._around_exact(x), torch.from_numpy(sites))
    for k, site in enumerate(sites):
        for row in range(2):
            moved = x[row].expand(len(POINTS), 6, 3).clone()
            moved[:, site] = POINTS
            p = torch.softmax(refinement.log_marginal(moved) + torch.log(WEIGHTS), 0)
            np.testing.assert_allclose(found[row, k] @ law.grid, p @ POINTS, atol=3e-3)


def test_fields_of_each_site_have_no_law():
    lattice = lattices.build("square", (4, 4))
    with pytest.raises(ValueError, match="no law for the sites of heisenberg whose fields differ"):
        ep.EDG(ep.Heisenberg(lattice, temperature=1.0, field=np.linspace(0.0, 1.0, 16)))
