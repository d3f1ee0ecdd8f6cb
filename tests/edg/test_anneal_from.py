# SPDX-License-Identifier: MIT
"""Draws of a sampler for a range, annealed from a coupling in the range to one outside of it."""

import json

import numpy as np
import pytest
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices

ISING = ep.Ising(lattices.build("square", (4, 4)), temperature=4.5)
FIELD = ep.Phi4(lattices.build("chain", (8,)), kappa=0.1, lam=0.1)
CASES = {
    "ising": (ISING, {"temperature": (4.0, 6.0)}, {"temperature": 5.0}, {"temperature": 3.2}),
    "phi4": (FIELD, {"kappa": (0.05, 0.15)}, {"kappa": 0.12}, {"kappa": 0.3}),
}


def sampler(name):
    system, ranges, start, end = CASES[name]
    return ep.EDG(system, conditions=ranges, decoder_size=(8, 8)), start, end


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n_anneal", [0, 10])
def test_mean_weight_is_z_outside_of_the_range(name, n_anneal):
    edg, start, end = sampler(name)
    options = {"n_anneal": n_anneal, "n_views": 2, "progress": False}
    samples = edg.sample(2000, 1, anneal_from=start, **options, **end)
    exact = edg.system.replace(**end).exact_results()
    w = np.exp(samples["log_weight_joint"].values - exact["log_z"])
    assert json.loads(samples.attrs["parameters"]) == edg.system.parameters | end
    assert json.loads(samples.attrs["settings"])["anneal_from"] == start
    assert_z(w.mean(), w.std() / 2000**0.5, 1.0, n_tests=4, max_err=0.15)
    assert_off(w.mean() * np.exp(-1.0), w.std() * np.exp(-1.0) / 2000**0.5, 1.0, least=6.0, max_err=0.15)
    energy = ep.estimate(samples)
    assert_z(float(energy.energy), float(energy.energy_err), exact["energy"], n_tests=4, max_err=2.0)


def test_number_of_rungs_is_left_to_a_pilot():
    edg, start, end = sampler("phi4")
    told = json.loads(edg.sample(50, 1, anneal_from=start, progress=False, **end).attrs["settings"])
    assert told["n_anneal"] >= 16 and 0.0 < told["ess_start"] <= 1.0
    # The sampler itself is as it was.
    assert "anneal_from" not in json.loads(edg.sample(5, 1, progress=False).attrs["settings"])


@pytest.mark.parametrize(
    "start, end, error, message",
    [
        (
            {"temperature": 9.0},
            {},
            ValueError,
            r"temperature must be in \[4, 6\], for which the model is, got 9",
        ),
        ({"field": 0.1}, {}, TypeError, "field must be left out"),
        (5.0, {}, TypeError, "anneal_from must be a dict from names of conditions to numbers, got float"),
        ({"temperature": 5.0}, {"tempo": 2.0}, TypeError, "tempo must be left out: it is no option"),
        ({"temperature": 5.0}, {"temperature": -1.0}, ValueError, "temperature must be positive"),
    ],
)
def test_bad_starts_are_refused(start, end, error, message):
    with pytest.raises(error, match=message) as caught:
        sampler("ising")[0].sample(5, 1, anneal_from=start, progress=False, **end)
    assert "\n" not in str(caught.value)


def test_only_lattices_begin_elsewhere():
    edg = ep.EDG(ep.DoubleWell(), n_components=2)
    with pytest.raises(ValueError, match="anneal_from must be None for double_well"):
        edg.sample(5, 1, anneal_from={"temperature": 2.0}, progress=False)
