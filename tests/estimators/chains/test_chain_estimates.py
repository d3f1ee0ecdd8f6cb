# SPDX-License-Identifier: MIT
"""Chain estimates against exact moments of a Gaussian AR(1) process, and the verdict on bad chains."""

from __future__ import annotations

import json
import pickle
import warnings

import numpy as np
import pytest
import xarray as xr
from helpers.datasets import bare
from helpers.stats import assert_z

from edgphys.errors import ShortChainError
from edgphys.estimators import estimate
from edgphys.estimators.chains.chain_estimates import enough_draws

MOMENTS = ("energy", "specific_heat", "abs_magnetization", "susceptibility", "binder_cumulant", "phi2")


@pytest.mark.statistical
@pytest.mark.parametrize("n_chains", [1, 4])
def test_gaussian_chains_with_known_moments(gaussian_chains, exact, n_chains):
    table = estimate(gaussian_chains(n_chains, 60_000 // n_chains, 0.8, seed=0))
    for name in MOMENTS:
        err = float(table[f"{name}_err"])
        assert_z(float(table[name]), err, exact[name], n_tests=2 * len(MOMENTS), max_err=0.05)
    assert float(table.converged) == 1.0, table.attrs["warning"]
    assert table.attrs["warning"] == ""
    assert float(table.r_hat) < 1.01
    assert np.isnan(table.log_z)
    assert np.isnan(table.ess)


@pytest.mark.statistical
def test_tau_int_is_that_of_the_slowest_observable(gaussian_chains):
    table = estimate(gaussian_chains(4, 20_000, 0.8, seed=1, z2_symmetric=0))
    assert table.attrs["tau_int_of"] == "magnetization"
    assert_z(float(table.tau_int), float(table.tau_int_err), 4.5, max_err=0.4)
    assert float(table.n_eff) == pytest.approx(80_000 / (2 * float(table.tau_int)))
    squares = json.loads(table.attrs["tau_int_by_name"])["magnetization_2"]
    assert squares == pytest.approx(0.5 * (1 + 0.64) / (1 - 0.64), rel=0.1)  # rho(t) = 0.8^(2t)


def test_derived_error_pinned_to_pyerrors(gaussian_chains):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyerrors
    # one chain: pyerrors takes deviations from the mean of each chain
    samples = gaussian_chains(1, 12_000, 0.7, seed=2)
    names = ["e"]
    m2 = pyerrors.Obs(list(samples.magnetization_2.values), names)
    m4 = pyerrors.Obs(list(samples.magnetization_4.values), names)
    binder = 1 - m4 / (3 * m2**2)
    binder.gamma_method(S=1.5)
    table = estimate(samples)
    assert float(table.binder_cumulant_err) == pytest.approx(binder.dvalue, rel=1e-8)
    # pyerrors keeps the O(1/n) bias that is removed here
    assert abs(float(table.binder_cumulant) - binder.value) < 0.5 * binder.dvalue


@pytest.mark.statistical
def test_one_sigma_bars_of_derived_quantities_cover(ar1, gaussian_chains, exact):
    z = {"energy": [], "specific_heat": [], "binder_cumulant": []}
    for seed in range(100):
        # few columns: the coverage is wanted, not the time of R-hat
        samples = gaussian_chains(2, 3000, 0.7, seed=100 + seed)[
            ["energy", "magnetization_2", "magnetization_4"]
        ]
        table = estimate(samples)
        for name, values in z.items():
            values.append((float(table[name]) - exact[name]) / float(table[f"{name}_err"]))
    for name, values in z.items():
        inside = np.mean(np.abs(values) < 1)
        assert abs(inside - 0.683) < 4.1 * np.sqrt(0.683 * 0.317 / 100), f"{name}: coverage {inside:.3f}"


@pytest.mark.statistical
def test_bias_of_a_variance_is_removed(gaussian_chains):
    plain, corrected = [], []
    for seed in range(150):
        samples = gaussian_chains(2, 400, 0.5, seed=300 + seed, z2_symmetric=0)[
            ["magnetization", "magnetization_2"]
        ]
        corrected.append(float(estimate(samples).susceptibility))
        plain.append(samples.magnetization.values.var())
    # bias of the plain one: -2 tau_int / n = -3/800 of 1, seen on the same draws, so the noise cancels
    assert np.mean(np.array(corrected) - plain) == pytest.approx(3 / 800, rel=0.2)


def test_chains_in_different_places_are_not_converged(gaussian_chains):
    samples = gaussian_chains(4, 2000, 0.5, seed=3)
    samples["energy"] = samples["energy"] + 2.0 * np.arange(4)[:, None]
    table = estimate(samples)
    assert float(table.converged) == 0.0
    assert "r_hat" in table.attrs["warning"]
    assert table.attrs["r_hat_of"] == "energy"


def test_warm_up_left_in_is_not_converged(gaussian_chains):
    samples = gaussian_chains(4, 4000, 0.5, seed=4)
    samples["energy"] = samples["energy"] + 2.0 * np.exp(-np.arange(4000) / 500)
    table = estimate(samples)
    assert float(table.converged) == 0.0
    assert "halves of the chains differ in energy" in table.attrs["warning"]


def test_too_few_independent_draws_are_not_converged(gaussian_chains):
    table = estimate(gaussian_chains(2, 200, 0.97, seed=5))
    assert float(table.converged) == 0.0
    assert "2 tau_int" in table.attrs["warning"]
    assert np.isfinite(table.energy_err)


def test_sign_that_never_flips_matters_only_without_symmetry(gaussian_chains):
    samples = gaussian_chains(4, 4000, 0.5, seed=6)
    sign = np.array([1, 1, -1, -1])[:, None]
    samples["magnetization"] = np.abs(samples["magnetization"]) * sign
    assert float(estimate(samples).converged) == 1.0
    table = estimate(samples.assign_attrs(z2_symmetric=0))
    assert float(table.converged) == 0.0
    assert table.attrs["r_hat_of"] == "magnetization"


@pytest.mark.parametrize("step", [0.0, 1.0])
@pytest.mark.parametrize("n_chains", [1, 2])
def test_frozen_chains_are_not_trusted(gaussian_chains, n_chains, step):
    """Alike or each at its own place: no fluctuation was seen, so no error is known."""
    samples = gaussian_chains(n_chains, 200, 0.5, seed=7)
    frozen = samples * 0.0 + 1.0 + step * xr.DataArray(np.arange(n_chains), dims="chain")
    frozen.attrs = samples.attrs
    table = estimate(frozen)
    assert float(table.energy) == pytest.approx(1.0 + step * (n_chains - 1) / 2)
    names = ("energy", "specific_heat", "abs_magnetization", "susceptibility", "binder_cumulant", "phi2")
    assert all(np.isnan(table[f"{name}_err"]) for name in names)
    assert float(table.magnetization_err) == 0.0  # zero by symmetry
    assert np.isnan(table.tau_int) and np.isnan(table.n_eff) and not float(table.r_hat) < 1.01
    assert float(table.converged) == 0.0
    assert "no fluctuation seen in energy, abs_magnetization, phi2" in table.attrs["warning"]
    with pytest.raises(ShortChainError, match="no fluctuation"):
        estimate(frozen, refuse_short=True)


def test_what_is_constant_by_nature_has_no_error_and_is_trusted(gaussian_chains):
    samples = gaussian_chains(4, 4000, 0.5, seed=6)
    samples["energy"] *= 0.0
    assert float(estimate(samples).converged) == 0.0
    table = estimate(samples.assign_attrs(constants='["energy"]'))
    assert float(table.converged) == 1.0, table.attrs["warning"]
    assert (float(table.energy), float(table.energy_err)) == (0.0, 0.0)
    assert (float(table.specific_heat), float(table.specific_heat_err)) == (0.0, 0.0)
    assert float(table.abs_magnetization_err) > 0.0


@pytest.mark.parametrize(("n_events", "trusted"), [(3, 0.0), (9, 0.0), (40, 1.0)])
def test_an_error_of_a_few_draws_is_not_trusted(gaussian_chains, n_events, trusted):
    samples = gaussian_chains(4, 4000, 0.0, seed=6)
    events = np.random.default_rng(1).permutation(np.arange(16_000) < n_events).reshape(4, 4000)
    samples["energy"][:] = 8.0 * events
    table = estimate(samples)
    assert float(table.converged) == trusted, table.attrs["warning"]
    assert ("the error of energy rests on fewer than 10 draws" in table.attrs["warning"]) != trusted
    assert float(table.energy_err) == pytest.approx(8.0 * np.sqrt(n_events) / 16_000, rel=0.05)


@pytest.mark.parametrize("words", [{"settings": '{"measured": {"acceptance": 0.0}}'}, {"acceptance": 0.0}])
def test_chains_that_accept_nothing_are_not_trusted(gaussian_chains, words):
    samples = gaussian_chains(4, 4000, 0.5, seed=6)  # as swaps of frozen replicas move a rung
    table = estimate(samples.assign_attrs(words))
    assert (float(table.converged), table.attrs["warning"]) == (0.0, "no proposal was accepted")


@pytest.mark.parametrize("refuse_short", [False, True])
def test_fewer_than_16_draws_are_refused_with_plain_means(gaussian_chains, refuse_short):
    samples = gaussian_chains(8, 10, 0.0, seed=8)
    with pytest.raises(
        ShortChainError, match=r"at least 16 draws per chain, got 10; 80 draws .* about"
    ) as caught:
        estimate(samples, refuse_short=refuse_short)
    assert "\n" not in str(caught.value)
    partial = caught.value.partial
    assert float(partial.energy) == pytest.approx(float(samples.energy.mean()), rel=1e-12)
    assert np.isnan(partial.energy_err) and float(partial.converged) == 0.0
    assert "no errors" in partial.attrs["warning"]
    assert set(partial.data_vars) == set(estimate(gaussian_chains(2, 100, 0.0, seed=8)).data_vars)
    assert 0.5 <= caught.value.tau_int < 10


def test_no_draws_at_all_have_no_partial_result(gaussian_chains):
    with pytest.raises(ShortChainError, match="got 0") as caught:
        estimate(gaussian_chains(2, 16, 0.0, seed=8).isel(draw=slice(0)))
    assert caught.value.partial is None


def test_short_chains_are_refused_on_request_with_what_there_is(gaussian_chains):
    samples = gaussian_chains(2, 200, 0.97, seed=5)
    table = bare(estimate(samples))
    with pytest.raises(ShortChainError, match=r"^chains must be converged: .*400 draws .* about") as caught:
        estimate(samples, refuse_short=True)
    xr.testing.assert_identical(caught.value.partial, table)
    assert caught.value.tau_int == float(table.tau_int)
    assert str(enough_draws(2, float(table.tau_int))) in str(caught.value)
    assert "\n" not in str(caught.value)
    copy = pickle.loads(pickle.dumps(caught.value))  # workers send it back so
    assert copy.tau_int == caught.value.tau_int and copy.partial.identical(table)


def test_converged_chains_are_not_refused(gaussian_chains):
    samples = gaussian_chains(4, 4000, 0.5, seed=6)
    xr.testing.assert_identical(bare(estimate(samples, refuse_short=True)), bare(estimate(samples)))


@pytest.mark.statistical
@pytest.mark.parametrize("n_chains", [1, 4])
def test_enough_draws_are_enough_for_most(gaussian_chains, n_chains):
    rho, passed, passed_short = 0.8, [], []
    n_draws = enough_draws(n_chains, 0.5 * (1 + rho) / (1 - rho)) // n_chains
    for seed in range(60):
        samples = gaussian_chains(n_chains, n_draws, rho, seed=500 + seed)[["magnetization"]]
        samples.attrs["z2_symmetric"] = 0
        passed.append(float(estimate(samples).converged))
        passed_short.append(float(estimate(samples.isel(draw=slice(n_draws // 5))).converged))
    assert np.mean(passed) > 0.7
    assert np.mean(passed_short) < 0.3
