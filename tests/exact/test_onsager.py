# SPDX-License-Identifier: MIT
"""Onsager's densities against closed forms in elliptic integrals, series, and derivatives of each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special

from edgphys.exact import onsager

T_C = onsager.critical_temperature()


def elliptic(temperature):
    """Energy and specific heat per site for J = 1; Onsager (1944), eqs. (116), (117)."""
    k = 1 / temperature
    small = 2 * math.tanh(2 * k) ** 2 - 1
    first, second = scipy.special.ellipkm1(small**2), scipy.special.ellipe(1 - small**2)
    energy = -(1 + 2 / math.pi * small * first) / math.tanh(2 * k)
    bracket = 2 * first - 2 * second - (1 - small) * (math.pi / 2 + small * first)
    return energy, 2 / math.pi * (k / math.tanh(2 * k)) ** 2 * bracket


@pytest.mark.parametrize("temperature", [1.0, 1.8, 2.2, T_C - 1e-4, T_C + 1e-4, 2.5, 4.0, 8.0])
def test_energy_and_specific_heat_equal_elliptic_integrals(temperature):
    energy, heat = elliptic(temperature)
    assert onsager.energy_density(temperature) == pytest.approx(energy, rel=1e-12)
    assert onsager.specific_heat(temperature) == pytest.approx(heat, rel=1e-9)


def test_critical_values():
    catalan = 0.9159655941772190
    free_energy = -T_C * (math.log(2) / 2 + 2 * catalan / math.pi)
    assert onsager.free_energy_density(T_C) == pytest.approx(free_energy, rel=1e-13)
    assert onsager.energy_density(T_C) == pytest.approx(-math.sqrt(2), rel=1e-12)
    assert onsager.specific_heat(T_C) == math.inf


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.9, 3.0, 1000.0])
def test_free_energy_is_consistent_with_energy(temperature):
    """E = d(F/T)/d(1/T), by a central difference of error h^2 relative."""
    beta, h = 1 / temperature, 1e-5
    upper, lower = (onsager.free_energy_density(1 / (beta * (1 + s))) * beta * (1 + s) for s in (h, -h))
    slope = (upper - lower) / (2 * h * beta)
    assert onsager.energy_density(temperature) == pytest.approx(slope, rel=1e-5, abs=1e-11 / beta)


def test_high_and_low_temperature_series():
    k = 1e-3
    assert onsager.energy_density(1 / k) == pytest.approx(-(2 * k + 10 / 3 * k**3), rel=1e-9)
    x = math.exp(-2 / 0.4)
    log_z = 2 / 0.4 + x**4 + 2 * x**6 + 4.5 * x**8
    assert -onsager.free_energy_density(0.4) / 0.4 == pytest.approx(log_z, rel=1e-15)
    assert 0 <= onsager.specific_heat(0.01) < 1e-80


def test_magnetization():
    temperatures = np.array([0.2, 1.0, 2.0, 2.26])
    expected = (1 - np.sinh(2 / temperatures) ** -4) ** 0.125
    found = [onsager.spontaneous_magnetization(t) for t in temperatures]
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert onsager.spontaneous_magnetization(T_C + 1e-9) == 0.0
    assert onsager.spontaneous_magnetization(1.0, -1.0) == 0.0


def test_scaling_with_the_coupling():
    assert onsager.energy_density(3.0, -2.0) == pytest.approx(2 * onsager.energy_density(1.5), rel=1e-14)
    assert onsager.critical_temperature(-2.0) == pytest.approx(2 * T_C)
    assert onsager.free_energy_density(2.0, 0.0) == pytest.approx(-2 * math.log(2))
    assert onsager.energy_density(2.0, 0.0) == 0.0 == onsager.specific_heat(2.0, 0.0)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"temperature must be positive and finite, got -1.0"):
        onsager.energy_density(-1.0)
    with pytest.raises(ValueError, match="coupling must be finite"):
        onsager.free_energy_density(1.0, math.inf)
