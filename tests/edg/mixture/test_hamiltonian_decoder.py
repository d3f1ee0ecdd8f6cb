# SPDX-License-Identifier: MIT
"""The Hamiltonian decoder: its force and its dynamics by hand, its linear theory, exactness of its weights.

Systems with a gradient in closed form, by autograd (`Potential`, lattice targets), and none that torch can
differentiate twice (a compiled function), which is refused. Controls: a wrong temperature, the density of
another noise.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.continuous_edg import SYSTEMS, build, two_wells
from helpers.edg import boltzmann, draw_weights, jackknife_log_mean, perturb
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.core.divergence import field_and_divergence
from edgphys.edg.core.model import Draw
from edgphys.edg.mixture.gaussian_mixture import GaussianMixture
from edgphys.edg.mixture.hamiltonian_decoder import HamiltonianDecoder, stiffness_of
from edgphys.edg.targets.continuous import ContinuousTarget, CountedTarget
from edgphys.edg.targets.registry import make_target
from edgphys.edg.weights.ode import ode_log_weights
from edgphys.systems import Harmonic, Ising, Phi4, Planar, Potential

STEPS = (1, 2, 8)


def decoder_of(system, mixture, n_leapfrog=2, size=(6, 1)):
    target = ContinuousTarget(system)
    return HamiltonianDecoder(mixture, target.gradient, n_leapfrog, *size, torch.Generator().manual_seed(0))


def exact_basin(system):
    """The one component that a harmonic system is."""
    roots = np.diag(np.sqrt(system.temperature / system._springs))[None]
    return GaussianMixture(np.ones(1), np.zeros((1, len(system._springs))), roots)


def points(n, n_dims, seed=1, dtype=torch.float64):
    return torch.randn(n, n_dims, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("name", ["harmonic 3", "double well", "potential"])
def test_force_is_the_gradient_in_the_frame_cut_smoothly(name):
    """By central differences of U along y."""
    (system, _), _, mixture = SYSTEMS[name]()
    decoder = decoder_of(system, mixture)
    d, label = system.n_variables, torch.arange(20) % len(mixture.weights)
    y = points(20, d)
    gradient = torch.empty_like(y)
    for i in range(d):
        step = 1e-5 * torch.eye(d, dtype=torch.float64)[i]
        above, below = (
            system.reduced_energy(decoder.frames.outward(y + s * step, label)) for s in (1.0, -1.0)
        )
        gradient[:, i] = (above - below) / 2e-5
    longest = 10.0 * math.sqrt(d)
    expected = gradient / torch.sqrt(1.0 + gradient.square().sum(1, keepdim=True) / longest**2)
    torch.testing.assert_close(decoder.force(y, label), expected, rtol=1e-6, atol=1e-6)
    # Far out it is never longer than that, and never infinite.
    far = decoder.force(1e4 * y, label)
    assert float(far.norm(dim=1).max()) <= longest * (1 + 1e-9) and bool(torch.isfinite(far).all())


def by_hand(gradient, mixture, z, label, n_leapfrog):
    """The start of the module docstring, point by point in numpy: T = Q = eta = 0."""
    means = []
    for row, c in zip(z, label, strict=True):
        root, centre = mixture.factors[c], mixture.means[c]
        parts = row.reshape(n_leapfrog + 1, -1)

        def force(y, root=root, centre=centre):
            value = root.T @ gradient(centre + root @ y)
            return value / math.sqrt(1.0 + value @ value / (100.0 * len(value)))

        y = parts[0]
        for v in parts[1:]:
            v = v - 0.25 * force(y)
            y = y + 0.5 * v
        means.append(y - 0.15 * force(y))
    return np.array(means)


@pytest.mark.parametrize("n_leapfrog", [1, 3])
@pytest.mark.parametrize("name", ["harmonic 3", "double well"])
def test_start_is_the_dynamics_of_the_docstring(name, n_leapfrog):
    (system, _), _, mixture = SYSTEMS[name]()
    decoder = decoder_of(system, mixture, n_leapfrog).double()
    z = points(12, decoder.n_latent)
    label = torch.arange(12) % len(mixture.weights)
    mean, log_sd = decoder.centre(z, label)

    def gradient(x):
        return system.gradient(torch.tensor(x)[None])[0].numpy()

    expected = by_hand(gradient, mixture, z.numpy(), label.tolist(), n_leapfrog)
    # Means and parameters are kept in single precision.
    np.testing.assert_allclose(mean.detach().numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(log_sd.detach().numpy(), 0.5 * math.log(0.3), atol=1e-6)


def test_linear_theory_is_the_jacobian_in_a_gaussian_basin():
    system = Harmonic(n_dims=2, temperature=0.5, ratio=4.0)
    decoder = decoder_of(system, exact_basin(system), 3).double()
    amplitude, noise = decoder.linear_theory()
    label = torch.zeros(1, dtype=torch.long)
    jacobian = torch.autograd.functional.jacobian(
        lambda z: decoder.centre(z[None], label)[0][0], torch.zeros(8, dtype=torch.float64)
    )
    expected = torch.cat([torch.diag(amplitude[0, k]) for k in range(4)], 1).double()
    torch.testing.assert_close(jacobian, expected, rtol=1e-5, atol=1e-6)
    # Nearly N(0, 1) comes out.
    variance = amplitude[0].square().sum(0) + noise[0].square()
    assert variance.tolist() == pytest.approx([1.0, 1.0], abs=0.06)


@pytest.mark.parametrize("name", ["double well", "potential"])
def test_decoder_is_differentiated_through_its_forces(name):
    (system, _), _, mixture = SYSTEMS[name]()
    decoder = perturb(decoder_of(system, mixture).double(), 0.1, 2)
    z, label = points(3, decoder.n_latent), torch.tensor([0, 1, 0])
    assert torch.autograd.gradcheck(lambda z: decoder.centre(z, label), z.requires_grad_(), atol=1e-5)


@pytest.mark.parametrize("scale", [0.0, 0.1])
def test_closed_form_and_automatic_gradients_give_the_same_draws(scale):
    draws = []
    for name in ("double well", "potential"):
        (system, _), _, mixture = SYSTEMS[name]()
        model = build(system, mixture, n_leapfrog=2, scale=scale)
        with torch.no_grad():
            draws.append(model.draw(50, torch.Generator().manual_seed(3)))
    torch.testing.assert_close(draws[0].x, draws[1].x, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(draws[0].log_prob, draws[1].log_prob, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("n_leapfrog", [1, 3])
def test_axes_of_the_groups_are_orthonormal(n_leapfrog):
    (system, _), _, mixture = SYSTEMS["harmonic 3"]()
    model = build(system, mixture, n_leapfrog=n_leapfrog)
    z = points(10, model.n_latent, dtype=torch.float32)
    turned = model.project(z)
    torch.testing.assert_close(model.combine(turned), z)
    torch.testing.assert_close(turned.norm(dim=1), z.norm(dim=1))
    # The first holds what x knows of z, the others nothing.
    amplitude = model.decoder.linear_theory()[0][0]
    along = model.project(amplitude.reshape(1, -1)).view(n_leapfrog + 1, 3)
    torch.testing.assert_close(along[0].abs(), amplitude.norm(dim=0))
    torch.testing.assert_close(along[1:], torch.zeros(n_leapfrog, 3), rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("n_steps", STEPS)
def test_start_is_nearly_exact_in_a_gaussian_basin(n_steps):
    """log w = log pi(x) - log q(x), q the Gaussian of a linear decoder; what is left is the cut of the force.

    Along other axes the encoder is not exact.
    """
    system = Harmonic(n_dims=2, ratio=4.0)
    model = build(system, exact_basin(system), n_leapfrog=3)
    log_w, x = draw_weights(model, 4000, n_steps, seed=6)
    amplitude, noise = model.decoder.linear_theory()
    variance = (amplitude[0].square().sum(0) + noise[0].square()).double()
    scaled = x * torch.tensor(system._springs).sqrt()
    log_q = (-0.5 * scaled**2 / variance - 0.5 * torch.log(2 * math.pi * variance)).sum(1)
    log_q += 0.5 * math.log(4.0)  # of the two springs
    expected = -system.reduced_energy(x) - log_q
    assert float((log_w - expected).square().mean().sqrt()) < 0.03
    model.encoder.axes.copy_(torch.eye(4))
    wrong, _ = draw_weights(model, 4000, n_steps, seed=6)
    assert float((wrong - expected).square().mean().sqrt()) > 0.2


@pytest.mark.parametrize("kind", ["one Gaussian basin", "six narrow ones"])
def test_first_steps_follow_the_stiffness(kind):
    """1 where the frame is right; far above for narrow basins in a wide frame, and then draws stay in them.

    With steps for unit stiffness the same start overshoots the basins and its mean energy is that of a wide
    Gaussian.
    """
    if kind == "one Gaussian basin":
        system = Harmonic(n_dims=2, ratio=4.0)
        mixture, limits = exact_basin(system), (1.0, 1.06)
    else:
        system = Planar("mog6")
        modes = np.asarray(system.kernel_parameters).reshape(-1, 3)
        variance = modes[:, :2].var(0) + modes[0, 2]
        mixture = GaussianMixture(np.ones(1), np.zeros((1, 2)), np.diag(np.sqrt(variance))[None])
        # Curvature of a basin in the frame; the nearest basin is less far than the middle of the frame.
        curvature = variance[0] / modes[0, 2]
        limits = 0.3 * curvature, curvature
    gradient = ContinuousTarget(system).gradient
    stiffness = stiffness_of(mixture, gradient, torch.Generator().manual_seed(2))
    assert limits[0] <= stiffness <= limits[1]
    energies = {}
    for name, value in (("measured", stiffness), ("unit", 1.0)):
        decoder = HamiltonianDecoder(mixture, gradient, 4, 6, 1, torch.Generator(), value)
        z, label = points(2000, decoder.n_latent, dtype=torch.float32), torch.zeros(2000, dtype=torch.long)
        with torch.no_grad():
            mean, log_sd = decoder.centre(z, label)
            y = mean + torch.exp(log_sd) * points(2000, 2, seed=3, dtype=torch.float32)
            energies[name] = float(system.reduced_energy(decoder.frames.outward(y, label)).mean())
    if kind != "one Gaussian basin":
        assert energies["measured"] < 0.5 * energies["unit"]


def test_scales_of_the_networks_are_bounded():
    """However large the outputs of the networks, one step is finite in single precision."""
    (system, _), _, mixture = SYSTEMS["double well"]()
    decoder = decoder_of(system, mixture)
    with torch.no_grad():
        for network in (decoder.kick, decoder.drift, decoder.spread):
            network.last.bias.fill_(500.0)
    mean, log_sd = decoder.centre(points(20, decoder.n_latent, dtype=torch.float32), torch.arange(20) % 2)
    assert bool(torch.isfinite(mean).all()) and bool(torch.isfinite(log_sd).all())
    torch.testing.assert_close(log_sd, torch.full_like(log_sd, 0.5 * (math.log(0.3) + 2.0)))


# E[w] = Z.


def mean_weight(model, n_steps):
    """log <w> and its error, to compare with log Z."""
    return jackknife_log_mean(draw_weights(model, 8000, n_steps, seed=4)[0])


@pytest.mark.statistical
@pytest.mark.parametrize("scale", [0.0, 0.1])
@pytest.mark.parametrize("n_steps", STEPS)
@pytest.mark.parametrize("name", ["harmonic 1", "harmonic 3", "double well", "potential"])
def test_weights_average_to_z(name, n_steps, scale, device):
    (system, log_z), _, mixture = SYSTEMS[name]()
    model = build(system, mixture, n_leapfrog=2, scale=scale, device=device)
    assert_z(*mean_weight(model, n_steps), log_z, n_tests=40, max_err=0.1)


@pytest.mark.statistical
def test_weights_of_the_gaussian_encoder_average_to_z():
    (system, log_z), _, mixture = SYSTEMS["harmonic 3"]()
    model = build(system, mixture, n_leapfrog=1, scale=0.05, diffusion=False, n_path_steps=1)
    assert_z(*mean_weight(model, 1), log_z, n_tests=40, max_err=0.1)


def phi4_chain():
    system = Phi4(lattices.build("chain", (4,)), kappa=0.2, lam=0.1)
    nodes = np.linspace(-6.0, 6.0, 401)
    site = np.exp(-0.8 * nodes**2 - 0.1 * nodes**4)
    kernel = np.exp(0.4 * np.outer(nodes, nodes)) * np.sqrt(np.outer(site, site))
    transfer = kernel * (nodes[1] - nodes[0])
    return system, math.log(np.trace(np.linalg.matrix_power(transfer, 4)))


def ising_square():
    system = Ising(lattices.build("square", (3, 3)), temperature=4.0, field=0.2)
    return system, boltzmann(system)[2]


@pytest.mark.statistical
@pytest.mark.parametrize("n_leapfrog", [0, 1])
@pytest.mark.parametrize("make", [phi4_chain, ising_square])
def test_weights_on_small_lattices_average_to_z(make, n_leapfrog):
    """Enumeration of the spins; the transfer matrix of the field on a grid. The gradient is by autograd."""
    system, log_z = make()
    target = CountedTarget(make_target(system, "auto"))
    covariance = target.inner.gaussian_start().mixed_covariance
    values, vectors = np.linalg.eigh(covariance)
    root = 1.1 * (vectors * np.sqrt(values)) @ vectors.T
    means = 0.2 * np.outer([1.0, -1.0], np.ones(target.n_dims))
    mixture = GaussianMixture(np.array([0.4, 0.6]), means, np.array([root, root]))
    model = build(target, mixture, n_leapfrog=n_leapfrog, scale=0.03)
    found = mean_weight(model, 8)
    assert_z(*found, log_z, n_tests=40, max_err=0.05)
    assert_off(*found, log_z + 0.3, least=25.0, max_err=0.05)


@pytest.mark.statistical
@pytest.mark.parametrize("wrong", ["temperature", "noise"])
def test_wrong_weights_are_found(wrong, monkeypatch):
    (system, log_z), _, mixture = SYSTEMS["double well"]()
    model = build(system, mixture, n_leapfrog=2)
    assert_z(*mean_weight(model, 4), log_z, n_tests=40, max_err=0.1)
    if wrong == "temperature":
        log_z = system.replace(temperature=1.2).exact_results()["log_z"]
    else:
        # The density of another noise than that of the draw.
        true = model._decoded

        def decoded(*arguments):
            x, log_prob = true(*arguments)
            return x, log_prob + 0.15

        monkeypatch.setattr(model, "_decoded", decoded)
    assert_off(*mean_weight(model, 4), log_z, least=12.0, max_err=0.1)


# The flow, through gradients of all kinds.


@pytest.mark.parametrize("chunk_size", [1, 2, 16])
@pytest.mark.parametrize("name", ["double well", "potential"])
def test_divergence_of_the_drive_is_the_trace_of_its_jacobian(name, chunk_size):
    (system, _), _, mixture = SYSTEMS[name]()
    model = build(system, mixture, n_leapfrog=1, scale=0.1)
    with torch.no_grad():
        draw = model.draw(3, torch.Generator().manual_seed(5))
    model = model.double()
    z, x, sigma = draw.z.double(), draw.x.double(), torch.full((3,), 0.6, dtype=torch.float64)

    def field(latents):
        return model.drive(latents, x, sigma, draw.label)

    jacobian = torch.autograd.functional.jacobian(field, z)
    with torch.no_grad():
        value, divergence = field_and_divergence(field, z, None, chunk_size)
        torch.testing.assert_close(value, field(z))
    expected = torch.stack([torch.trace(jacobian[k, :, k]) for k in range(3)])
    torch.testing.assert_close(divergence, expected, rtol=1e-9, atol=1e-9)
    assert not value.requires_grad and not divergence.requires_grad


@pytest.mark.parametrize("name", ["double well", "potential"])
def test_flow_density_integrates_to_one(name):
    """exp of log p_E(z | x) over a grid of the two latents of a one-dimensional system."""
    system = Harmonic() if name == "double well" else Potential(lambda x: 0.5 * (x**2).sum(1), n_dims=1)
    model = build(system, two_wells(0.4, [1.0]), n_leapfrog=1, scale=0.05)
    axis = torch.linspace(-5.0, 5.0, 51)
    z = torch.cartesian_prod(axis, axis)
    n = len(z)
    x, label = torch.full((n, 1), 0.3), torch.zeros(n, 1, dtype=torch.long)
    with torch.no_grad():
        log_prob = model.log_prob_given(x, z, label)
        log_w = ode_log_weights(model, Draw(z, label, x, log_prob), torch.zeros(n), torch.Generator())
        log_posterior = log_w + log_prob - model.log_prob_label(x, label).double()
    assert float(torch.exp(log_posterior).sum()) * 0.2**2 == pytest.approx(1.0, abs=0.02)


def test_hamiltonian_model_trains_on_the_true_gradient_of_its_bound():
    """Of the energy of the draws, with respect to a step size: against central differences."""
    model = build(Planar("mog2"), two_wells(5.0, [0.6, 0.6]), n_leapfrog=2, scale=0.05).double()
    z, label = points(64, model.n_latent), torch.arange(64) % 2

    def energy():
        mean, _ = model.decoder.centre(z, label)
        return model.target.energy(model.decoder.frames.outward(mean, label)).mean()

    energy().backward()
    found = model.decoder.log_step.grad.clone()
    for k in range(2):
        values = []
        for change in (1e-5, -2e-5):
            with torch.no_grad():
                model.decoder.log_step[k] += change
                values.append(float(energy()))
        with torch.no_grad():
            model.decoder.log_step[k] += 1e-5
        assert float(found[k]) == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4, abs=1e-8)
