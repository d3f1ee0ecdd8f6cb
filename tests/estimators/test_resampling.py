# SPDX-License-Identifier: MIT
"""Jackknife and bootstrap against closed forms: error of a mean, removal of a 1/n bias, the delta method."""

from __future__ import annotations

import numpy as np
import pytest

from edgphys.estimators.resampling import block_sums, bootstrap, jackknife, leave_one_out


def mean_of(sums):
    return (sums[..., 1] / sums[..., 0])[..., None]


def variance_of(sums):
    return (sums[..., 2] / sums[..., 0] - (sums[..., 1] / sums[..., 0]) ** 2)[..., None]


def columns_of(x):
    return np.stack([np.ones_like(x), x, x**2])


def test_jackknife_of_a_mean_is_the_standard_error():
    x = np.random.default_rng(0).standard_normal(100)
    sums = block_sums(columns_of(x), 100)
    value, err = jackknife(sums, sums[:, 0], mean_of)
    np.testing.assert_allclose([value[0], err[0]], [x.mean(), x.std(ddof=1) / 10], rtol=1e-12)


def test_jackknife_removes_the_bias_of_a_variance_exactly():
    x = np.random.default_rng(1).standard_normal(30)
    sums = block_sums(columns_of(x), 30)
    value, _ = jackknife(sums, sums[:, 0], variance_of)
    np.testing.assert_allclose(value[0], x.var(ddof=1), rtol=1e-12)


def test_jackknife_with_unequal_blocks_keeps_the_mean_and_its_error():
    x = np.random.default_rng(2).standard_normal(1003)
    sums = block_sums(columns_of(x), 300)
    assert set(sums[:, 0]) == {3.0, 4.0}
    value, err = jackknife(sums, sums[:, 0], mean_of)
    np.testing.assert_allclose(value[0], x.mean(), rtol=1e-10)
    assert err[0] == pytest.approx(x.std() / np.sqrt(1003), rel=0.15)


def test_a_correction_that_is_not_small_or_leads_out_of_the_possible_is_left_out():
    x = np.random.default_rng(1).standard_normal(30)
    sums = block_sums(columns_of(x), 30)
    value, err = jackknife(sums, sums[:, 0], variance_of, high=x.var())  # corrected it is larger
    assert value[0] == pytest.approx(x.var(), rel=1e-12)
    assert err[0] == jackknife(sums, sums[:, 0], variance_of)[1][0]
    # 1 / <x> with <x> near zero: the correction is as large as the error
    x -= x.mean() - 0.02
    sums = block_sums(columns_of(x), 30)
    value, err = jackknife(sums, sums[:, 0], lambda s: 1.0 / mean_of(s))
    assert value[0] == pytest.approx(1.0 / 0.02) and err[0] > 30.0


@pytest.mark.statistical
def test_jackknife_removes_the_bias_of_a_logarithm():
    n, spread = 25, 1.0
    rng = np.random.default_rng(3)
    plain, corrected = [], []
    for _ in range(3000):
        w = np.exp(spread * rng.standard_normal(n) - spread**2 / 2)
        sums = block_sums(columns_of(w), n)
        plain.append(np.log(w.mean()))
        corrected.append(jackknife(sums, sums[:, 0], lambda s: np.log(mean_of(s)))[0][0])
    bias, noise = np.mean(plain), np.std(plain) / np.sqrt(3000)
    exact_bias = -(np.exp(spread**2) - 1) / (2 * n)
    assert bias < -5 * noise  # the check could see it
    assert abs(bias - exact_bias) < 0.015  # next order, 1/n^2
    assert abs(np.mean(corrected)) < 0.5 * abs(bias)


def test_jackknife_error_of_a_ratio_is_that_of_the_delta_method():
    rng = np.random.default_rng(4)
    a, b = rng.normal(2.0, 0.3, 20_000), rng.normal(3.0, 0.5, 20_000)
    sums = block_sums(np.stack([b, a]), 2000)
    _, err = jackknife(sums, np.full(2000, 10.0), mean_of)
    exact = (2 / 3) * np.sqrt((0.3 / 2) ** 2 + (0.5 / 3) ** 2) / np.sqrt(20_000)
    assert err[0] == pytest.approx(exact, rel=0.06)  # 4 / sqrt(2 * 2000)


def test_bootstrap_spread_is_the_jackknife_error():
    x = np.random.default_rng(5).standard_normal(500)
    sums = block_sums(columns_of(x), 500)
    _, err = jackknife(sums, sums[:, 0], variance_of)
    copies = bootstrap(sums, variance_of, 2000, np.random.default_rng(6))
    assert copies.shape == (2000, 1)
    assert copies.std() == pytest.approx(err[0], rel=0.1)


def test_leave_one_out_loses_no_digits_to_a_dominant_block():
    sums = np.array([[1e-30], [1.0], [1e-30]])
    np.testing.assert_allclose(leave_one_out(sums), [[1.0], [2e-30], [1.0]])


def test_statistic_without_value_on_a_copy_has_an_infinite_error():
    sums = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    with np.errstate(divide="ignore"):
        value, err = jackknife(sums, sums[:, 0], lambda s: np.log(mean_of(s)))
    assert value[0] == np.log(0.5)
    assert err[0] == np.inf


@pytest.mark.parametrize("n_blocks", [0, 11])
def test_number_of_blocks_is_checked(n_blocks):
    with pytest.raises(ValueError, match=rf"n_blocks must be in 1 \.\. 10 .* got {n_blocks}"):
        block_sums(np.ones((1, 10)), n_blocks)


def test_one_block_is_refused():
    with pytest.raises(ValueError, match="at least 2 blocks, got 1"):
        jackknife(np.ones((1, 2)), np.ones(1), mean_of)
