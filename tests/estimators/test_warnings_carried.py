# SPDX-License-Identifier: MIT
"""Everything that is made from draws says what is wrong with them: all public functions, one by one.

Draws are good and bad ones of a tilted double well (`helpers.products`).
"""

from __future__ import annotations

import inspect
import io
import json
import re

import numpy as np
import pytest
import xarray as xr
from helpers.products import OF_CHAINS, OF_DRAWS, chains, weighted
from rich.console import Console

import edgphys as ep
from edgphys import estimators
from edgphys.report.text import print_dataset

CHAINS, WEIGHTS = {"r_hat", "tau_int", "n_eff", "converged"}, {"ess", "pareto_k", "max_weight", "reliable"}
# They take arrays, and ladders, whose warnings their own tests hold.
ELSEWHERE = {
    "density_of_states",
    "forward_ess",
    "mmd",
    "wasserstein",
    "log_binning",
    "mbar",
    "overlap",
    "reweight",
    "thermodynamic_integration",
}
NO_DRAWS = {"estimates_from_exact", "to_arviz"}


def test_no_function_of_draws_is_left_out():
    public = {name for name in estimators.__all__ if inspect.isfunction(getattr(estimators, name))}
    assert public == set(OF_DRAWS) | set(OF_CHAINS) | ELSEWHERE | NO_DRAWS


def reasons(data):
    """What the warning says, number by number left out."""
    return {re.sub(r"[\d.]+|inf", "#", reason) for reason in data.attrs["warning"].split("; ")}


@pytest.mark.parametrize("name", OF_DRAWS)
@pytest.mark.parametrize("kind", ["chains", "weights"])
def test_the_state_of_the_draws_is_carried(name, kind):
    make, diagnostics, word = (chains, CHAINS, "r_hat") if kind == "chains" else (weighted, WEIGHTS, "Pareto")
    good, bad = (OF_DRAWS[name](make(state)) for state in (True, False))
    assert good.attrs["warning"] == "" and word in bad.attrs["warning"]
    flag = "converged" if kind == "chains" else "reliable"
    assert diagnostics <= set(good.data_vars) and (float(good[flag]), float(bad[flag])) == (1.0, 0.0)
    # the words are those of estimates
    assert reasons(bad) & reasons(ep.estimate(make(False)))
    ep.dataset.validate(bad)
    assert f"NOT TRUSTED: {bad.attrs['warning']}" in shown(bad) and "NOT TRUSTED" not in shown(good)


@pytest.mark.parametrize("name", OF_CHAINS)
def test_the_state_of_chains_is_carried(name):
    assert OF_CHAINS[name](chains()).attrs["warning"] == ""
    assert "r_hat" in OF_CHAINS[name](chains(False)).attrs["warning"]


def shown(result):
    out = io.StringIO()
    print_dataset(result, exact={}, console=Console(file=out, width=400))
    return out.getvalue()


def test_what_is_slow_in_the_product_alone_is_seen():
    """What says nothing of the wells leaves it to the coordinate to see that chains disagree."""
    bad = chains(False)
    blind = xr.Dataset({"energy": bad["energy"].copy(data=chains()["energy"].values), "x": bad["right"]})
    blind.attrs = {"temperature": 1.0}
    assert ep.average(blind[["energy"]], "energy").attrs["warning"] == ""
    assert "r_hat" in ep.average(blind, "x").attrs["warning"]
    far = blind.rename(x="elsewhere").assign(energy=blind["energy"])
    assert "r_hat" in ep.energy_histogram(far, 4).attrs["warning"]


def test_a_warning_of_the_draws_themselves_is_kept():
    samples = chains().assign_attrs(warning="drawn by a clock")
    for name, make in (OF_DRAWS | OF_CHAINS).items():
        assert make(samples).attrs["warning"] == "drawn by a clock", name


def test_weights_of_distances_are_judged():
    x, y = (np.random.default_rng(seed).standard_normal(2000) for seed in (0, 1))
    for good, logs in ((True, 0.1 * x), (False, 4.0 * x)):
        for table in (ep.wasserstein(x, y, 0, log_weights=logs, n_resamples=2), ep.forward_ess(logs)):
            assert (table.attrs["warning"] == "") == good
        squares = ep.mmd(x[:300, None], y[:300, None], reference_log_weights=logs[:300])
        assert ("y: effective sample size" in squares.attrs["warning"]) != good


def test_definitions_say_what_is_carried():
    profile = OF_DRAWS["free_energy_profile"](chains())
    definitions = json.loads(profile.attrs["definitions"])
    assert set(profile.data_vars) <= set(definitions) and "independent visits" in definitions["n_visits"]
