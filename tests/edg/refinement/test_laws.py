# SPDX-License-Identifier: MIT
"""Laws of one site: normalised to 1e-10, drawn as they are evaluated, and exact given all neighbours.

The tabulated quartic law is integrated piece by piece between its nodes, with its tails in closed form; draws
are judged by the uniformity of their distribution function, and draws at other coefficients must fail.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from helpers.edg import mean_err
from helpers.stats import assert_off, assert_z

from edgphys.edg.refinement.quartic_law import QuarticLaw
from edgphys.edg.refinement.spin_law import SpinLaw

# quadratic, quartic, hop, degree: weak coupling, nearly spins, double well, free field.
SYSTEMS = [(0.956, 0.022, 0.25, 4), (0.0, 4.572, 1.0, 4), (-2.0, 1.0, -0.3, 2), (0.6, 0.0, 0.1, 4)]
# odd and even coefficients: none, moderate, mass at the right end, two peaks, mass beyond the nodes.
COEFFICIENTS = [(0, 0, 0, 0), (0.7, 0.3, -0.4, 0.2), (9, 1, 2, -3), (0, 0.1, 3, -1), (40, 0, 0, -9)]


def tensors(coefficients, n=1):
    row = torch.tensor(coefficients, dtype=torch.float64).expand(n, 4)
    return row[:, :2], row[:, 2:]


def log_prob(law, x, coefficients):
    return law.log_prob(torch.from_numpy(x), *tensors(coefficients, len(x))).numpy()


def masses(law, coefficients):
    """Nodes, and the mass of every piece by Gauss-Legendre quadrature, exponential tails first and last."""
    nodes = law.nodes.numpy() * law.scale
    points, weights = np.polynomial.legendre.leggauss(24)
    half = 0.5 * np.diff(nodes)[:, None]
    grid = nodes[:-1, None] + half * (1.0 + points)
    inside = (half * weights * np.exp(log_prob(law, grid.ravel(), coefficients).reshape(grid.shape))).sum(1)
    ends = np.array([nodes[0] - 1.0, nodes[0], nodes[-1], nodes[-1] + 1.0])
    left, first, last, right = log_prob(law, ends, coefficients)
    return nodes, np.array([np.exp(first) / (first - left), *inside, np.exp(last) / (last - right)])


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("coefficients", COEFFICIENTS)
def test_quartic_law_is_normalised(system, coefficients):
    assert masses(QuarticLaw(*system), coefficients)[1].sum() == pytest.approx(1.0, abs=1e-10)


def uniform_values(law, coefficients, x):
    """Distribution function at x: masses to the left of the piece, and the part of the piece itself."""
    nodes, mass = masses(law, coefficients)
    below = np.cumsum(mass)
    points, weights = np.polynomial.legendre.leggauss(6)
    place = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    inside = np.clip(x, nodes[0], nodes[-1])
    half = 0.5 * (inside - nodes[place])[:, None]
    grid = nodes[place, None] + half * (1.0 + points)
    part = (half * weights * np.exp(log_prob(law, grid.ravel(), coefficients).reshape(grid.shape))).sum(1)
    value = below[place] + part
    end_density = np.exp(log_prob(law, nodes[[0, -1]], coefficients))
    density = np.exp(log_prob(law, x, coefficients))
    value = np.where(x < nodes[0], mass[0] * density / end_density[0], value)
    return np.where(x > nodes[-1], 1.0 - mass[-1] * density / end_density[1], value)


@pytest.mark.statistical
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("coefficients", COEFFICIENTS)
def test_quartic_draws(system, coefficients):
    law = QuarticLaw(*system)
    x, log_density = law.draw(*tensors(coefficients, 3000), torch.Generator().manual_seed(1))
    np.testing.assert_allclose(log_density, log_prob(law, x.numpy(), coefficients), atol=1e-12)
    limit = 1e-4 / (len(SYSTEMS) * len(COEFFICIENTS))
    assert scipy.stats.kstest(uniform_values(law, coefficients, x.numpy()), "uniform").pvalue > limit


def test_draws_at_other_coefficients_are_found():
    law = QuarticLaw(*SYSTEMS[1])
    x, _ = law.draw(*tensors((0.7, 0.3, -0.4, 0.2), 3000), torch.Generator().manual_seed(1))
    assert scipy.stats.kstest(uniform_values(law, (0.9, 0.3, -0.4, 0.2), x.numpy()), "uniform").pvalue < 1e-6


@pytest.mark.parametrize("system", SYSTEMS)
def test_quartic_law_contains_the_exact_one(system):
    """At a = h and the site's own potential the table is exp(-V + h x) / I up to the square of its step."""
    errors = []
    for n_nodes in (96, 381):
        law = QuarticLaw(*system, n_nodes=n_nodes)
        around = torch.tensor([0.0, 0.4, -1.1], dtype=torch.float64) * law.scale
        odd = torch.stack([law.pair * around * law.scale, torch.zeros(3)], dim=1)
        x = torch.linspace(-1.5, 1.5, 101, dtype=torch.float64)[:, None] * law.scale
        learned = law.log_prob(
            x.expand(-1, 3), odd.expand(101, 3, 2), torch.zeros(101, 3, 2, dtype=torch.float64)
        )
        errors.append((learned - law.exact_log_prob(x, around)).abs().max())
    assert errors[0] < 0.1
    assert errors[1] < errors[0] / 8


