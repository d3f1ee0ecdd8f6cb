# SPDX-License-Identifier: MIT
"""Everything that is made from draws says what is wrong with them: all public functions, one by one.

Draws are those of a tilted double well, exact and independent but for what is done to them here. Bad chains:
half of them have never left one well. Bad weights: a proposal far too narrow.
"""

from __future__ import annotations

import functools
import inspect
import io
import json
import re

import numpy as np
import pytest
import xarray as xr
from helpers.wells import WELL, exact_draws
from rich.console import Console

import edgphys as ep
from edgphys import estimators
from edgphys.report.text import print_dataset

SYSTEM = ep.DoubleWell(**WELL)
EDGES = np.linspace(-1.5, 1.5, 9)
CHAINS, WEIGHTS = {"r_hat", "tau_int", "n_eff", "converged"}, {"ess", "pareto_k", "max_weight", "reliable"}


def dataset(x, dims, **more):
    """Draws of the well, by their positions."""
    x = np.asarray(x)
    measured = {
        name: (dims, values.reshape(x.shape)) for name, values in SYSTEM.measure(x.reshape(-1, 1)).items()
    }
    # Three particles on a line beside it, and a spin on a ring, for what asks for these.
    particles = np.stack([x, 0 * x, 0.5 * x + 3.0], axis=-1)[..., None]
    attrs = {**SYSTEM.attrs(), "kind": "samples", "schema_version": 1, "method": "test", "seed": 0}
    data = {**measured, "configurations": ((*dims, "particle", "axis"), particles)}
    return xr.Dataset({**data, **more}, attrs=attrs)


@functools.cache
def chains(good=True):
    x = exact_draws(16_000)[0].reshape(8, 2000)
    return dataset(
        x if good else np.where(np.arange(8)[:, None] % 2, np.abs(x), -np.abs(x)), ("chain", "draw")
    )


@functools.cache
def weighted(good=True):
    noise, width = np.random.default_rng(1).standard_normal(4000), 1.2 if good else 0.3
    x = width * noise - (0.0 if good else 0.9)
    log_weight = -SYSTEM.beta * SYSTEM.energy(x[:, None]) + noise**2 / 2
    return dataset(x, ("draw",), log_weight_joint=("draw", log_weight))


def ring(samples):
    """The same as a spin model on a ring, uniform in one well and staggered in the other but for noise."""
    x = samples["configurations"].values[..., 0, 0]
    spins = np.where((x < 0.0)[..., None], [1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0])
    spins[..., 1] *= np.random.default_rng(2).choice([-1.0, 1.0], x.shape)
    on_ring = {
        "lattice": "chain",
        "extent": [4],
        "pbc": [1],
        "n_sites": 4,
        "z2_symmetric": 0,
        "linear_size": 4.0,
    }
    kept = {
        name: value for name, value in samples.attrs.items() if name not in ("n_variables", "observables")
    }
    made = samples.drop_vars(["configurations", "right"])
    made = made.assign(configurations=((*samples["energy"].dims, "x"), spins))
    return made.drop_attrs().assign_attrs(kept | on_ring | {"basins": "[]"})


def side(x):
    return 1 * (x[:, 0, 0] > 0.0)


OF_DRAWS = {
    "average": lambda s: ep.average(s, lambda x: x[:, 0, 0], "x"),
    "basins": lambda s: ep.basins(s, side, ["left", "right"]),
    "correlation_function": lambda s: estimators.correlation_function(ring(s)),
    "correlations": lambda s: estimators.correlations(ring(s)),
    "energy_histogram": lambda s: ep.energy_histogram(s, 8),
    "estimate": ep.estimate,
    "free_energy_profile": lambda s: ep.free_energy_profile(s, lambda x: x[:, 0, 0], EDGES),
    "pair_distances": lambda s: ep.pair_distances(s, 8),
    "structure_factor": lambda s: estimators.structure_factor(ring(s), [[0.0], [np.pi]]),
}
OF_CHAINS = {"autocorrelation_times": estimators.autocorrelation_times}
# They take arrays, and ladders, whose warnings their own tests hold.
ELSEWHERE = {
    "density_of_states",
    "forward_ess",
    "mmd",
    "wasserstein",
    "log_binning",
    "mbar",
    "reweight",
    "thermodynamic_integration",
}
NO_DRAWS = {"estimates_from_exact"}


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
