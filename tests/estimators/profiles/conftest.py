# SPDX-License-Identifier: MIT
"""Samples of a spring of both kinds."""

from __future__ import annotations

import pytest
from helpers.springs import harmonic_chains, harmonic_weighted


@pytest.fixture(params=["chains", "weighted"])
def samples(request, ar1):
    return harmonic_chains(ar1) if request.param == "chains" else harmonic_weighted()
