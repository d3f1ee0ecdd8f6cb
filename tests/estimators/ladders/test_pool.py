# SPDX-License-Identifier: MIT
"""The pool of all draws: its free energies are those of pymbar, its weights those of a state in between."""

from __future__ import annotations

import numpy as np
from helpers.ladders import EXACT, MODES, PATH, gaussian_ladder, gaussian_log_z
from scipy.special import logsumexp

from edgphys.estimators import mbar
from edgphys.estimators.ladders.pool import LadderPool
from edgphys.estimators.ladders.reading import pool_of


def test_free_energies_are_those_of_pymbar():
    ladder = gaussian_ladder(np.random.default_rng(5), PATH, 4, 500, MODES)
    result = mbar(ladder)
    assert (result["n_used"] == 2000).all()  # no draw was thinned away
    np.testing.assert_allclose(pool_of(ladder, most=10_000).log_z, result["log_z"], atol=1e-7)


def test_weights_of_a_state_in_between():
    pool = pool_of(gaussian_ladder(np.random.default_rng(6), PATH, 4, 2000, MODES), most=10**6)
    between = (PATH[1] + PATH[2]) / 2
    log_weights = pool.log_weights(between)
    exact = gaussian_log_z(between[None], MODES)[0] - EXACT[0]
    assert abs(logsumexp(log_weights) - exact) < 0.02
    assert abs(logsumexp(pool.log_weights(PATH[3])) - exact) > 0.1
    weights = np.exp(log_weights - logsumexp(log_weights))
    assert abs(weights @ pool.terms[:, 1] + MODES * between[1] / between[0]) < 0.02


def test_unequal_numbers_of_draws_and_gaps_are_solved():
    rng = np.random.default_rng(7)
    terms = np.concatenate([rng.normal(0.0, 1.0, 300), rng.normal(-30.0, 1.0, 900)])[
        :, None
    ]  # exp(-a X - X^2/2)
    pool = LadderPool(terms, np.array([300, 900]), np.array([[0.0], [30.0]]))
    assert 300 < pool.log_z[1] < 600  # 450 exactly; nothing was drawn in between
    np.testing.assert_allclose(pool.rung_weights().sum(1), 1.0, rtol=1e-6)
