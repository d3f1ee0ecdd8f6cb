# SPDX-License-Identifier: MIT
"""Estimates with error bars from weighted draws, Markov chains and exact results, under the same names."""

from __future__ import annotations

from edgphys.estimators.estimate import estimate, estimates_from_exact

__all__ = ["estimate", "estimates_from_exact"]
