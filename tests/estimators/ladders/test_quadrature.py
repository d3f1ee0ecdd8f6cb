# SPDX-License-Identifier: MIT
"""Rungs where the integrand bends, on levels that freeze: swaps alone would allow one step, and wrong."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.ladders import as_ladder
from helpers.stats import assert_z

from edgphys.estimators import thermodynamic_integration
from edgphys.estimators.ladders.quadrature import integrate, place_rungs
from edgphys.estimators.ladders.reading import pool_of

# Two-level systems, gap 1: X is the number of excited ones, a from 0 to COLD is their inverse temperature.
N_LEVELS, COLD, N_CHAINS = 64, 60.0, 4
LENGTH = 0.74
# As swaps need them up to a = 6, and the end.
PILOT = np.append(np.linspace(0.0, 6.0, 10), COLD) / COLD


def levels(rng, places, n_draws):
    """Independent draws of a ladder."""
    a = COLD * np.asarray(places)
    excited = rng.binomial(N_LEVELS, 1 / (1 + np.exp(a))[:, None, None], (len(a), N_CHAINS, n_draws))
    return as_ladder(excited[..., None].astype(float), a[:, None])


def log_z(places):
    return N_LEVELS * np.log1p(np.exp(-COLD * np.asarray(places)))


def placed(rng, n_draws, **options):
    pool = pool_of(levels(rng, PILOT, 500), most=5000)
    coefficients_at = lambda places: COLD * places[:, None]  # noqa: E731
    return place_rungs(pool, PILOT, coefficients_at, length=LENGTH, n_draws=n_draws, **options)


@pytest.mark.statistical
def test_rungs_where_the_integrand_bends_are_right_at_low_temperature():
    rng = np.random.default_rng(1)
    places = placed(rng, 4 * 2000)
    assert places[0] == 0.0 and places[-1] == 1.0 and (np.diff(places) > 0).all()
    assert len(places) < 2 * len(PILOT) + 8
    result = thermodynamic_integration(levels(rng, places, 2000), log_z(0.0)).isel(rung=-1)
    assert_z(float(result["log_z"]), float(result["log_z_err"]), log_z(1.0), max_err=0.06)
    assert result.attrs["warning"] == "" and float(result["log_z_quadrature"]) < float(result["log_z_err"])


def test_rungs_where_swaps_need_them_are_not_trusted():
    result = thermodynamic_integration(levels(np.random.default_rng(1), PILOT, 2000), log_z(0.0)).isel(
        rung=-1
    )
    assert "exceeds the statistical one" in result.attrs["warning"]
    off = abs(float(result["log_z"]) - log_z(1.0))
    assert 0.1 < off < float(result["log_z_quadrature"]) + 4 * float(result["log_z_err"])


@pytest.mark.parametrize("n_rungs", [5, 30])
def test_a_number_of_rungs_is_kept(n_rungs):
    places = placed(np.random.default_rng(2), 1000, n_rungs=n_rungs)
    assert len(places) == n_rungs and places[-1] == 1.0


def test_the_rule_is_exact_for_a_gaussian_and_stays_between_its_ends():
    step = integrate((3.0, 2.0, 0.0), (1.0, 2.0, 0.0))
    assert step.integral == -2.0 and step.error == 0.0 and step.is_short
    # exp(-70 t) from one end to the other: derivatives at the ends would give -5 + 490 - 2858.
    long = integrate((10.0, 700.0, 49_000.0), (0.0, 0.0, 0.0))
    assert (long.integral, long.error, long.is_short) == (-5.0, 5.0, False)
    # Far apart, the rules may agree by chance: error is what derivatives at the ends change at all.
    apart = integrate((0.0, 120.0, 0.0), (-128.0, 0.0, 0.0))
    assert apart.integral == 64 + 12 and apart.error == 12
