# SPDX-License-Identifier: MIT
"""Reweighted ladders and chains against enumeration and Kaufman; what nothing was drawn near is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.systems import DoubleWell, Ising, Phi4

SMALL = Ising(lattices.build("square", (4, 4)), 2.3, field=0.1)
NAMES = ("energy", "specific_heat", "magnetization", "susceptibility", "binder_cumulant")
LADDER = {"n_chains": 4, "n_sweeps": 2000, "n_warmup": 200, "n_threads": 1, "seed": 5}


@pytest.fixture(scope="module")
def ladder():
    return ep.mcmc.temper(SMALL, {"temperature": [2.0, 2.4, 3.0]}, "heat_bath", **LADDER)


def check(curve, make, names=NAMES, max_err=0.5):
    (coupling,) = json.loads(curve.attrs["couplings"])
    for k, value in enumerate(curve[coupling].values.tolist()):
        exact = make(value).exact_results()
        for name in set(names) & set(exact):
            one = float(curve[name][k]), float(curve[f"{name}_err"][k])
            assert_z(*one, exact[name], n_tests=20 * curve.sizes[coupling], max_err=max_err)


@pytest.mark.statistical
def test_between_the_rungs_of_a_ladder(ladder):
    temperatures = [1.8, 2.2, 2.7, 3.4]
    curve = ep.reweight(ladder, temperature=temperatures)
    dataset.validate(curve)
    assert (curve["reliable"] == 1).all() and curve.attrs["warning"] == ""
    check(curve, lambda t: SMALL.replace(temperature=t))
    first = SMALL.replace(temperature=2.0).exact_results()["log_z"]
    for k, t in enumerate(temperatures):
        exact = SMALL.replace(temperature=t).exact_results()["log_z"] - first
        one = float(curve["log_z_difference"][k]), float(curve["log_z_difference_err"][k])
        assert_z(*one, exact, n_tests=4, max_err=0.05)


@pytest.mark.statistical
def test_draws_at_wrong_temperatures_are_seen(ladder):
    wrong = ladder.assign(action_coefficients=ladder["action_coefficients"] * 1.1)
    rungs = [one | {"beta": one["beta"] * 1.1} for one in json.loads(ladder.attrs["rungs"])]
    curve = ep.reweight(wrong.assign_attrs(rungs=json.dumps(rungs)), temperature=2.4)
    exact = SMALL.replace(temperature=2.4).exact_results()["energy"]
    assert_off(float(curve["energy"][0]), float(curve["energy_err"][0]), exact, least=8.0, max_err=0.5)


def test_at_a_rung_it_is_what_the_rung_says(ladder):
    curve = ep.reweight(ladder, temperature=2.0, log_z_reference=7.0)
    alone = ep.estimate(ep.mcmc.rung(ladder, 0))
    assert float(curve["log_z"][0]) == pytest.approx(7.0) and float(curve["log_z_err"][0]) < 1e-12
    assert float(curve["free_energy"][0]) == pytest.approx(-14.0)
    off = abs(float(curve["energy"][0] - alone["energy"]))
    assert off < 2 * float(alone["energy_err"]) and 0 < float(curve["energy_err"][0]) < float(
        alone["energy_err"]
    )


def test_copies_scatter_as_the_errors_say(ladder):
    curve = ep.reweight(ladder, temperature=[2.1, 2.6], n_resamples=400, seed=3)
    dataset.validate(curve)
    for name in ("energy", "specific_heat", "binder_cumulant", "log_z_difference"):
        ratio = curve[f"{name}_resampled"].std("resample") / curve[f"{name}_err"]
        assert ((ratio > 0.75) & (ratio < 1.25)).all(), name
    copies = curve["energy_resampled"]
    assert np.corrcoef(copies[:, 0], copies[:, 1])[0, 1] > 0.3  # the same blocks serve both
    again = ep.reweight(ladder, temperature=[2.1, 2.6], n_resamples=400, seed=4)
    assert not again["energy_resampled"].equals(copies) and again["energy"].equals(curve["energy"])


def test_where_nothing_was_drawn_there_is_no_number():
    system = Ising(lattices.build("square", (16, 16)), 4.0)
    chains = ep.mcmc.run(system, "wolff", n_chains=4, n_sweeps=500, seed=1, n_threads=1)
    curve = ep.reweight(chains, temperature=[0.5, 2.2, 3.95])
    assert curve["reliable"].values.tolist() == [0.0, 0.0, 1.0]
    assert np.isnan(curve["energy"].values).tolist() == [True, True, False]
    assert "temperature 0.5 to 2.2 (2 of 3 values)" in curve.attrs["warning"]
    assert "no overlap" in curve.attrs["warning"]


@pytest.mark.slow
@pytest.mark.statistical
def test_chains_at_several_temperatures_against_kaufman():
    system = Ising(lattices.build("square", (8, 8)), 2.2)
    runs = [
        ep.mcmc.run(system.replace(temperature=t), "wolff", n_chains=2, n_sweeps=n, seed=9, n_threads=1)
        for t, n in ((2.2, 2000), (2.5, 1000))
    ]
    curve = ep.reweight(runs, temperature=[2.15, 2.3, 2.4])
    check(curve, lambda t: system.replace(temperature=t), ("energy", "specific_heat"), max_err=1.0)


@pytest.mark.slow
@pytest.mark.statistical
def test_other_couplings_of_which_the_action_is_linear():
    in_field = ep.mcmc.temper(SMALL, {"field": [0.0, 0.1, 0.25]}, "heat_bath", **LADDER)
    check(ep.reweight(in_field, field=[0.05, 0.2]), lambda h: SMALL.replace(field=h))
    check(
        ep.reweight(in_field, temperature=[2.2, 2.4], field=0.15),
        lambda t: SMALL.replace(temperature=t, field=0.15),
    )
    ring = Phi4(lattices.build("chain", (8,)), 0.3, 0.2)
    fields = ep.mcmc.temper(ring, {"kappa": [0.2, 0.3]}, "hmc", **LADDER)
    check(
        ep.reweight(fields, kappa=[0.22, 0.27]),
        lambda kappa: ring.replace(kappa=kappa),
        ("phi2", "susceptibility"),
    )


@pytest.mark.slow
@pytest.mark.statistical
def test_a_system_without_a_lattice():
    well = DoubleWell(tilt=0.5)
    wells = ep.mcmc.temper(well, {"temperature": [0.8, 1.2]}, "random_walk", **LADDER)
    curve = ep.reweight(wells, temperature=[0.9, 1.1])
    check(curve, lambda t: well.replace(temperature=t), ("energy", "right", "free_energy_difference"))


@pytest.mark.parametrize(
    "change, conditions, error, message",
    [
        (lambda d: d, {}, TypeError, "conditions must give one of temperature, got none"),
        (
            lambda d: d,
            {"field": 0.2},
            ValueError,
            "field must be left out, as draws tell of temperature only",
        ),
        (lambda d: d, {"temperature": -1.0}, ValueError, "temperature must be positive, got -1"),
        (lambda d: d, {"temperature": [np.nan]}, ValueError, "temperature must be finite numbers"),
        (
            lambda d: d,
            {"temperature": 2.0, "n_resamples": -1},
            ValueError,
            "n_resamples must be an integer >= 0",
        ),
        (lambda d: "ladder.nc", {"temperature": 2.0}, TypeError, "draws must be a ladder"),
        (lambda d: d.assign_attrs(kind="scan"), {"temperature": 2.0}, ValueError, "a scan keeps no draws"),
    ],
)
def test_what_draws_do_not_tell_is_refused(ladder, change, conditions, error, message):
    with pytest.raises(error, match=message):
        ep.reweight(change(ladder), **conditions)


def test_chains_of_different_systems_are_refused():
    runs = [
        ep.mcmc.run(SMALL.replace(field=h), "heat_bath", n_chains=2, n_sweeps=20, seed=1, n_threads=1)
        for h in (0.1, 0.2)
    ]
    with pytest.raises(ValueError, match="draws must be of one system at several temperatures"):
        ep.reweight(runs, temperature=2.3)


FROZEN = {"n_chains": 4, "n_sweeps": 1000, "n_threads": 1, "seed": 0}


@pytest.mark.slow
def test_chains_at_rest_in_different_states_are_not_reliable():
    system = Ising(lattices.build("square", (8, 8)), 0.3)
    curve = ep.reweight(
        ep.mcmc.temper(system, {"temperature": [0.3, 0.35]}, "heat_bath", **FROZEN), temperature=[0.32, 0.35]
    )
    off = curve["energy"] - system.exact_results()["energy"]
    assert (off > 1e-3).all() and np.isnan(curve["energy_err"]).all()
    assert (curve["reliable"] == 0).all() and "no fluctuation seen in energy" in curve.attrs["warning"]


def test_averages_constant_up_to_rounding_have_no_error():
    system = Ising(lattices.build("square", (8, 8)), 0.2)
    curve = ep.reweight(
        ep.mcmc.temper(system, {"temperature": [0.2, 2.0, 3.0]}, "heat_bath", **FROZEN),
        temperature=[0.2, 2.0],
    )
    assert curve["energy"].values[0] == pytest.approx(-128.0)
    assert np.isnan(curve["energy_err"].values).tolist() == [True, False]
    assert "no fluctuation seen in energy" in curve.attrs["warning"]
    assert curve["reliable"].values.tolist() == [0.0, 1.0]
