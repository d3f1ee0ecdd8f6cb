# SPDX-License-Identifier: MIT
"""Draws in arviz: chains as they are, weighted ones resampled so that counts are n w, rounded up or down."""

from __future__ import annotations

import arviz
import matplotlib as mpl
import numpy as np
import pytest
from helpers.datasets import chains, exact, weighted

import edgphys as ep
from edgphys.errors import ArgumentTypeError, ArgumentValueError, DatasetError
from edgphys.estimators.arviz_data import resampled_indices


def shares(log_weights):
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def test_counts_are_the_weights_rounded_up_or_down_and_the_weights_on_average():
    rng, n = np.random.default_rng(0), 50
    weights = shares(2.0 * rng.standard_normal(40))
    runs = [np.bincount(resampled_indices(weights, n, rng), minlength=40) for _ in range(3000)]
    counts = np.array(runs)
    assert (np.abs(counts - n * weights) < 1.0).all() and (counts.sum(1) == n).all()
    # A count is one of two neighbours: binomial, with the part behind the point as its chance.
    part = n * weights - np.floor(n * weights)
    error = np.sqrt(part * (1.0 - part) / len(runs))
    assert (np.abs(counts.mean(0) - n * weights) < 5.0 * error + 1e-12).all()
    independent = np.bincount(rng.choice(40, n, p=weights), minlength=40)
    assert not (np.abs(independent - n * weights) < 1.0).all()


def test_weighted_draws_keep_their_means_and_say_how_many_are_left():
    draws = weighted(400)
    data = ep.to_arviz(draws, seed=3, n_draws=4000)["posterior"]
    weights = shares(draws["log_weight_joint"].values)
    mean, spread = weights @ draws["energy"].values, np.ptp(draws["energy"].values)
    assert abs(float(data["energy"].mean()) - mean) < spread * 400 / 4000
    assert abs(float(draws["energy"].mean()) - mean) > 3.0 * abs(float(data["energy"].mean()) - mean)
    assert data.attrs["n_distinct"] == len(np.unique(data["energy"])) <= 400
    assert (data.attrs["n_weighted"], data.attrs["resample_seed"]) == (400, 3)
    assert "log_weight_joint" not in data and data["energy"].dims == ("chain", "draw")
    again = ep.to_arviz(draws, seed=3, n_draws=4000)["posterior"]
    np.testing.assert_array_equal(data["energy"], again["energy"])


@pytest.mark.parametrize("samples", [chains(4, 64), weighted(64)])
def test_arviz_sums_up(samples):
    data = ep.to_arviz(samples)
    table = arviz.summary(data, var_names=["energy"], round_to="none")
    assert float(table.loc["energy", "mean"]) == pytest.approx(float(data["posterior"]["energy"].mean()))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::matplotlib.MatplotlibDeprecationWarning")  # of arviz
@pytest.mark.parametrize("samples", [chains(4, 64), weighted(64)])
def test_arviz_draws(samples):
    with mpl.rc_context({"backend": "agg"}):
        drawn = np.ravel(arviz.plot_trace(ep.to_arviz(samples), var_names=["energy"]))
    assert "energy" in drawn[0].get_title()
    mpl.pyplot.close("all")


def test_chains_are_those_of_the_older_name():
    one, other = (make(chains(2, 64))["posterior"] for make in (ep.to_arviz, ep.to_inference_data))
    assert (
        one.to_dataset().identical(other.to_dataset()) if hasattr(one, "to_dataset") else one.identical(other)
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((exact(),), DatasetError, "must be of kind 'samples', got 'estimates'"),
        ((weighted(), {"seed": -1}), ArgumentValueError, "seed must be"),
        ((weighted(), {"n_draws": 0}), ArgumentValueError, "n_draws must be"),
        ((3,), ArgumentTypeError, "ds must be an xarray.Dataset"),
    ],
)
def test_what_is_wrong_is_refused(arguments, error, message):
    samples, *options = arguments
    with pytest.raises(error, match=message):
        ep.to_arviz(samples, **dict(*options))
