# SPDX-License-Identifier: MIT
"""R-hat and the halves test on chains that agree, disagree, drift or do not move."""

from __future__ import annotations

import numpy as np
import pytest

from edgphys.estimators.convergence import halves_limit, halves_z, r_hat


def test_r_hat_is_small_for_chains_that_agree(ar1):
    x = ar1((4, 4000), 0.5, np.random.default_rng(0))
    assert 0.99 < r_hat(x) < 1.01
    assert r_hat(np.exp(x)) == pytest.approx(r_hat(x), abs=5e-3)  # ranks: only folding sees a monotone map


def test_r_hat_sees_a_shift_and_a_spread(ar1):
    x = ar1((4, 2000), 0.5, np.random.default_rng(1))
    assert r_hat(x + np.array([[0], [0], [0], [1]])) > 1.05
    assert r_hat(x * np.array([[1], [1], [1], [3]])) > 1.05


def test_r_hat_of_one_chain_compares_its_parts(ar1):
    x = ar1((1, 4000), 0.5, np.random.default_rng(2))
    assert r_hat(x) < 1.01
    assert r_hat(x + np.linspace(0, 3, 4000)) > 1.05


def test_r_hat_of_what_does_not_move():
    assert r_hat(np.ones((3, 100))) == 1.0
    assert r_hat(np.ones((3, 100)) * np.arange(3)[:, None]) == np.inf


@pytest.mark.statistical
def test_halves_z_is_standard_normal(ar1):
    rng = np.random.default_rng(3)
    z = []
    for _ in range(200):
        x = ar1((2, 4000), 0.8, rng)
        z.append(halves_z(x))
    assert abs(np.mean(z)) < 4 / np.sqrt(200)
    assert abs(np.var(z) - 1) < 4 * np.sqrt(2 / 200) + 0.05  # the error has an error
    assert np.max(np.abs(z)) < 4.5


def test_halves_see_a_warm_up(ar1):
    x = ar1((4, 4000), 0.5, np.random.default_rng(4)) + 3 * np.exp(-np.arange(4000) / 400)
    assert abs(halves_z(x)) > halves_limit(6)


def test_halves_of_a_constant_agree():
    assert halves_z(np.ones((2, 100))) == 0.0
    assert halves_z(np.repeat([[0.0, 1.0]], 50, axis=1)) == -np.inf


def test_halves_of_few_draws_are_not_judged():
    assert np.isnan(halves_z(np.ones((2, 31))))
