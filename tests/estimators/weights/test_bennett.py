# SPDX-License-Identifier: MIT
"""Bennett's acceptance ratio on Gaussian log weights, N(-v/2, v) and N(v/2, v) on two sides: log Z = 0."""

from __future__ import annotations

import numpy as np
import pytest

from edgphys.errors import ArgumentValueError, ShortChainError
from edgphys.estimators.quiet import quiet
from edgphys.estimators.weights.bennett import bennett

N_SETS = 120


def sides(v, rng, rho=0.0, ar1=None, n=1000, chains=(8, 250)):
    """Log weights of both sides; with `rho`, those of the target are AR(1) series."""
    noise = rng.standard_normal(chains) if ar1 is None else ar1(chains, rho, rng)
    return rng.normal(-v / 2, np.sqrt(v), n), v / 2 + np.sqrt(v) * noise


def scores(v, rho, ar1, shuffled=False):
    """log_z / err and mismatch of many sets; `shuffled` hides the correlations of the chains."""
    rng, found = np.random.default_rng(17), []
    for _ in range(N_SETS):
        forward, backward = sides(v, rng, rho, ar1)
        if shuffled:
            backward = rng.permutation(backward.ravel()).reshape(backward.shape)
        result = bennett(forward, backward)
        found.append((result.log_z / result.err, result.mismatch))
    return np.array(found).T


def test_it_is_that_of_pymbar_for_independent_draws():
    with quiet():
        from pymbar import bar

        forward, backward = sides(6.0, np.random.default_rng(0))
        other = bar(-forward, backward.ravel())
    mine = bennett(forward, backward)
    # The effective number of draws differs from theirs by the scatter of tau_int around 1/2.
    assert mine.tau_int == pytest.approx(0.5, abs=0.05)
    assert mine.log_z == pytest.approx(-other["Delta_f"], abs=0.02 * mine.err)
    assert mine.err == pytest.approx(other["dDelta_f"], rel=0.05)


@pytest.mark.statistical
@pytest.mark.parametrize(("v", "rho"), [(1.0, 0.0), (12.0, 0.0), (6.0, 0.8)])
def test_errors_are_honest(v, rho, ar1):
    z, mismatch = scores(v, rho, ar1)
    # Four standard errors of a mean and of a standard deviation of unit variance.
    for score in (z, mismatch):
        assert abs(score.mean()) < 4.0 / np.sqrt(N_SETS)
        assert abs(score.std() - 1.0) < 4.0 / np.sqrt(2.0 * N_SETS)


@pytest.mark.statistical
def test_errors_without_the_autocorrelation_are_too_small(ar1):
    assert scores(6.0, 0.8, ar1, shuffled=True)[0].std() > 1.6


def test_weights_of_no_pair_of_densities_are_seen():
    rng = np.random.default_rng(1)
    forward, backward = sides(4.0, rng, n=4000, chains=(8, 500))
    assert abs(bennett(forward, backward).mismatch) < 4.0
    assert abs(bennett(forward, 2.0 + 0.5 * (backward - 2.0)).mismatch) > 10.0


def test_a_shift_of_the_weights_is_a_shift_of_log_z():
    forward, backward = sides(4.0, np.random.default_rng(2))
    low, high = (bennett(forward + shift, backward + shift) for shift in (0.0, 1e3))
    assert high.log_z - low.log_z == pytest.approx(1e3, abs=1e-6)
    assert high.err == pytest.approx(low.err, rel=1e-6)


@pytest.mark.statistical
def test_draws_without_weight_count():
    """A model that spends half of its draws where the target is nowhere has twice the weight elsewhere."""
    rng = np.random.default_rng(3)
    forward, backward = sides(2.0, rng, n=8000)
    forward = np.where(rng.random(8000) < 0.5, -np.inf, forward + np.log(2.0))
    result = bennett(forward, backward + np.log(2.0))
    assert abs(result.log_z) < 4.0 * result.err < 0.1
    wrong = bennett(forward[np.isfinite(forward)], backward + np.log(2.0))
    assert wrong.log_z > 10.0 * wrong.err
    # The other way round: the model reaches half of the target only, with twice the density.
    forward, backward = sides(2.0, rng, n=8000, chains=(8, 1000))
    backward = np.where(rng.random(backward.shape) < 0.5, np.inf, backward - np.log(2.0))
    result = bennett(forward - np.log(2.0), backward)
    assert abs(result.log_z) < 4.0 * result.err < 0.12


def test_equal_weights_have_no_error():
    result = bennett(np.full(10, 3.0), np.full((2, 20), 3.0))
    assert result.log_z == pytest.approx(3.0, abs=1e-9)
    assert (result.err, result.mismatch) == (0.0, 0.0) and result.overlap == pytest.approx(0.5)


def test_bad_weights_are_refused():
    forward, backward = sides(1.0, np.random.default_rng(4))
    with pytest.raises(
        ArgumentValueError, match="forward must be log weights, at least one finite, got 1 NaN"
    ):
        bennett(np.append(forward, np.nan), backward)
    with pytest.raises(
        ArgumentValueError, match="backward must be log weights, at least one finite, got 0 NaN"
    ):
        bennett(forward, np.full((2, 20), np.inf))
    with pytest.raises(ShortChainError, match="draw must hold at least 16 draws per chain, got 15"):
        bennett(forward, backward[:, :15])
