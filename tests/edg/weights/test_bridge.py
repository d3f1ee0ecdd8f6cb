# SPDX-License-Identifier: MIT
"""log Z from both sides against exact results: good, bad and half-blind models, and wrong pairs of sides."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from helpers.edg import boltzmann, perturb
from helpers.samplers import (
    SMALL_FIELD,
    TINY_FIELD,
    TINY_MIXTURE,
    case,
    exact_square,
    short_search,
    square,
    trained_square,
)
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys import dataset, mcmc
from edgphys.edg import EDG
from edgphys.edg.weights import bridge as weights_bridge
from edgphys.errors import ShortChainError
from edgphys.systems import DoubleWell, Ising, Planar

__all__ = ["short_search"]  # a fixture for all tests here


def chains(system, n_sweeps=500, seed=11):
    algorithm = mcmc.best_algorithm(system)
    return mcmc.run(system, algorithm, n_chains=8, n_sweeps=n_sweeps, seed=seed, keep=True, n_threads=1)


@functools.cache
def reference():
    return chains(square())


@functools.cache
def bad_model():
    """Laws with random weights: few draws carry all weight."""
    edg = EDG(square())
    perturb(edg.model, 0.3, 3)
    return edg


def bridged(edg, samples=None, n_samples=4000, seed=4, **options):
    samples = reference() if samples is None else samples
    table = edg.bridge(samples, n_samples, seed, progress=False, **options)
    return table, float(table["log_z"]), float(table["log_z_err"])


MODELS = {
    "untrained": (lambda: EDG(square(), **SMALL_FIELD), 0.006),
    "trained": (trained_square, 0.004),
    "relaxation": (lambda: EDG(square(), **SMALL_FIELD, target="relaxation"), 0.02),
    "bad": (bad_model, 0.06),
}


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("name", "n_views"), [("untrained", 1), ("trained", "auto"), ("relaxation", 3), ("bad", 1), ("bad", 8)]
)
def test_log_z_lies_between_the_bounds_and_is_exact(name, n_views):
    make, max_err = MODELS[name]
    table, log_z, err = bridged(make(), n_views=n_views)
    assert_z(log_z, err, exact_square()["log_z"], n_tests=20, max_err=max_err)
    assert float(table["elbo"]) < exact_square()["log_z"] < float(table["log_z_upper"])
    gap, bounds = float(table["gap"]), float(table["log_z_upper"]) - float(table["elbo"])
    assert gap == pytest.approx(bounds) and float(table["gap_err"]) > 0.0
    assert float(table["reliable"]) == 1.0 and abs(float(table["mismatch"])) < 4.0
    assert float(table["energy"]) == float(ep.estimate(reference())["energy"])


@pytest.mark.statistical
def test_a_bad_model_still_gives_log_z():
    log_z, found = exact_square()["log_z"], []
    for seed in range(4):
        samples = chains(square(), 250, seed)
        _, value, err = bridged(bad_model(), samples, 2000, seed, n_views=1)
        found.append((value, err))
    value, err = np.array(found).T
    z = (value - log_z) / err
    assert err.max() < 0.08 and abs(z.mean()) < 4.0 / math.sqrt(len(z))
    assert float(z @ z) < 23.5  # chi^2 of 4: one in ten thousand lies beyond
    # E[w]^2 / E[w^2] over draws is Z / E[w] over the target: rare large weights come as often as they count.
    weights = np.exp(bad_model().upper_bound(reference(), 1, n_views=1)["log_weight_reverse"] - log_z)
    assert 1.0 / float(weights.mean()) < 1e-2
    plain = ep.estimate(bad_model().sample(2000, 0, n_views=1, progress=False))
    assert float(plain["log_z_err"]) > 5.0 * err.max() and float(plain["reliable"]) == 0.0


@pytest.mark.statistical
def test_a_lost_phase_comes_back():
    system = Planar("mog2")
    edg = EDG(system, **TINY_MIXTURE)
    with torch.no_grad():
        edg.model.label_logits[edg.model.decoder.frames.means[:, 0] < 0] -= 20.0
        # Wide components cover it: they are lost too.
        edg.model.label_logits[edg.model.least_shares > 0] -= 60.0
        edg.model._has_floor = False
    rng = np.random.default_rng(7)
    x = system._points[rng.integers(2, size=(8, 250))] + 0.5 * rng.standard_normal((8, 250, 2))
    states = xr.Dataset(
        {"configurations": (("chain", "draw", "coordinate"), x)},
        attrs={"system": system.name, "parameters": json.dumps(system.parameters)},
    )
    table, log_z, err = bridged(edg, states, 2000)
    assert_z(log_z, err, 0.0, max_err=0.04)
    assert float(table["gap"]) > 5.0 and math.isfinite(float(table["energy_err"]))
    plain = ep.estimate(edg.sample(2000, 4, progress=False))
    assert_off(float(plain["log_z"]), float(plain["log_z_err"]), 0.0, least=20.0, max_err=0.04)
    assert float(plain["log_z"]) == pytest.approx(-math.log(2.0), abs=0.05)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["double well 1", "hamiltonian", "one component", "eased"])
def test_continuous_systems_have_it_too(name):
    """Draws that `sample` would anneal are bridged as they are."""
    if name == "eased":
        edg = EDG(DoubleWell(n_dims=1), **TINY_MIXTURE, train_at={"temperature": 2.0})
    else:
        edg = case(name)
    table, log_z, err = bridged(edg, chains(edg.system), 2000)
    assert_z(log_z, err, edg.system.exact_results()["log_z"], n_tests=20, max_err=0.05)
    assert "n_anneal" not in json.loads(table.attrs["settings"])


def other_views(model, samples, seed, options):
    return UPPER_BOUND(model, samples, seed, replace(options, n_views=1))


UPPER_BOUND = weights_bridge.upper_bound


@pytest.mark.slow
@pytest.mark.statistical
def test_another_number_of_views_on_one_side_is_wrong(monkeypatch):
    monkeypatch.setattr(weights_bridge, "upper_bound", other_views)
    edg = MODELS["relaxation"][0]()
    table, log_z, err = bridged(edg, n_views=8)
    assert_off(log_z, err, exact_square()["log_z"], least=6.0, max_err=0.02)
    assert abs(float(table["mismatch"])) > 4.0


@pytest.mark.slow
@pytest.mark.statistical
def test_shares_of_labels_are_those_of_both_sides(monkeypatch):
    """In a field the share of one phase is held low by hand; the pilot gives it back."""
    edg = EDG(Ising(lattices.build("square", (4, 4)), temperature=3.5, field=0.1), **SMALL_FIELD)
    with torch.no_grad():
        edg.model.mixed_logit.fill_(-3.0)
        edg.model.opposite_logit.fill_(3.0)
    log_z, samples = boltzmann(edg.system)[2], chains(edg.system)
    table, value, err = bridged(edg, samples)
    assert "label_shares" in table.attrs["settings"]
    assert_z(value, err, log_z, max_err=0.005)

    def trained_shares(model, *rest):
        return UPPER_BOUND(replace(model, model=edg.model), *rest)

    monkeypatch.setattr(weights_bridge, "upper_bound", trained_shares)
    table, value, err = bridged(edg, samples)
    assert_off(value, err, log_z, least=10.0, max_err=0.02)
    assert float(table["reliable"]) == 0.0 and "one pair of densities" in table.attrs["warning"]


@pytest.mark.statistical
def test_a_reference_of_another_temperature_is_refused_or_wrong():
    hot = chains(square(temperature=2.8))
    with pytest.raises(
        ValueError, match=r"reference must be of Ising.*, got samples of ising with parameters"
    ):
        bridged(bad_model(), hot)
    hot.attrs["parameters"] = reference().attrs["parameters"]
    _, log_z, err = bridged(bad_model(), hot, n_views=1)
    assert_off(log_z, err, exact_square()["log_z"], least=10.0, max_err=0.06)


def test_observables_are_measured_where_the_reference_has_none():
    bare = reference()[["configurations"]]
    edg = EDG(square(), **TINY_FIELD)
    with_them, without = (bridged(edg, one, 50)[0] for one in (reference(), bare))
    for name in ("energy", "abs_magnetization", "log_z"):
        np.testing.assert_allclose(float(without[name]), float(with_them[name]), rtol=1e-9)


def test_result_says_how_it_was_made_and_repeats_itself(tmp_path):
    edg, path = EDG(square(), **TINY_FIELD), tmp_path / "bridge.nc"
    few = reference().isel(draw=slice(40))
    table, again, other = (bridged(edg, few, 50, seed)[0] for seed in (1, 1, 2))
    xr.testing.assert_equal(table, again)
    assert float(other["log_z"]) != float(table["log_z"])
    dataset.validate(table)
    dataset.write(table, path)
    xr.testing.assert_equal(dataset.read(path), table)
    attrs, settings = table.attrs, json.loads(table.attrs["settings"])
    assert (attrs["kind"], attrs["method"], attrs["seed"]) == ("estimates", "bridge", 1)
    assert settings["n_views"] == 8 and settings["n_views_from"] == "rule" and settings["chains"] == "wolff"
    assert settings["n_samples"] == 50 and settings["n_reference"] == 320
    assert attrs["n_energy_calls"] == few.attrs["n_energy_calls"] + 8 * (50 + 320)
    assert "effective draws of the model overlap" in table.attrs["warning"] and table["reliable"] == 0.0
    draws = edg.sample(50, 1, n_views=8, progress=False)["log_weight_joint"]
    assert float(table["elbo"]) == pytest.approx(float(draws.mean()))


def test_bad_input_is_refused():
    edg = EDG(square(), **TINY_FIELD)
    with pytest.raises(ValueError, match="n_samples must be an integer >= 2, got 1"):
        edg.bridge(reference(), 1)
    with pytest.raises(ValueError, match="reference must have the variable configurations"):
        edg.bridge(reference().drop_vars("configurations"))
    with pytest.raises(TypeError, match=r"reference must be an xarray.Dataset of samples, got NoneType"):
        edg.bridge(None)
    with pytest.raises(ShortChainError, match="draw must hold at least 16 draws per chain, got 10"):
        edg.bridge(reference().isel(draw=slice(10)), 50, progress=False)
    triangular = chains(Ising(lattices.build("triangular", (4, 4)), 2.3), 20)
    with pytest.raises(
        ValueError, match="reference must be on a lattice with lattice square, got triangular"
    ):
        edg.bridge(triangular)
