# SPDX-License-Identifier: MIT
"""Kaufman's ln Z, energy, specific heat against transfer matrices, enumeration, 60 digits and Onsager.

Tolerance 1e-10 relative against the dense transfer matrix (whose own rounding is about 1e-12), 1e-12 where
the reference is exact or of high precision.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from helpers.oracles import dense_ising_log_z, enumerate_ising, torus_bonds

from edgphys.errors import NotExactError
from edgphys.exact import kaufman, onsager

T_C = onsager.critical_temperature()
TEMPERATURES = [0.1, 0.5, 1.0, 2.0, T_C - 1e-6, T_C, T_C + 1e-6, 2.5, 5.0, 40.0, 1000.0]
EXTENTS = [(3, 3), (3, 4), (4, 3), (4, 4), (4, 5), (7, 3), (2, 5), (2, 2)]


def reference_log_z(n, m, k):
    """Kaufman's formula as printed, in the working precision of mpmath, with the sign of gamma_0."""
    gamma = [2 * k + mpmath.log(mpmath.tanh(k))]
    for mode in range(1, 2 * n):
        gamma.append(
            mpmath.acosh(mpmath.cosh(2 * k) * mpmath.coth(2 * k) - mpmath.cospi(mpmath.mpf(mode) / n))
        )
    total = 0
    for start in (0, 1):
        for function in (mpmath.cosh, mpmath.sinh):
            total += mpmath.fprod(2 * function(m * g / 2) for g in gamma[start::2])
    return mpmath.log(total / 2) + mpmath.mpf(n * m) / 2 * mpmath.log(2 * mpmath.sinh(2 * k))


def test_known_value():
    assert kaufman.log_z(16, 16, 2.0) == pytest.approx(263.296, abs=5e-4)


@pytest.mark.parametrize("extent", EXTENTS)
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_log_z_equals_transfer_matrix(extent, temperature):
    assert kaufman.log_z(*extent, temperature) == pytest.approx(
        dense_ising_log_z(*extent, 1 / temperature), rel=1e-10
    )


@pytest.mark.parametrize("extent", [(3, 3), (3, 4)])
@pytest.mark.parametrize("temperature", [0.7, 2.0, T_C, 3.1, 60.0])
def test_all_three_equal_enumeration(extent, temperature):
    n_sites = math.prod(extent)
    exact = enumerate_ising(n_sites, torus_bonds(*extent), temperature, coupling=1.3)
    args = (*extent, temperature, 1.3)
    assert kaufman.log_z(*args) == pytest.approx(exact["log_z"], rel=1e-12)
    assert kaufman.energy(*args) == pytest.approx(exact["energy"], rel=1e-12)
    heat = exact["energy_variance"] / temperature**2 / n_sites
    assert kaufman.specific_heat(*args) == pytest.approx(heat, rel=1e-10)


@pytest.mark.parametrize("extent", [(4, 6), (9, 4), (16, 16), (5, 32)])
@pytest.mark.parametrize("temperature", [0.6, 2.0, T_C, 2.4, 30.0, 1000.0])
def test_derivatives_against_high_precision(extent, temperature):
    with mpmath.workdps(60):
        k = 1 / mpmath.mpf(temperature)
        z, first, second = (
            mpmath.diff(lambda k: reference_log_z(*extent, k), k, order, h=mpmath.mpf(10) ** -15)
            for order in range(3)
        )
        heat = float(k**2 * second / math.prod(extent))
    assert kaufman.log_z(*extent, temperature) == pytest.approx(float(z), rel=1e-13)
    assert kaufman.energy(*extent, temperature) == pytest.approx(-float(first), rel=1e-12)
    assert kaufman.specific_heat(*extent, temperature) == pytest.approx(heat, rel=1e-10)


