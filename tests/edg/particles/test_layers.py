# SPDX-License-Identifier: MIT
"""Layers on clusters of particles: Jacobians against autograd, symmetry as an identity, inverses."""

from __future__ import annotations

import itertools

import pytest
import torch
from helpers.edg import perturb

from edgphys.edg.particles.decoder import ParticleDecoder, stretch
from edgphys.edg.particles.layers import PairFlow, PairNetwork, RadialBasis

DOUBLE = torch.float64


def generator(seed):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed):
    return torch.randn(*shape, generator=generator(seed), dtype=DOUBLE)


def make_flow(seed=0, scale=0.1):
    flow = PairFlow(3, RadialBasis(8, 2.0), generator(seed)).double()
    return perturb(flow, scale, seed + 1)


def make_decoder(n_particles, n_axes, seed=0, scale=0.01, noise=0.05):
    sizes = {"scale": 1.3, "noise": noise, "width": 3, "depth": 3, "n_gaussians": 8}
    decoder = ParticleDecoder(n_particles, n_axes, generator=generator(seed), **sizes).double()
    return perturb(decoder, scale, seed + 1)


def jacobian_of(function, z):
    """d function / d z of each row by autograd, for a map from rows to rows."""
    return torch.func.vmap(torch.func.jacrev(lambda row: function(row[None])[0]))(z)


def orthogonal(n_axes, seed, reflect):
    """A rotation of space, or a reflection followed by one."""
    q, _ = torch.linalg.qr(normal(n_axes, n_axes, seed=seed))
    q = q * torch.sign(torch.linalg.det(q)) if n_axes % 2 else q
    if (torch.linalg.det(q) < 0) != reflect:
        q = torch.cat([-q[:, :1], q[:, 1:]], 1)
    return q


def test_basis_slope_is_the_derivative():
    basis = RadialBasis(6, 1.5).double()
    r = torch.linspace(0.1, 4.0, 9, dtype=DOUBLE, requires_grad=True)
    value = basis(r)
    slope = basis.slopes(r, value)
    for k in range(basis.n_functions):
        (expected,) = torch.autograd.grad(value[:, k].sum(), r, retain_graph=True)
        torch.testing.assert_close(slope[:, k], expected, rtol=1e-12, atol=1e-14)


def test_flow_starts_as_identity():
    flow = PairFlow(3, RadialBasis(8, 2.0), generator(0)).double()
    x = normal(2, 4, 3, seed=0)
    moved, jacobian = flow.with_jacobian(x)
    assert torch.equal(moved, x) and torch.equal(jacobian, torch.eye(12, dtype=DOUBLE).expand(2, -1, -1))


@pytest.mark.parametrize(("n_particles", "n_axes"), [(2, 1), (4, 2), (5, 3)])
def test_flow_jacobian_matches_autograd(n_particles, n_axes):
    flow, x = make_flow(), normal(3, n_particles, n_axes, seed=1)
    moved, jacobian = flow.with_jacobian(x)
    torch.testing.assert_close(moved, flow(x), rtol=1e-12, atol=1e-12)
    flat = x.flatten(1)
    expected = jacobian_of(lambda row: flow(row.view(1, n_particles, n_axes)).flatten(1), flat)
    torch.testing.assert_close(jacobian, expected, rtol=1e-9, atol=1e-10)
    # Negative control: without the surroundings' response the Jacobian is another one.
    with torch.no_grad():
        flow.pair[:, 1:] = 0.0
    if n_particles > 2:
        assert (flow.with_jacobian(x)[1] - expected).abs().max() > 1e-3


def test_flow_keeps_the_mean_and_common_shifts():
    flow, x = make_flow(), normal(3, 5, 3, seed=2)
    shift = normal(1, 1, 3, seed=3)
    torch.testing.assert_close(flow(x).mean(1), x.mean(1), rtol=0, atol=1e-13)
    torch.testing.assert_close(flow(x + shift), flow(x) + shift, rtol=0, atol=1e-12)
    common = torch.eye(3, dtype=DOUBLE).repeat(5, 1)
    torch.testing.assert_close(flow.with_jacobian(x)[1] @ common, common.expand(3, -1, -1))


