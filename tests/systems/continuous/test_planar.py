# SPDX-License-Identifier: MIT
"""Planar targets and logistic regression: gradients, kernels, exact values, mode weights, predictions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate
import torch

from edgphys.errors import UnknownNameError
from edgphys.exact.quadrature import boltzmann_moments
from edgphys.systems.continuous.classification import accuracy, area_under_curve
from edgphys.systems.continuous.logistic import LogisticRegression
from edgphys.systems.continuous.planar import Planar
from edgphys.systems.continuous.planar_presets import PRESETS

SYSTEMS = {
    **{name: (lambda name=name: Planar(name, temperature=1.3)) for name in PRESETS},
    "logistic": lambda: LogisticRegression(n_features=4, n_train=60, precision=0.5, temperature=1.3),
}


@pytest.fixture(params=SYSTEMS)
def system(request):
    return SYSTEMS[request.param]()


def points_of(system, n=20, seed=0):
    return np.ascontiguousarray(system.random_configurations(n, np.random.default_rng(seed)))


def test_gradient_is_that_of_autograd_and_of_differences(system):
    x = torch.from_numpy(points_of(system)).requires_grad_()
    (expected,) = torch.autograd.grad(system.reduced_energy(x).sum(), x)
    torch.testing.assert_close(system.gradient(x), expected, rtol=1e-11, atol=1e-10)
    for i in range(system.n_variables):
        step = torch.zeros(system.n_variables, dtype=torch.float64)
        step[i] = 1e-6
        slope = (system.reduced_energy(x + step) - system.reduced_energy(x - step)) / 2e-6
        torch.testing.assert_close(expected[:, i], slope, rtol=1e-5, atol=1e-5)


def test_kernel_is_the_torch_energy(system):
    for point in 1.5 * points_of(system):
        out, before = np.full(system.n_variables, np.nan), point.copy()
        value = system.kernel(point, out, system.kernel_parameters)
        energy, gradient = system.energy_and_gradient(point[None])
        assert value == pytest.approx(energy[0], rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(out, gradient[0], rtol=1e-10, atol=1e-10)
        np.testing.assert_array_equal(point, before)


def test_parameters_rebuild_the_system(system):
    again = type(system)(**system.parameters)
    points = points_of(system)
    assert repr(again) == repr(system) and again.identity() == system.identity()
    np.testing.assert_array_equal(again.energy(points), system.energy(points))
    assert system.replace(temperature=2.0).beta == 0.5
    assert {*system.measure(points), *system.exact} <= system.definitions.keys()


# ------------------------------------------------------------------------------------ planar targets


@pytest.mark.parametrize("preset", [name for name in PRESETS if not name.startswith("ring")])
def test_mixtures_are_normalised_with_equal_modes(preset):
    system = Planar(preset)
    points, weights = system._quadrature()
    density = weights * np.exp(-system.energy(points))
    assert system.exact_results()["log_z"] == pytest.approx(0.0, abs=1e-9)
    assert density.sum() == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(density @ system.responsibilities(points), system.mode_weights(), atol=1e-9)


def test_energy_is_the_derivative_of_log_z():
    for preset in ("mog2_i", "mog9", "ring", "ring5"):
        low, high = (Planar(preset, 1.3 + s).exact_results() for s in (-1e-3, 1e-3))
        exact = Planar(preset, 1.3).exact_results()
        assert exact["energy"] == pytest.approx(1.69 * (high["log_z"] - low["log_z"]) / 2e-3, rel=1e-5)
        slope = (high["energy"] - low["energy"]) / 2e-3
        assert exact["specific_heat"] == pytest.approx(slope / 2, rel=1e-4)


def test_both_quadratures_of_mixtures_agree():
    system = Planar("mog2_i", 1.7)
    np.testing.assert_allclose(
        system._exact_moments(),
        boltzmann_moments(system.energy, system.centres, 1.7),
        rtol=1e-8,
    )
    # the wide mode gains with temperature: the integral of N^(1/T) goes like v^(1 - 1/T)
    odds = np.divide(*system.mode_weights())
    assert odds == pytest.approx(5.0 ** (1 - 1 / 1.7), rel=1e-2)


def test_rings_against_adaptive_quadrature():
    for preset, radii, scale in (("ring", [2], 0.32), ("ring5", [1, 2, 3, 4, 5], 0.04)):
        edges = [0.0, *(r + 0.5 for r in radii[:-1]), 9.0]
        parts = [
            scipy.integrate.quad(
                lambda r, k=k, s=scale: 2 * math.pi * r * math.exp(-((r - k) ** 2) / s),
                a,
                b,
                points=[k],
                epsabs=1e-13,
            )[0]
            for k, a, b in zip(radii, edges[:-1], edges[1:], strict=True)
        ]
        system = Planar(preset)
        assert system.exact_results()["log_z"] == pytest.approx(math.log(sum(parts)), abs=1e-9)
        np.testing.assert_allclose(system.mode_weights(), np.array(parts) / sum(parts), atol=1e-9)


def test_rings_rotate():
    points = points_of(Planar("ring5"))
    turn = np.array([[math.cos(1.0), -math.sin(1.0)], [math.sin(1.0), math.cos(1.0)]])
    for preset, changes in (("ring5", False), ("mog9", True)):
        energy = Planar(preset).energy
        assert np.allclose(energy(points @ turn), energy(points), rtol=1e-9, atol=1e-9) is not changes


def test_published_parameters():
    assert np.abs(Planar("mog6").centres).max(0) == pytest.approx([5.0, 2.5 * math.sqrt(3)])
    assert Planar("mog9").n_modes == 9 and Planar("gmm40").n_modes == 40
    # of the published code: the generator of torch seeded with 0, the standard deviation softplus(1)
    torch.manual_seed(0)
    means = (torch.rand((40, 2)) - 0.5) * 2 * 40
    np.testing.assert_array_equal(Planar("gmm40").centres, means.double().numpy())
    np.testing.assert_allclose(Planar("gmm40").centres[0], [-0.2995, 21.4577], atol=1e-3)
    assert Planar("gmm40").width == pytest.approx(float(torch.nn.functional.softplus(torch.tensor(1.0))))
    # normal with the variances given: energy of the centre of an isolated mode
    for k, variance in enumerate((1.5, 0.3)):
        energy = Planar("mog2_i").energy(Planar("mog2_i").centres)[k]
        assert energy == pytest.approx(math.log(2 * math.pi * variance * 2), abs=1e-6)
    with pytest.raises(UnknownNameError, match=r"preset must be one of mog2, .* got 'mog3'"):
        Planar("mog3")


# ------------------------------------------------------------------------------- logistic regression


def test_evidence_of_one_weight_by_quadrature():
    """Without features but a constant one the posterior is planar: log Z is the log of the evidence."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 1)), (rng.random(20) < 0.5).astype(float)
    system = LogisticRegression(precision=0.7, data=(x, y, x, y))

    def joint(bias, slope):
        p = 1 / (1 + np.exp(-(slope * x[:, 0] + bias)))
        likelihood = np.prod(np.where(y == 1, p, 1 - p))
        return likelihood * 0.7 / (2 * math.pi) * math.exp(-0.35 * (bias**2 + slope**2))

    evidence = scipy.integrate.dblquad(joint, -8, 8, -8, 8, epsabs=1e-14)[0]
    log_z = boltzmann_moments(system.energy, np.zeros((1, 2)), 1.0)[0]
    assert log_z == pytest.approx(math.log(evidence), abs=1e-7)


