# SPDX-License-Identifier: MIT
"""The one statistical assertion that all tests share."""

from __future__ import annotations

import scipy.stats

__all__ = ["assert_z"]


def assert_z(estimate, err, exact, *, n_tests=1, max_err):
    """|z| below the two-sided 1e-4 / n_tests quantile, and an error bar small enough to mean something."""
    assert 0 < err <= max_err, f"error bar {err:.3g} outside (0, {max_err:.3g}]"
    z_max = scipy.stats.norm.isf(0.5e-4 / n_tests)
    z = (estimate - exact) / err
    assert abs(z) < z_max, f"{estimate:.6g} +- {err:.2g}, exact {exact:.6g}, z = {z:.2f} (limit {z_max:.2f})"
