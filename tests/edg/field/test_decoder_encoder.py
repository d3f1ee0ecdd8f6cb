# SPDX-License-Identifier: MIT
"""Decoder and encoder: the symmetry of the target, with random weights, and the Gaussian where all is exact.

Everything here is deterministic up to Gaussian draws that enter both sides alike, in float64, to 1e-9.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.edg import make_model, restricted_group
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.core.path import log_weights, reverse_log_weights
from edgphys.edg.field.spectral import SpectralBasis
from edgphys.edg.targets.ising import IsingDecimationTarget, IsingRelaxationTarget
from edgphys.edg.targets.phi4 import Phi4FieldTarget, Phi4SublatticeTarget
from edgphys.systems import Ising, Phi4


@pytest.fixture(autouse=True)
def float64():
    """Models draw in the default dtype; identities are checked in double precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def decimation(name, extent, pbc=True, temperature=2.0, **parameters):
    return IsingDecimationTarget(Ising(lattices.build(name, extent, pbc), temperature, **parameters))


def relaxation(name, extent, pbc=True, temperature=2.0, **parameters):
    return IsingRelaxationTarget(Ising(lattices.build(name, extent, pbc), temperature, **parameters))


def phi4(kind, name, extent, pbc=True, kappa=0.25, lam=0.1):
    return kind(Phi4(lattices.build(name, extent, pbc), kappa=kappa, lam=lam))


TARGETS = {
    "decimated square": lambda: decimation("square", (4, 4)),
    "cold square": lambda: decimation("square", (4, 4), temperature=1.5),
    "square in a field": lambda: decimation("square", (4, 4), field=0.3),
    "open square": lambda: decimation("square", (3, 4), False),
    "honeycomb": lambda: decimation("honeycomb", (3, 3), temperature=1.4),
    "triangular": lambda: relaxation("triangular", (3, 4), temperature=3.0),
    "frustrated": lambda: relaxation("triangular", (3, 3), temperature=0.7, coupling=-1.0),
    "antiferromagnet": lambda: relaxation("square", (4, 4), temperature=1.5, coupling=-1.0),
    "phi4 sublattice": lambda: phi4(Phi4SublatticeTarget, "square", (4, 4)),
    "phi4 broken": lambda: phi4(Phi4SublatticeTarget, "square", (4, 4), kappa=0.5),
    "phi4 field": lambda: phi4(Phi4FieldTarget, "square", (3, 4), False),
    "phi4 staggered": lambda: phi4(Phi4FieldTarget, "square", (4, 4), kappa=-0.5),
}


def sites_of(target):
    for name in ("soft", "kept"):
        if hasattr(target, name):
            return getattr(target, name).cpu().numpy()
    return np.arange(target.n_dims)


def model_of(name, device, scale=0.3):
    return make_model(TARGETS[name](), scale=scale).double().to(device)


def inputs(model, n=6, seed=5):
    generator = torch.Generator().manual_seed(seed)
    z, x = torch.randn(2, n, model.decoder.n_latent, generator=generator)
    sigma = torch.tensor([0.0, 0.3, 0.8, 1.0, 0.2, 0.9])
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0, 0.0, 0.0])
    return [t.to(model.device) for t in (z, x, sigma, sign)]