def test_predictions_and_scores():
    system = LogisticRegression(n_features=3, n_train=400)
    weights = np.random.default_rng(0).standard_normal((7, 4))
    plain = system.predict(weights)
    expected = np.mean([1 / (1 + np.exp(-(system.test_features @ w[:-1] + w[-1]))) for w in weights], axis=0)
    np.testing.assert_allclose(plain, expected, rtol=1e-12)
    only = system.predict(weights, log_weights=np.where(np.arange(7) == 2, 0.0, -np.inf))
    np.testing.assert_allclose(only, system.predict(weights[2:3]), rtol=1e-12)
    labels = system.test_labels
    fit = torch.zeros(1, 4, dtype=torch.float64)
    for _ in range(500):
        fit = fit - 0.01 * system.gradient(fit)
    good = system.predict(fit.numpy())
    assert accuracy(good, labels) > 0.7 and area_under_curve(good, labels) > 0.75
    assert area_under_curve(1 - good, labels) == pytest.approx(1 - area_under_curve(good, labels))
    shuffled = np.random.default_rng(1).permutation(labels)
    assert abs(area_under_curve(good, shuffled) - 0.5) < 0.08  # a wrong answer scores like chance
    pairs = [(a > b) + 0.5 * (a == b) for a in good[labels == 1] for b in good[labels == 0]]
    assert area_under_curve(good, labels) == pytest.approx(np.mean(pairs))


def test_bad_data_are_refused():
    x, y = np.zeros((3, 2)), np.array([0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="data must have the labels 0 and 1"):
        LogisticRegression(data=(x, y, x, y))
    with pytest.raises(ValueError, match=r"features \(n_rows, n_features\) and labels"):
        LogisticRegression(data=(x, y[:2], x, y))
    with pytest.raises(ValueError, match="labels must hold both classes"):
        area_under_curve(np.ones(3), np.ones(3))
    one, other = (LogisticRegression(n_features=2, n_train=10, data_seed=s) for s in (0, 1))
    assert one.identity()["data"] != other.identity()["data"]
