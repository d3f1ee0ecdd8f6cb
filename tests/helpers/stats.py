# SPDX-License-Identifier: MIT
"""The statistical assertions that all tests share: agreement, and for controls a deviation of some size."""

from __future__ import annotations

import scipy.stats

__all__ = ["assert_off", "assert_z"]


def assert_z(estimate, err, exact, *, n_tests=1, max_err):
    """|z| below the two-sided 1e-4 / n_tests quantile, and an error bar small enough to mean something."""
    assert 0 < err <= max_err, f"error bar {err:.3g} outside (0, {max_err:.3g}]"
    z_max = scipy.stats.norm.isf(0.5e-4 / n_tests)
    z = (estimate - exact) / err
    assert abs(z) < z_max, f"{estimate:.6g} +- {err:.2g}, exact {exact:.6g}, z = {z:.2f} (limit {z_max:.2f})"


def assert_off(estimate, err, exact, *, least, max_err):
    """A control is off by at least `least` error bars, and the bar is as small as it must be in the test."""
    assert 0 < err <= max_err, f"error bar {err:.3g} outside (0, {max_err:.3g}]"
    z = abs(estimate - exact) / err
    assert z >= least, f"{estimate:.6g} +- {err:.2g} is only {z:.1f} errors from {exact:.6g}, not {least}"
