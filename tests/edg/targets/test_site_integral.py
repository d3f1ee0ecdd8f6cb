# SPDX-License-Identifier: MIT
"""The one-site integral of phi^4 in a field, against adaptive quadrature and the Gaussian closed form.

Values are compared to 1e-11 (what the module states) in single and double wells, inside and beyond the table.
Draws are tested by z-scores of their moments and by a chi-squared test in bins of equal exact probability;
draws at another field fail both.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch
from helpers.stats import assert_off, assert_z

from edgphys.edg.targets.site_integral import SiteIntegral, _envelope

# (quadratic, quartic): weak coupling, pure quartic, strong coupling, double wells up to a barrier of 9 nats.
WELLS = [(0.956, 0.022), (0.0, 1.0), (5.0, 8.0), (-1.0, 1.0), (-4.0, 1.0), (-3.0, 0.25), (0.5, 0.0)]
LARGEST = 12.0


def site_integral(well):
    return SiteIntegral(*well, largest=LARGEST)


def quadrature(h, quadratic, quartic):
    """log I, mean and variance of phi at h, by adaptive quadrature around the maxima of the integrand."""

    def exponent(phi):
        return h * phi - quadratic * phi**2 - quartic * phi**4

    stationary = np.roots([-4 * quartic, 0.0, -2 * quadratic, h] if quartic else [-2 * quadratic, h])
    maxima = sorted(float(root.real) for root in stationary if abs(root.imag) < 1e-9)
    top = max(exponent(phi) for phi in maxima)
    far = 2.0 + max(abs(phi) for phi in maxima)
    while max(exponent(far), exponent(-far)) > top - 60.0:
        far *= 1.1
    edges = [-far, *maxima, far]

    def integral(function):
        parts = [
            scipy.integrate.quad(
                lambda phi: function(phi) * math.exp(exponent(phi) - top),
                a,
                b,
                epsabs=1e-14,
                epsrel=1e-12,
                limit=200,
            )[0]
            for a, b in itertools.pairwise(edges)
        ]
        return math.fsum(parts)

    total = integral(lambda phi: 1.0)
    mean = integral(lambda phi: phi) / total
    variance = integral(lambda phi: (phi - mean) ** 2) / total
    return math.log(total) + top, mean, variance


@pytest.mark.parametrize("well", WELLS)
def test_table_against_quadrature(well):
    h = torch.tensor([0.0, 1e-3, 0.1, 0.37, 1.0, 2.5, 6.1, 11.9, -0.37, -6.1], dtype=torch.float64)
    value, slope = site_integral(well).moments(h)
    exact = np.array([quadrature(float(field), *well) for field in h])
    np.testing.assert_allclose(value, exact[:, 0], rtol=1e-12, atol=2e-11)
    # A quintic table loses a power of the step in the slope: 1e-9 of the scale of phi.
    np.testing.assert_allclose(slope, exact[:, 1], rtol=0, atol=1e-9 * np.abs(exact[:, 1]).max())


@pytest.mark.parametrize("well", WELLS)
def test_beyond_the_table_against_quadrature(well):
    h = torch.tensor([12.5, 20.0, -20.0, 60.0, 3.0], dtype=torch.float64)
    value, slope = site_integral(well).moments(h)
    exact = np.array([quadrature(float(field), *well) for field in h])
    np.testing.assert_allclose(value, exact[:, 0], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(slope, exact[:, 1], rtol=1e-9)


def test_gaussian_closed_form():
    a = 0.7
    h = torch.linspace(-30.0, 30.0, 301, dtype=torch.float64)
    value, slope = SiteIntegral(a, 0.0, largest=20.0).moments(h)
    np.testing.assert_allclose(value, h**2 / (4 * a) + 0.5 * math.log(math.pi / a), rtol=1e-12)
    np.testing.assert_allclose(slope, h / (2 * a), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("well", WELLS)
def test_gradient_is_the_derivative(well):
    site = site_integral(well)
    h = torch.linspace(-11.0, 11.0, 41, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(site.log_integral(h).sum(), h)
    with torch.no_grad():
        eps = 1e-3  # fourth-order differences: truncation near 1e-12, rounding near 1e-12 as well
        near = site.log_integral(h + eps) - site.log_integral(h - eps)
        far = site.log_integral(h + 2 * eps) - site.log_integral(h - 2 * eps)
    np.testing.assert_allclose(gradient, (8 * near - far) / (12 * eps), rtol=1e-8, atol=1e-8)


def test_gradient_is_scaled_by_what_comes_from_behind():
    site = site_integral((-1.0, 1.0))
    h = torch.tensor([0.3, -2.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad((torch.tensor([2.0, -3.0]) * site.log_integral(h)).sum(), h)
    np.testing.assert_allclose(gradient, torch.tensor([2.0, -3.0]) * site.moments(h.detach())[1], rtol=1e-12)


def test_even_and_in_the_dtype_of_the_field():
    site = site_integral((-4.0, 1.0))
    h = torch.rand(100, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 20.0
    assert torch.equal(site.log_integral(h), site.log_integral(-h))
    assert torch.equal(site.moments(h)[1], -site.moments(-h)[1])
    assert site.log_integral(h.float()).dtype == torch.float32
    assert site.draw(h.float(), torch.Generator().manual_seed(2)).dtype == torch.float32


def uniform_values(draws, h, well):
    """Exact distribution function at the draws: uniform on [0, 1] if they are right."""
    phi = np.linspace(-8.0, 8.0, 80001)
    exponent = h * phi - well[0] * phi**2 - well[1] * phi**4
    cdf = scipy.integrate.cumulative_trapezoid(np.exp(exponent - exponent.max()), phi, initial=0.0)
    return np.interp(draws, phi, cdf / cdf[-1])


def chi_squared_p(uniform):
    counts = np.histogram(uniform, bins=50, range=(0.0, 1.0))[0]
    return scipy.stats.chisquare(counts).pvalue


CASES = [(well, h) for well in WELLS for h in (0.0, 0.8, -3.0)] + [((-4.0, 1.0), 11.5), ((-4.0, 1.0), 14.0)]


@pytest.mark.statistical
def test_draws():
    generator = torch.Generator().manual_seed(20)
    p_values = []
    for well, h in CASES:
        site = site_integral(well)
        draws = site.draw(torch.full((40, 500), h, dtype=torch.float64), generator).flatten()
        _, mean, variance = quadrature(h, *well)
        n, scale = len(draws), math.sqrt(variance)
        assert_z(float(draws.mean()), scale / n**0.5, mean, n_tests=2 * len(CASES), max_err=0.02)
        squared = (draws - mean) ** 2
        assert_z(
            float(squared.mean()),
            float(squared.std()) / n**0.5,
            variance,
            n_tests=2 * len(CASES),
            max_err=0.05,
        )
        p_values.append(chi_squared_p(uniform_values(draws.numpy(), h, well)))
    assert min(p_values) > 1e-4 / len(CASES), p_values
    # All histograms together: the p-values are uniform as well.
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 1e-4


@pytest.mark.statistical
def test_draws_at_another_field_are_found():
    well = (-1.0, 1.0)
    draws = site_integral(well).draw(
        torch.full((20000,), 0.8, dtype=torch.float64), torch.Generator().manual_seed(3)
    )
    _, mean, variance = quadrature(0.9, *well)
    assert_off(float(draws.mean()), math.sqrt(variance / 20000), mean, least=5.0, max_err=0.02)
    assert chi_squared_p(uniform_values(draws.numpy(), 0.9, well)) < 1e-8


@pytest.mark.statistical
def test_every_field_gets_its_own_draw():
    """Rejections must not shift draws to other fields: means in the order of the fields."""
    well = (-4.0, 1.0)
    h = torch.tensor([-4.0, 0.0, 0.5, 9.0], dtype=torch.float64)
    draws = site_integral(well).draw(h.repeat(10000, 1), torch.Generator().manual_seed(4))
    assert draws.shape == (10000, 4)
    for k, field in enumerate(h):
        _, mean, variance = quadrature(float(field), *well)
        assert_z(float(draws[:, k].mean()), math.sqrt(variance / 10000), mean, n_tests=4, max_err=0.03)


@pytest.mark.parametrize("well", [*WELLS[:-1], (-199.0, 100.0), (0.99, 1e-3)])
def test_draws_are_seldom_rejected(well):
    """Integral of the envelope over that of the density: at most 25 trials per draw, in all fields."""
    h = torch.tensor([0.0, 0.1, 1.0, 5.0, 11.0, 20.0, 100.0, 400.0], dtype=torch.float64)
    precision, radius2 = _envelope(h, *well)
    log_envelope = well[1] * radius2**2 + 0.5 * h**2 / precision + 0.5 * torch.log(2 * math.pi / precision)
    log_accepted = site_integral(well).log_integral(h) - log_envelope
    assert torch.all(log_accepted < 1e-9)
    assert torch.all(log_accepted > math.log(0.04)), torch.exp(log_accepted)


def test_fields_that_are_not_finite_give_nan():
    site = site_integral((-1.0, 1.0))
    h = torch.tensor([math.nan, math.inf, -math.inf, 1.0], dtype=torch.float64)
    for values in (*site.moments(h), site.log_integral(h), site.draw(h, torch.Generator().manual_seed(5))):
        assert torch.isnan(values).tolist() == [True, True, True, False]