@pytest.mark.parametrize("name", TARGETS)
@torch.no_grad()
def test_lattice_symmetry(name, device):
    """mu(T z, g) = T mu(z, g), the same for the drive and p_E(g | x), for all T that keep the target's sites.

    A T that exchanges the sublattices turns a staggered pattern round; then g changes sign with it.
    """
    model = model_of(name, device)
    target = model.target
    z, x, sigma, sign = inputs(model)
    mean, drive = model.decoder.mean(z, sign), model.drive(z, x, sigma, sign)
    log_prob = model.log_prob_label(x, sign)
    assert float(mean.std()) > 0.1 and float(drive.std()) > 0.1
    group = restricted_group(target.system.lattice, sites_of(target))
    for p in group[:: max(1, len(group) // 40)]:
        turned = float(np.sign(target.pattern[p.numpy()] @ target.pattern))
        torch.testing.assert_close(model.decoder.mean(z[:, p], turned * sign), mean[:, p], rtol=0, atol=1e-9)
        torch.testing.assert_close(
            model.drive(z[:, p], x[:, p], sigma, turned * sign), drive[:, p], rtol=0, atol=1e-9
        )
        torch.testing.assert_close(model.log_prob_label(x[:, p], turned * sign), log_prob, rtol=0, atol=1e-9)
    shuffled = torch.randperm(target.n_dims, generator=torch.Generator().manual_seed(6))
    assert float((model.decoder.mean(z[:, shuffled], sign) - mean[:, shuffled]).abs().max()) > 1e-4


@pytest.mark.parametrize("name", TARGETS)
@torch.no_grad()
def test_joint_change_of_sign(name, device):
    model = model_of(name, device)
    z, x, sigma, sign = inputs(model)
    mean, drive = model.decoder.mean(z, sign), model.drive(z, x, sigma, sign)
    if not model.target.symmetric:  # a field tells up from down, and the networks know
        assert float((model.decoder.mean(-z, -sign) + mean).abs().amax(1).min()) > 1e-3
        assert float((model.drive(-z, -x, sigma, -sign) + drive).abs().amax(1).min()) > 1e-3
        assert float((model.log_prob_label(-x, -sign) - model.log_prob_label(x, sign)).abs().min()) > 1e-3
        return
    torch.testing.assert_close(model.decoder.mean(-z, -sign), -mean, rtol=0, atol=1e-9)
    torch.testing.assert_close(model.drive(-z, -x, sigma, -sign), -drive, rtol=0, atol=1e-9)
    torch.testing.assert_close(
        model.log_prob_label(-x, -sign), model.log_prob_label(x, sign), rtol=0, atol=1e-9
    )
    # The label alone matters: the two phases and the mixed configurations are three different maps.
    maps = [model.decoder.mean(z, g * torch.ones_like(sign)) for g in (-1, 0, 1)]
    for k in range(3):
        assert float((maps[k] - maps[k - 1]).abs().amax(1).min()) > 1e-3


@pytest.mark.parametrize("name", TARGETS)
@torch.no_grad()
def test_probabilities_of_the_signs_add_up(name, device):
    model = model_of(name, device)
    _, x, _, sign = inputs(model)
    minus, mixed, plus = (model.log_prob_label(x, g * torch.ones_like(sign)) for g in (-1, 0, 1))
    total = torch.exp(minus) + torch.exp(mixed) + torch.exp(plus)
    torch.testing.assert_close(total, torch.ones_like(total))
    torch.testing.assert_close(
        torch.stack([minus, plus, mixed, mixed]).T[torch.arange(6), [1, 0, 1, 0, 2, 2]],
        model.log_prob_label(x, sign),
    )
    prior = model.log_prior_label(torch.tensor([-1.0, 0.0, 1.0], device=model.device))
    assert float(torch.exp(prior).sum()) == pytest.approx(1.0, rel=1e-12)
    torch.testing.assert_close(torch.exp(prior), model.label_probabilities())
    assert bool(prior[0] == prior[2]) == model.target.symmetric


@pytest.mark.parametrize("name", ["decimated square", "cold square", "phi4 staggered"])
@torch.no_grad()
def test_log_odds_of_the_labels_are_odd_and_even(name, device):
    """l = log p(+|x) / p(-|x) is odd in x, q = log p(0|x)^2 / p(+|x) p(-|x) even, and neither is constant."""
    model = model_of(name, device)
    _, x, _, sign = inputs(model)

    def odds(x):
        minus, mixed, plus = (model.log_prob_label(x, g * torch.ones_like(sign)) for g in (-1, 0, 1))
        return plus - minus, 2.0 * mixed - plus - minus

    (odd, even), (flipped_odd, flipped_even) = odds(x), odds(-x)
    torch.testing.assert_close(flipped_odd, -odd, rtol=0, atol=1e-9)
    torch.testing.assert_close(flipped_even, even, rtol=0, atol=1e-9)
    assert float(odd.std()) > 0.1 and float(even.std()) > 0.1


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["decimated square", "cold square", "square in a field"])
@pytest.mark.parametrize("scale", [0.0, 0.05])
@torch.no_grad()
def test_labels_are_drawn_from_their_prior(name, scale, device):
    model = model_of(name, device, scale)
    sign = torch.cat([model.draw(5000, torch.Generator(device).manual_seed(seed)).label for seed in range(4)])
    assert set(sign.tolist()) == {-1.0, 0.0, 1.0}
    for g in (-1.0, 0.0, 1.0):
        p = float(torch.exp(model.log_prior_label(torch.tensor([g], device=model.device))))
        found = float((sign == g).double().mean())
        err = math.sqrt(p * (1.0 - p) / len(sign))
        assert_z(found, err, p, n_tests=18, max_err=0.004)
        assert_off(found, err, p + 0.02, least=3.89, max_err=0.004)


@pytest.mark.parametrize("name", TARGETS)
@torch.no_grad()
def test_prior_starts_at_the_log_odds_that_the_encoder_starts_from(name, device):
    model = model_of(name, device, scale=0.0)
    minus, p, plus = model.label_probabilities().tolist()
    assert math.log(p / (1.0 - p)) == pytest.approx(model.decoder.mixed_log_odds, abs=1e-6)
    assert math.log(minus / plus) == pytest.approx(model.decoder.opposite_log_odds, abs=1e-6)
    assert 0.02 < p < 0.3 and minus <= plus
    model.mixed_logit.fill_(-1e3)
    model.opposite_logit.fill_(-1e3)
    minus, p, plus = model.label_probabilities().tolist()
    assert p == pytest.approx(0.02, rel=1e-6)
    assert minus == pytest.approx(0.49 if model.target.symmetric else 0.98 * 0.02, rel=1e-6)


@pytest.mark.parametrize("name", ["decimated square", "phi4 broken", "square in a field"])
@torch.no_grad()
def test_density_of_a_draw(name, device):
    """log_prob of a draw is that of x given z and g, and that of a multivariate normal built densely."""
    model = model_of(name, device)
    draw = model.draw(50, torch.Generator(device).manual_seed(1))
    torch.testing.assert_close(
        draw.log_prob, model.log_prob_given(draw.x, draw.z, draw.label), rtol=1e-9, atol=1e-8
    )
    eye = torch.eye(model.decoder.n_dims, device=device)
    root = model.decoder.add_noise(torch.zeros_like(eye), eye)
    normal = torch.distributions.MultivariateNormal(model.decoder.mean(draw.z, draw.label), root @ root.T)
    prior = torch.distributions.Normal(torch.zeros((), device=device), 1.0).log_prob(draw.z).sum(1)
    dense = normal.log_prob(draw.x) + prior + model.log_prior_label(draw.label)
    torch.testing.assert_close(draw.log_prob, dense, rtol=1e-9, atol=1e-8)
    assert float(model.decoder.entropy()) == pytest.approx(float(normal.entropy()[0]), rel=1e-9)
    assert set(draw.label.tolist()) == {-1.0, 0.0, 1.0}


def random_covariance(lattice):
    """A positive matrix that commutes with the space group, all levels but those of symmetry split."""
    orbits = lattice.pair_orbits()
    per_orbit = np.random.default_rng(0).normal(size=orbits.max() + 1)
    matrix = per_orbit[orbits]
    return matrix @ matrix + 0.3 * np.eye(lattice.n_sites)


@pytest.mark.parametrize(
    ("name", "extent", "pbc"),
    [("square", (4, 4), True), ("honeycomb", (3, 3), True), ("square", (3, 4), False)],
)
def test_spectral_basis(name, extent, pbc):
    lattice = lattices.build(name, extent, pbc)
    covariance = random_covariance(lattice)
    basis = SpectralBasis(covariance)
    x = torch.randn(5, lattice.n_sites, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(basis.combine(basis.project(x)), x, rtol=0, atol=1e-12)
    assert np.all(np.diff(basis.variances) > 0.0) and basis.n_levels == len(basis.variances)
    spectrum = basis.expand(torch.tensor(basis.variances))
    torch.testing.assert_close(
        basis.apply_multiplier(x, spectrum), x @ torch.tensor(covariance), rtol=0, atol=1e-8
    )
    # Any multiplier of levels commutes with the group: degenerate modes are never split.
    per_level = torch.randn(basis.n_levels, generator=torch.Generator().manual_seed(2))
    y = basis.apply_multiplier(x, basis.expand(per_level))
    for p in lattice.space_group()[:60].astype(np.int64):
        torch.testing.assert_close(
            basis.apply_multiplier(x[:, p], basis.expand(per_level)), y[:, p], atol=1e-9, rtol=0
        )
    per_row = torch.rand(5, lattice.n_sites, generator=torch.Generator().manual_seed(3))
    rows = torch.stack([basis.apply_multiplier(row, m) for row, m in zip(x, per_row, strict=True)])
    torch.testing.assert_close(basis.apply_multiplier(x, per_row), rows)


def test_multiplier_that_splits_a_level_is_found():
    lattice = lattices.build("square", (4, 4))
    basis = SpectralBasis(random_covariance(lattice))
    assert basis.n_levels < basis.n_dims
    split = torch.randn(basis.n_dims, generator=torch.Generator().manual_seed(2))
    x = torch.randn(1, 16, generator=torch.Generator().manual_seed(1))
    y = basis.apply_multiplier(x, split)
    worst = max(
        float((basis.apply_multiplier(x[:, p], split) - y[:, p]).abs().max())
        for p in lattice.space_group().astype(np.int64)
    )
    assert worst > 1e-2


def free_model(kind, pbc, device):
    lattice = lattices.build("square", (4, 4), pbc)
    quadratic = 1.2 if pbc else 1.0
    target = kind(Phi4(lattice, hop=0.25, quadratic=quadratic, quartic=0.0))
    return make_model(target).double().to(device)


FREE = [(Phi4FieldTarget, True), (Phi4FieldTarget, False), (Phi4SublatticeTarget, True)]


@pytest.mark.parametrize(("kind", "pbc"), FREE)
@torch.no_grad()
def test_free_field_starts_at_the_exact_covariance(kind, pbc, device):
    model = free_model(kind, pbc, device)
    eye = torch.eye(model.decoder.n_dims, device=device)
    root = model.decoder.add_noise(torch.zeros_like(eye), eye)
    lattice = model.target.system.lattice
    precision = 2.0 * (model.target.system.quadratic * np.eye(16) - 0.25 * lattice.adjacency)
    sites = sites_of(model.target)
    exact = np.linalg.inv(precision)[np.ix_(sites, sites)]
    # On the open lattice the Hartree solution, of one variance for all sites, is still exact: quartic = 0.
    for g in (-1.0, 0.0, 1.0):
        gain = model.decoder.mean(eye, torch.full((len(eye),), g, device=device))
        np.testing.assert_allclose((gain.T @ gain + root @ root.T).cpu(), exact, atol=1e-6)


@pytest.mark.parametrize(("kind", "pbc"), FREE)
@pytest.mark.parametrize("n_steps", [1, 2, 4, 16])
@torch.no_grad()
def test_free_field_has_weights_without_variance(kind, pbc, n_steps, device):
    """Untrained: log w = ln Z for every draw, forward and backward (1e-5: amplitudes start in float32).

    All three labels stand for the one Gaussian there is, and p_E(g | x) starts at p(g): the bound is tight.
    """
    model = free_model(kind, pbc, device)
    log_z = model.target.system.exact_results()["log_z"]
    generator = torch.Generator(device).manual_seed(1)
    draw = model.draw(100, generator)
    assert set(draw.label.tolist()) == {-1.0, 0.0, 1.0}
    log_density, field = model.target.lift(draw.x, generator)
    log_w = log_weights(model, draw, log_density, n_steps, generator)
    np.testing.assert_allclose(log_w.cpu(), log_z, atol=2e-5)
    x, log_density = model.target.lower(field, generator)
    log_w = reverse_log_weights(model, x, log_density, n_steps, generator)
    np.testing.assert_allclose(log_w.cpu(), log_z, atol=2e-5)


@torch.no_grad()
def test_free_field_with_other_amplitudes_has_variance(device):
    model = free_model(Phi4FieldTarget, True, device)
    model.decoder.log_amplitude += 0.1
    generator = torch.Generator(device).manual_seed(1)
    draw = model.draw(100, generator)
    log_w = log_weights(model, draw, model.target.lift(draw.x, generator)[0], 4, generator)
    assert float(log_w.std()) > 0.05


@torch.no_grad()
def test_linear_drive_is_that_of_the_closed_form(device):
    """H = A (s^2 + sigma^2 A^2)^{-1} (x - alpha A z), with dense matrices, for any amplitudes and noises."""
    model = free_model(Phi4FieldTarget, True, device)
    generator = torch.Generator().manual_seed(3)
    for log_value in (model.decoder.log_amplitude, model.decoder.log_noise):
        log_value += 0.5 * torch.randn(log_value.shape, generator=generator).to(device)
    model.encoder.log_amplitude.copy_(model.decoder.log_amplitude)
    model.encoder.log_noise.copy_(model.decoder.log_noise)
    vectors = model.decoder.basis.vectors
    s = (vectors * model.decoder.noise()) @ vectors.T
    z, x, sigma, sign = inputs(model)
    drive = model.drive(z, x, sigma, sign)
    for k in range(len(z)):
        a = (vectors * model.decoder.amplitude(sign[k : k + 1])) @ vectors.T
        alpha = torch.sqrt(1.0 - sigma[k] ** 2)
        exact = a @ torch.linalg.solve(s @ s + sigma[k] ** 2 * a @ a, x[k] - alpha * a @ z[k])
        torch.testing.assert_close(drive[k], exact, rtol=1e-8, atol=1e-8)
        if sigma[k] > 0.0:
            # Posterior variance of z0 given (z_t, x), as a dense inverse.
            eye = torch.eye(len(a), device=device)
            dense = torch.linalg.inv(eye / sigma[k] ** 2 + a @ torch.linalg.inv(s @ s) @ a)
            variance = model.encoder.posterior_variance(sigma[k : k + 1, None], sign[k : k + 1])
            torch.testing.assert_close((vectors * variance) @ vectors.T, dense, rtol=1e-8, atol=1e-8)
