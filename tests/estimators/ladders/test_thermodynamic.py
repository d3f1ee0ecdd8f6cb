# SPDX-License-Identifier: MIT
"""Order of the quadrature, its error, and coverage of the error bars."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.ladders import MODES, coverage, gaussian_ladder, gaussian_log_z

from edgphys.estimators import thermodynamic_integration


def test_quadrature_converges_with_the_order_of_its_rule():
    """Cumulants of X = x^2 / 2 over one step of log a = h, at their exact values."""
    errors = {"trapezoid": [], "cubic": [], "quintic": []}
    for h in (0.4, 0.2):
        a = np.array([1.0, np.exp(h)])
        step = a[1] - a[0]
        k1, k2, k3 = 1 / (2 * a), 1 / (2 * a**2), 1 / a**3
        exact = -h / 2
        base = -step * k1.mean()
        second, third = step**2 * (k2[0] - k2[1]), step**3 * k3.sum()
        for rule, value in (
            ("trapezoid", base),
            ("cubic", base + second / 12),
            ("quintic", base + second / 10 - third / 120),
        ):
            errors[rule].append(abs(value - exact))
    orders = {rule: np.log2(pair[0] / pair[1]) for rule, pair in errors.items()}
    assert abs(orders["trapezoid"] - 3) < 0.1 and abs(orders["cubic"] - 5) < 0.2
    assert abs(orders["quintic"] - 7) < 0.3


def test_quadrature_error_is_bounded_by_the_distance_of_the_rules():
    wide = np.array([[1.0, 0.0], [4.0, 0.0]])
    ladder = gaussian_ladder(np.random.default_rng(2), wide, 4, 20000, MODES)
    result = thermodynamic_integration(ladder)
    exact = gaussian_log_z(wide, MODES)
    off = abs(float(result["log_z"][1]) - (exact[1] - exact[0]))
    quadrature, err = float(result["log_z_quadrature"][1]), float(result["log_z_err"][1])
    assert off < quadrature + 4 * err and quadrature > 10 * err
    assert abs(float(result["log_z_trapezoid"][1]) - (exact[1] - exact[0])) > 3 * off


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("decay, shared", [(0.0, 0.0), (0.0, 0.8), (0.7, 0.5)])
def test_error_bars_of_thermodynamic_integration_cover(decay, shared):
    # One standard deviation of the fraction is 0.019 at 600 repeats; with tau_int to be found errors are
    # a little short.
    fraction, _ = coverage(thermodynamic_integration, 600, decay, shared)
    assert 0.683 - 0.06 < fraction < 0.683 + 0.06
