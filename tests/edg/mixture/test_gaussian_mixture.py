# SPDX-License-Identifier: MIT
"""The mixture that decoders start from: densities, EM, walkers and the search, against Gaussians.

Oracles: scipy's normal densities; quadrature; one component, whose EM step is the weighted mean and
covariance; Gaussian mixture targets, whose weights and means must come back although the walkers do not have
them. Controls: a wrong temperature, unweighted walkers, components of the wrong width.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from helpers.continuous_edg import spread_mixture
from helpers.stats import assert_off, assert_z

from edgphys.edg.mixture import gaussian_mixture as module
from edgphys.edg.mixture.gaussian_mixture import GaussianMixture, explore, fit_mixture, walk
from edgphys.edg.targets.continuous import ContinuousTarget
from edgphys.systems import Harmonic, LennardJones, ManyWell, Planar, Potential

SHARES, PLACES, WIDTHS = (0.15, 0.85), (-3.0, 3.0), (0.5, 0.9)


def unequal():
    """Two basins of weights 0.15 and 0.85 and different widths, in the plane, normalised."""

    def energy(x):
        terms = [
            math.log(share / (2.0 * math.pi * width**2))
            - 0.5 * ((x[:, 0] - place) ** 2 + x[:, 1] ** 2) / width**2
            for share, place, width in zip(SHARES, PLACES, WIDTHS, strict=True)
        ]
        return -torch.logsumexp(torch.stack(terms), 0)

    return Potential(energy, n_dims=2, centres=[(-3.0, 0.0), (3.0, 0.0)])


def search(system, n_components, seed=0, n_blocks=1):
    target = ContinuousTarget(system)
    return explore(target, n_blocks, n_components, np.random.default_rng(seed))


@functools.cache
def found(seed=0):
    """The mixture of the unequal basins, left first."""
    mixture = search(unequal(), 2, seed)
    order = np.argsort(mixture.means[:, 0])
    return GaussianMixture(mixture.weights[order], mixture.means[order], mixture.factors[order])


def log_likelihood(mixture, x, weights):
    return float(weights @ scipy.special.logsumexp(mixture.log_terms(x), axis=1))


@pytest.mark.parametrize("n_dims", [1, 2, 5])
def test_log_terms_are_normal_densities(n_dims):
    mixture, x = spread_mixture(n_dims, n_components=3), np.random.default_rng(1).normal(size=(20, n_dims))
    for c in range(3):
        law = scipy.stats.multivariate_normal(mixture.means[c], mixture.factors[c] @ mixture.factors[c].T)
        expected = math.log(mixture.weights[c]) + np.reshape(law.logpdf(x), -1)
        np.testing.assert_allclose(mixture.log_terms(x)[:, c], expected, rtol=1e-10)


@pytest.mark.statistical
def test_draws_have_the_moments_of_the_mixture():
    mixture = spread_mixture(2)
    mean = mixture.weights @ mixture.means
    second = sum(
        w * (r @ r.T + np.outer(m, m))
        for w, m, r in zip(mixture.weights, mixture.means, mixture.factors, strict=True)
    )

    x = mixture.draw(20_000, np.random.default_rng(2))
    wide = mixture.widened(1.1).draw(20_000, np.random.default_rng(2))
    for i in range(2):
        assert_z(x[:, i].mean(), x[:, i].std() / 141.4, mean[i], n_tests=5, max_err=0.02)
    for i, k in ((0, 0), (0, 1), (1, 1)):
        values = x[:, i] * x[:, k]
        assert_z(values.mean(), values.std() / 141.4, second[i, k], n_tests=5, max_err=0.03)
    for i in range(2):
        values = wide[:, i] ** 2
        assert_off(values.mean(), values.std() / 141.4, second[i, i], least=7.0, max_err=0.03)


def test_widened_scales_the_covariance():
    mixture = spread_mixture(3)
    wide = mixture.widened(4.0)
    for root, wide_root in zip(mixture.factors, wide.factors, strict=True):
        np.testing.assert_allclose(wide_root @ wide_root.T, 4.0 * root @ root.T)


def test_em_of_one_component_is_the_weighted_mean_and_covariance():
    rng = np.random.default_rng(3)
    x, weights = rng.normal(size=(500, 3)) * [1.0, 2.0, 0.5] + 1.0, rng.random(500)
    weights /= weights.sum()
    step = module.em_step(spread_mixture(3, n_components=1), x, weights)
    np.testing.assert_allclose(step.means[0], weights @ x)
    covariance = (weights[:, None] * (x - weights @ x)).T @ (x - weights @ x)
    # The diagonal is raised by a part in ten thousand, and by a millionth of the extent.
    np.testing.assert_allclose(step.factors[0] @ step.factors[0].T, covariance, rtol=2e-4, atol=1e-4)
    assert step.weights == pytest.approx([1.0])


def test_em_raises_the_weighted_likelihood_at_every_step():
    rng = np.random.default_rng(4)
    x, weights = (
        spread_mixture(2, 5, 3).draw(2000, rng) + rng.choice([-2.0, 2.0], (2000, 1)),
        rng.random(2000),
    )
    weights /= weights.sum()
    mixture, values = spread_mixture(2, 6, 3), []
    for _ in range(25):
        values.append(log_likelihood(mixture, x, weights))
        mixture = module.em_step(mixture, x, weights)
    # The ridge on the covariances costs at most 1e-4 n_dims / 2 per step.
    assert np.diff(values).min() > -1e-4 and values[-1] > values[0] + 0.1


def test_em_drops_components_without_points():
    x = np.random.default_rng(5).normal(size=(300, 2))
    far = GaussianMixture(
        np.array([0.5, 0.5]), np.array([[0.0, 0.0], [50.0, 0.0]]), np.repeat(np.eye(2)[None], 2, 0)
    )
    step = module.em_step(far, x, np.full(300, 1 / 300))
    assert len(step.weights) == 1 and step.means[0] == pytest.approx(x.mean(0))
    # None at all: the mixture stays as it is.
    assert module.em_step(far, x[:3], np.full(3, 1 / 3)) is far


@pytest.mark.statistical
def test_fit_finds_three_separated_components():
    rng, places = np.random.default_rng(6), np.array([[-6.0, 0.0], [0.0, 6.0], [6.0, 0.0]])
    kind = rng.choice(3, 3000, p=[0.2, 0.3, 0.5])
    mixture = fit_mixture(places[kind] + 0.7 * rng.standard_normal((3000, 2)), 3, rng)
    order = np.argsort(mixture.means[:, 0])
    for c, share in zip(order, (0.2, 0.3, 0.5), strict=True):
        k = list(order).index(c)
        assert_z(mixture.weights[c], math.sqrt(share * (1 - share) / 3000), share, n_tests=9, max_err=0.01)
        for i in range(2):
            err = 0.7 / math.sqrt(3000 * share)
            assert_z(mixture.means[c, i], err, places[k, i], n_tests=9, max_err=0.04)
    for factor in mixture.factors:
        np.testing.assert_allclose(factor @ factor.T, 0.49 * np.eye(2), atol=0.1)


def test_fit_of_equal_rows_is_one_narrow_component():
    mixture = fit_mixture(np.ones((50, 2)), 4, np.random.default_rng(7))
    assert len(mixture.weights) == 1 and mixture.means[0] == pytest.approx(np.ones(2))
    assert np.isfinite(mixture.factors).all() and np.linalg.det(mixture.factors[0]) > 0.0


@pytest.mark.statistical
def test_search_recovers_weights_means_and_widths_although_the_walkers_do_not_have_them():
    """Two seeds; a share has the error sqrt(p (1-p) / n) of 6000 draws, some of them lost to the weights."""
    for seed in range(2):
        mixture = found(seed)
        for c in range(2):
            share, n = SHARES[c], 5000 * SHARES[c]
            assert_z(
                mixture.weights[c], math.sqrt(share * (1 - share) / 5000), share, n_tests=16, max_err=0.01
            )
            for i, place in enumerate((PLACES[c], 0.0)):
                assert_z(mixture.means[c, i], WIDTHS[c] / math.sqrt(n), place, n_tests=16, max_err=0.03)
            variance = mixture.factors[c] @ mixture.factors[c].T / WIDTHS[c] ** 2
            assert_z(variance[0, 0], math.sqrt(2 / n), 1.0, n_tests=16, max_err=0.06)
    # The walkers alone sit in both basins with nearly equal odds.
    system = unequal()
    rng = np.random.default_rng(0)
    walkers = walk(ContinuousTarget(system), system.random_configurations(512, rng), 400, rng)
    left = float((walkers[:, 0] < 0).mean())
    assert_off(left, math.sqrt(0.15 * 0.85 / 512), 0.15, least=10.0, max_err=0.02)


def test_search_describes_one_block_of_many():
    system = ManyWell(n_dims=8)
    mixture = search(system, 2, n_blocks=4)
    assert mixture.means.shape == (2, 2)
    order = np.argsort(mixture.means[:, 0])
    np.testing.assert_allclose(mixture.means[order, 0], [-1.68, 1.72], atol=0.06)
    # Of one pair, by quadrature.
    log_z = [
        scipy.integrate.quad(lambda x: math.exp(-(x**4) + 6 * x**2 + 0.5 * x - 9), *side)[0]
        for side in ((-4, 0), (0, 4))
    ]
    assert mixture.weights[order[1]] == pytest.approx(log_z[1] / sum(log_z), abs=0.04)


@pytest.mark.slow
def test_search_takes_no_more_components_than_allowed_and_no_more_than_it_needs():
    assert len(search(Planar("ring"), 1).weights) == 1
    assert len(search(Harmonic(n_dims=2), 64).weights) <= 4
    few, many = (search(Planar("ring"), n) for n in (4, 10))
    assert len(few.weights) <= 4 < len(many.weights) <= 10


def test_search_is_a_function_of_the_seed():
    first, again, other = found(0), search(unequal(), 2, 0), found(1)
    np.testing.assert_array_equal(np.sort(first.weights), np.sort(again.weights))
    assert not np.array_equal(first.means, other.means)


def test_effective_share_is_that_of_quadrature():
    """Draws of 0.9 N(0, 1) + 0.1 N(0, 4) for N(0, 1): 1 / int p^2 / q."""
    normal = scipy.stats.norm
    inverse = scipy.integrate.quad(
        lambda x: normal.pdf(x) ** 2 / (0.9 * normal.pdf(x) + 0.1 * normal.pdf(x, scale=2.0)), -12, 12
    )[0]
    start = GaussianMixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))

    def share(temperature):
        energy = Harmonic(temperature=temperature).reduced_energy
        return module._population(
            start, lambda x: energy(torch.from_numpy(x)).numpy(), np.random.default_rng(8)
        )[1]

    assert share(1.0) == pytest.approx(1 / inverse, abs=0.01)
    # Any other Gaussian is fitted just as well.
    assert share(3.0) == pytest.approx(1 / inverse, abs=0.01)
    assert 1 / inverse == pytest.approx(0.97, abs=0.03)


def test_weights_are_flattened_no_more_than_needed():
    rng = np.random.default_rng(9)

    def effective(weights):
        return 1 / (weights**2).sum() / len(weights)

    mild, wild = 0.3 * rng.normal(size=1000), 30.0 * rng.normal(size=1000)
    np.testing.assert_allclose(module._flattened(mild, 0.1), scipy.special.softmax(mild))
    flat = module._flattened(wild, 0.1)
    assert flat.sum() == pytest.approx(1.0) and effective(flat) == pytest.approx(0.1, rel=1e-3)
    assert (np.diff(flat[np.argsort(wild)]) >= 0).all()


@pytest.mark.statistical
@pytest.mark.parametrize("n_dims", [1, 6])
def test_walkers_come_to_equilibrium(n_dims):
    system, rng = Harmonic(n_dims=n_dims, temperature=0.7, ratio=5.0), np.random.default_rng(10)
    x = walk(ContinuousTarget(system), system.random_configurations(4000, rng), 200, rng)
    energy = system.energy(x)
    err = energy.std() / math.sqrt(4000)
    assert_z(energy.mean(), err, 0.5 * n_dims * 0.7, n_tests=4, max_err=0.03)
    # At another temperature.
    assert_off(energy.mean(), err, 0.5 * n_dims * 0.8, least=5.0, max_err=0.03)


def test_walkers_survive_huge_forces():
    system = LennardJones(n_particles=3, n_axes=2)
    rng = np.random.default_rng(11)
    starts = 0.05 * rng.standard_normal((64, system.n_variables))
    assert system.energy(starts).min() > 1e6
    x = walk(ContinuousTarget(system), starts, 400, rng)
    # In the basin of the triangle, within some times the temperature.
    assert np.isfinite(x).all() and np.median(system.energy(x)) < 2.0


def test_drift_is_never_longer_than_the_noise():
    gradient = np.array([[3.0, 4.0], [3e9, 4e9], [0.0, 0.0]])
    size = np.full((3, 1), 0.01)
    drift = module._drift(gradient, size)
    np.testing.assert_allclose(drift[0], [-0.03, -0.04])
    assert np.linalg.norm(drift[1]) == pytest.approx(math.sqrt(2 * 0.01 * 2))
    assert (drift[2] == 0.0).all()


@pytest.mark.slow
@pytest.mark.statistical
def test_many_components_have_draws_enough(monkeypatch):
    """Sixteen wells in four dimensions, saddles included; with a fifth of the draws components fit noise."""

    wells = Potential(lambda x: (4.0 * (x**2 - 1.0) ** 2 + 0.5 * x).sum(1), n_dims=4)
    one = scipy.integrate.quad(lambda x: math.exp(-4.0 * (x**2 - 1.0) ** 2 - 0.5 * x), -4.0, 4.0)[0]

    def effective_share(seed):
        target = ContinuousTarget(wells, None)
        mixture = explore(target, 1, 256, np.random.default_rng(seed))
        x = mixture.draw(100_000, np.random.default_rng(seed + 10))
        terms = scipy.special.logsumexp(mixture.log_terms(x), axis=1)
        w = np.exp(-target.energy(torch.from_numpy(x)).numpy() - terms) / one**4
        return float(w.mean()), float(w.std() / len(w) ** 0.5), float(w.mean() ** 2 / (w**2).mean())

    mean, err, share = effective_share(0)
    assert_z(mean, err, 1.0, max_err=0.01)
    assert share > 0.7
    monkeypatch.setattr(module, "_N_EACH", 60)
    mean, err, share = effective_share(0)
    assert_off(mean, err, 1.0, least=5.0, max_err=0.01)
    assert share < 0.55