def test_flow_commutes_with_permutations_and_orthogonal_maps():
    flow, x = make_flow(), normal(2, 4, 3, seed=4)
    for order in itertools.permutations(range(4)):
        torch.testing.assert_close(flow(x[:, order]), flow(x)[:, order], rtol=0, atol=1e-13)
    for reflect in (False, True):
        q = orthogonal(3, 5, reflect)
        torch.testing.assert_close(flow(x @ q), flow(x) @ q, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("n_particles", "n_axes"), [(3, 2), (4, 3)])
def test_decoder_determinant_is_that_of_the_mean_free_map(n_particles, n_axes):
    decoder = make_decoder(n_particles, n_axes)
    z = normal(4, decoder.n_dims, seed=6)
    mean, jacobian = decoder.tangent(z)
    torch.testing.assert_close(mean, decoder.centre(z), rtol=1e-12, atol=1e-12)
    expected = torch.linalg.slogdet(jacobian_of(decoder.centre, z))[1]
    found = torch.linalg.slogdet(jacobian)[1] + decoder.n_dims * decoder.log_amplitude
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert (expected - decoder.n_dims * decoder.log_amplitude).abs().max() > 0.1


def test_decoder_log_prob_is_the_gaussian_with_carried_noise():
    decoder = make_decoder(3, 2)
    z = normal(4, decoder.n_dims, seed=7)
    x, log_prob, _ = decoder.noisy(z, generator(8))
    factor = decoder.noise * jacobian_of(decoder.centre, z)
    density = torch.distributions.MultivariateNormal(decoder.centre(z), factor @ factor.mT)
    torch.testing.assert_close(log_prob, density.log_prob(x), rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(decoder.log_prob(x, z), log_prob, rtol=1e-8, atol=1e-8)
    assert (decoder.log_prob(x, z.roll(1, 0)) - log_prob).abs().min() > 1.0


def test_preimage_inverts_a_gentle_decoder():
    decoder = make_decoder(4, 2)
    z = normal(50, decoder.n_dims, seed=9)
    torch.testing.assert_close(decoder.preimage(decoder.centre(z)), z, rtol=0, atol=1e-5)
    assert (decoder.preimage(decoder.centre(z) + 0.1) - z).abs().min() > 1e-4


def test_stretch_is_the_spectral_norm():
    flow, x = make_flow(scale=0.05), normal(20, 4, 2, seed=10)
    jacobian = flow.with_jacobian(x)[1]
    exact = torch.linalg.matrix_norm(jacobian - torch.eye(8, dtype=DOUBLE), 2)
    found = stretch(jacobian)
    assert (found <= exact * (1 + 1e-9)).all() and (found > 0.7 * exact).all()


def test_network_is_equivariant_and_starts_at_zero():
    size = {"width": 6, "depth": 2, "generator": generator(0)}
    network = PairNetwork(2, 1, 1, 3, **size).double()
    vectors, condition = normal(2, 4, 2, 3, seed=11), normal(2, 3, seed=12)
    assert all(not value.any() for value in network(vectors, condition))
    perturb(network, 0.3, 1)
    out, scalar = network(vectors, condition)
    assert out.abs().max() > 0.01 and scalar.std() > 1e-3
    torch.testing.assert_close(out.mean(1), torch.zeros_like(out[:, 0]), rtol=0, atol=1e-13)
    q = orthogonal(3, 13, reflect=True)
    for order in itertools.permutations(range(4)):
        moved, same = network(vectors[:, order] @ q + 1.0, condition)
        torch.testing.assert_close(moved, out[:, order] @ q, rtol=0, atol=1e-12)
        torch.testing.assert_close(same, scalar, rtol=0, atol=1e-12)
    # Negative control: vectors turned one by one are another cluster.
    turned = torch.cat([vectors[:, :, :1] @ q, vectors[:, :, 1:]], 2)
    assert (network(turned, condition)[1] - scalar).abs().max() > 1e-3