@pytest.mark.parametrize("system", SYSTEMS)
def test_exact_quartic_law_integrates_to_one(system):
    law = QuarticLaw(*system)
    x = torch.linspace(-30, 30, 30001, dtype=torch.float64) * law.scale
    for around in (0.0, 0.7, -1.9):
        log_prob = law.exact_log_prob(x, torch.full_like(x, around * law.scale))
        assert float(torch.exp(log_prob).sum() * (x[1] - x[0])) == pytest.approx(1.0, abs=1e-9)


def test_gradient_with_respect_to_coefficients():
    """At a flat piece too, where the closed form of its mass is 0 / 0."""
    law = QuarticLaw(0.0, 4.572, 1.0, 4)
    x = torch.tensor([0.3, -0.2, 3.0], dtype=torch.float64) * law.scale
    for coefficients in ([0.0, 0.0, 0.0, 0.0], [0.4, 0.2, 1.0, -0.5]):
        leaf = torch.tensor(coefficients, dtype=torch.float64, requires_grad=True)

        def value(row):
            return law.log_prob(x, row[:2].expand(3, 2), row[2:].expand(3, 2)).sum()

        (gradient,) = torch.autograd.grad(value(leaf), leaf)
        step = 1e-5 * torch.eye(4, dtype=torch.float64)
        with torch.no_grad():
            numeric = torch.stack([(value(leaf + e) - value(leaf - e)) / 2e-5 for e in step])
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sign_of_the_coefficients(dtype):
    law = QuarticLaw(0.0, 4.572, 1.0, 4)
    generator = torch.Generator().manual_seed(2)
    x, odd, even = (torch.randn(50, *n, generator=generator, dtype=dtype) for n in ((), (2,), (2,)))
    left, right = law.log_prob(x, odd, even), law.log_prob(-x, -odd, even)
    assert left.dtype == dtype
    np.testing.assert_allclose(left, right, rtol=1e-4 if dtype == torch.float32 else 1e-11)


def test_spin_law():
    law = SpinLaw(0.4, 0.1)
    generator = torch.Generator().manual_seed(3)
    odd, even = (torch.randn(30, 1, generator=generator, dtype=torch.float64) for _ in range(2))
    up = torch.ones(30, dtype=torch.float64)
    total = torch.exp(law.log_prob(up, odd, even)) + torch.exp(law.log_prob(-up, odd, even))
    np.testing.assert_allclose(total, 1.0, rtol=1e-14)
    around = torch.linspace(-4, 4, 30, dtype=torch.float64)
    ratio = law.exact_log_prob(up, around) - law.exact_log_prob(-up, around)
    np.testing.assert_allclose(ratio, 2 * (0.4 * around + 0.1), rtol=1e-12)
    total = torch.exp(law.exact_log_prob(up, around)) + torch.exp(law.exact_log_prob(-up, around))
    np.testing.assert_allclose(total, 1.0, rtol=1e-12)


@pytest.mark.statistical
def test_spin_draws():
    law = SpinLaw(0.4, 0.1)
    odd, even = torch.full((40000, 1), 0.3), torch.full((40000, 1), -0.1)
    spins, log_prob = law.draw(odd.double(), even.double(), torch.Generator().manual_seed(4))
    assert set(spins.tolist()) == {-1.0, 1.0}
    np.testing.assert_array_equal(log_prob, law.log_prob(spins, odd, even))
    assert_z(*mean_err(spins), math.tanh(0.3), n_tests=2, max_err=0.01)
    exact = law.draw_exact(torch.full((40000,), 1.5), torch.Generator().manual_seed(5))
    assert_z(*mean_err(exact), math.tanh(0.4 * 1.5 + 0.1), n_tests=2, max_err=0.01)
    assert_off(*mean_err(spins), math.tanh(0.35), least=8.0, max_err=0.01)