def test_the_sign_above_t_c_matters():
    """Negative control: gamma_0 >= 0 above T_c, as a naive arccosh has it, is far outside the tolerances."""
    n, m, k = 4, 4, 1 / 3.0
    with mpmath.workdps(30):
        right = reference_log_z(n, m, mpmath.mpf(k))
        gamma_0 = 2 * k + mpmath.log(mpmath.tanh(k))
        assert gamma_0 < 0
        fourth = mpmath.fprod(
            [2 * mpmath.sinh(m * gamma_0 / 2)]
            + [
                2
                * mpmath.sinh(
                    m * mpmath.acosh(mpmath.cosh(2 * k) * mpmath.coth(2 * k) - mpmath.cospi(r / 2)) / 2
                )
                for r in (1, 2, 3)
            ]
        )
        scale = mpmath.exp(right - n * m / 2 * mpmath.log(2 * mpmath.sinh(2 * k)))
        wrong = float(right + mpmath.log((scale - fourth) / scale))
    assert kaufman.log_z(n, m, 3.0) == pytest.approx(float(right), rel=1e-13)
    assert abs(wrong - float(right)) > 1e-3


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("extent", [(1024, 1024), (1024, 3), (3, 1024), (37, 512)])
def test_large_tori_are_finite_and_symmetric(extent, temperature):
    for function in (kaufman.log_z, kaufman.energy, kaufman.specific_heat):
        value, swapped = function(*extent, temperature), function(*extent[::-1], temperature)
        assert math.isfinite(value)
        assert value == pytest.approx(swapped, rel=1e-11, abs=1e-13)
    assert kaufman.specific_heat(*extent, temperature) >= 0


@pytest.mark.parametrize("temperature", [0.5, 1.5, 2.0, 2.6, 4.0, 300.0])
def test_convergence_to_onsager(temperature):
    """Off T_c corrections are exponential in L, and below T_c ln 2 for the two phases."""
    size = 256
    ordered = math.log(2.0) if temperature < T_C else 0.0
    log_z = -onsager.free_energy_density(temperature) / temperature * size**2 + ordered
    assert kaufman.log_z(size, size, temperature) == pytest.approx(log_z, rel=1e-13)
    assert kaufman.energy(size, size, temperature) / size**2 == pytest.approx(
        onsager.energy_density(temperature), rel=1e-12
    )
    assert kaufman.specific_heat(size, size, temperature) == pytest.approx(
        onsager.specific_heat(temperature), rel=1e-9
    )


def test_finite_size_scaling_at_t_c():
    """E/N + sqrt 2 J falls as 1/L at T_c; c grows by (8 / pi) K^2 ln 2 per doubling (Ferdinand-Fisher)."""
    excess = [kaufman.energy(n, n, T_C) / n + n * math.sqrt(2) for n in (64, 128, 256, 512)]
    assert np.ptp(excess) < 1e-3
    growth = kaufman.specific_heat(512, 512, T_C) - kaufman.specific_heat(256, 256, T_C)
    assert growth == pytest.approx(8.0 / math.pi / T_C**2 * math.log(2.0), rel=1e-3)


def test_continuity_across_t_c():
    for function in (kaufman.log_z, kaufman.energy, kaufman.specific_heat):
        below, at, above = (function(12, 20, T_C + shift) for shift in (-1e-9, 0.0, 1e-9))
        assert at == pytest.approx(below, rel=1e-7)
        assert at == pytest.approx(0.5 * (below + above), rel=1e-12)


def test_antiferromagnet_on_even_extents():
    for function in (kaufman.log_z, kaufman.energy, kaufman.specific_heat):
        assert function(4, 6, 1.7, -0.8) == function(4, 6, 1.7, 0.8)


@pytest.mark.parametrize("extent", [(3, 4), (4, 3), (5, 5)])
def test_frustrated_torus_is_refused(extent):
    with pytest.raises(NotExactError, match="coupling must be positive on a torus with an odd extent"):
        kaufman.log_z(*extent, 2.0, -1.0)


def test_no_coupling():
    assert kaufman.log_z(5, 4, 2.0, 0.0) == pytest.approx(20 * math.log(2))
    assert kaufman.energy(5, 4, 2.0, 0.0) == 0.0
    assert kaufman.specific_heat(5, 4, 2.0, 0.0) == 0.0
    assert kaufman.log_z(5, 4, 1e9) == pytest.approx(20 * math.log(2), rel=1e-14)
    assert kaufman.log_z(5, 4, 1e-4) == pytest.approx(40e4 + math.log(2), rel=1e-15)


@pytest.mark.parametrize(
    ("args", "error", "match"),
    [
        ((1, 4, 2.0), ValueError, "lx must be an integer >= 2, got 1"),
        ((4, 4.0, 2.0), TypeError, "ly must be an integer"),
        ((4, 4, 0.0), ValueError, "temperature must be positive and finite, got 0.0"),
        ((4, 4, math.inf), ValueError, "temperature must be positive and finite, got inf"),
        ((4, 4, 1.0, math.nan), ValueError, "coupling must be finite"),
        ((4, 4, "2"), TypeError, "temperature must be a real number"),
        ((4, 4, 1e-308, 2.0), ValueError, "coupling / temperature must be finite"),
    ],
)
def test_bad_arguments(args, error, match):
    with pytest.raises(error, match=match):
        kaufman.log_z(*args)
