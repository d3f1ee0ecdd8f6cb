# SPDX-License-Identifier: MIT
"""Observables of one's own against enumeration of a 3 x 3 torus, whatever draws; a wrong one is off.

The plaquette <s s s s> has no shipped counterpart. The energy written again must give the numbers of the
shipped one to the last bit: it goes through the same estimators.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
import xarray as xr
from helpers.edg import all_spins
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.errors import ArgumentTypeError, ArgumentValueError, DatasetError
from edgphys.mcmc.core import driver

QUIET = {"progress": False}
T = 3.0


def system(temperature=T):
    return ep.Ising(lattices.build("square", (3, 3)), temperature=temperature)


def plaquette(s):
    """Mean of the products around plaquettes."""
    return (s * np.roll(s, 1, 1) * np.roll(s, 1, 2) * np.roll(s, (1, 1), (1, 2))).mean((1, 2))


def skew(s):
    """A product that is none of a plaquette: the two sites of its far side are left out."""
    return (s * np.roll(s, 1, 1)).mean((1, 2))


def bonds(s):
    return -(s * np.roll(s, 1, 1) + s * np.roll(s, 1, 2)).sum((1, 2))


AGAIN = ep.observable("energy_again", bonds, definition="-sum over bonds s s", unit="J")
BOTH = [plaquette, skew]


@functools.cache
def exact():
    spins = np.asarray(all_spins(9), float).reshape(-1, 3, 3)
    weights = np.exp(-system().energy(spins) / T)
    return float(weights @ plaquette(spins) / weights.sum())


@functools.cache
def trained():
    return ep.EDG(system()).fit(seed=0, n_steps=30, training="energy", **QUIET)


MADE = {
    "run": lambda: ep.mcmc.run(system(), "wolff", 4, 1500, 1, observables=BOTH),
    "groups": lambda: ep.mcmc.run(system(), "multispin", 4, 1500, 1, observables=BOTH),
    "sample": lambda: trained().sample(3000, seed=1, observables=BOTH, **QUIET),
    "chain": lambda: trained().chain(4000, seed=1, observables=BOTH, **QUIET),
    "anneal": lambda: ep.mcmc.anneal(system(), 2000, seed=1, n_rungs=30, observables=BOTH, **QUIET),
    "temper": lambda: ep.mcmc.rung(
        ep.mcmc.temper(system(), {"temperature": [T, 5.0]}, n_sweeps=1000, seed=1, observables=BOTH), 0
    ),
}


@pytest.mark.statistical
@pytest.mark.parametrize("way", MADE)
def test_all_that_draws_gives_the_enumerated_mean(way):
    table = ep.estimate(MADE[way]())
    about = {"exact": exact(), "max_err": 0.03}
    assert_z(float(table["plaquette"]), float(table["plaquette_err"]), n_tests=len(MADE), **about)
    assert_off(float(table["skew"]), float(table["skew_err"]), least=5, **about)
    assert table["plaquette"].attrs["definition"] == "Mean of the products around plaquettes."


@pytest.mark.slow
@pytest.mark.statistical
def test_scan_curve_and_free_energy_give_it_too():
    methods, options = ["edg", "wolff", "mbar", "exact"], {"seed": 0, "n_samples": 2000, **QUIET}
    table = ep.scan(
        system,
        temperature=[2.5, T],
        methods=methods,
        edg={"n_steps": 30},
        mcmc={"n_sweeps": 600},
        observables=[*BOTH, AGAIN],
        **options,
    )
    family = ep.EDG(system(), conditions={"temperature": (2.5, 4.0)}).fit(seed=0, n_steps=30, **QUIET)
    curve = family.curve([2.5, T], 2000, seed=1, n_nodes=2, observables=BOTH, **QUIET)
    found = {name: ep.at(table, method=name).sel(temperature=T) for name in methods[:3]}
    found["curve"] = curve.sel(temperature=T)
    for one in found.values():
        about = {"exact": exact(), "max_err": 0.03}
        assert_z(float(one["plaquette"]), float(one["plaquette_err"]), n_tests=len(found), **about)
        assert_off(float(one["skew"]), float(one["skew_err"]), least=5, **about)
    for end in ("", "_err"):
        both = [table[f"{name}{end}"].sel({"method": methods[:3]}) for name in ("energy", "energy_again")]
        np.testing.assert_allclose(*both, rtol=1e-12)


def test_a_scan_has_it_in_every_method_that_has_draws_and_on_an_axis_with_its_unit():
    options = {"seed": 0, "mcmc": {"n_sweeps": 100}, "observables": AGAIN, **QUIET}
    table = ep.scan(system, temperature=[2.5, T], methods=["metropolis", "exact"], **options)
    drawn, known = (ep.at(table, method=name) for name in ("metropolis", "exact"))
    np.testing.assert_array_equal(drawn["energy"], drawn["energy_again"])
    assert np.isnan(known["energy_again"]).all()
    figure = ep.plot(table, ["energy_again"])
    assert [axes.get_ylabel() for panel in figure.subfigs for axes in panel.axes] == ["energy again [J]"]


@pytest.mark.parametrize("algorithm", ["metropolis", "multispin"])
def test_the_energy_again_is_the_energy_with_its_error(algorithm):
    table = ep.estimate(ep.mcmc.run(system(), algorithm, 4, 300, 1, observables=AGAIN))
    for end in ("", "_err"):
        assert float(table[f"energy_again{end}"]) == float(table[f"energy{end}"])
    assert table["energy_again"].attrs == {"definition": "-sum over bonds s s", "unit": "J"}


def test_particles_come_with_particle_and_axis():
    seen = []

    def square(x):
        seen.append(x.shape[1:])
        return (x**2).sum((1, 2)) / 3

    three = ep.DoubleWellParticles(n_particles=3)
    own = ep.observable("square", square, definition="1/n sum |x|^2")
    draws = ep.mcmc.run(three, "hmc", 2, 50, 1, observables=own)
    np.testing.assert_allclose(draws["square"], draws["radius_of_gyration"] ** 2, rtol=1e-12)
    flat = torch.from_numpy(three.random_configurations(4, np.random.default_rng(1)))
    told = three.observing(own).measure(three.to_configurations(flat))
    np.testing.assert_allclose(told["square"], told["radius_of_gyration"] ** 2, rtol=1e-12)
    assert set(seen) == {(3, 2)} and draws.attrs["observables"].endswith('"square"]')


def test_other_numbers_stay_as_they_are_without_it():
    plain, told = (ep.mcmc.run(system(), "wolff", 2, 100, 1, observables=own) for own in (None, AGAIN))
    xr.testing.assert_equal(plain, told.drop_vars("energy_again"))
    assert "units" not in plain.attrs and "observables" not in plain.attrs


def test_a_run_that_was_stopped_goes_on_to_the_same_values(tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 9 * 40)
    options = {"n_warmup": 20, "observables": AGAIN}
    whole = ep.mcmc.run(system(), "metropolis", 2, 200, 1, **options)
    place = tmp_path / "chains"
    ep.mcmc.run(system(), "metropolis", 2, 70, 1, checkpoint=place, **options)
    xr.testing.assert_equal(
        whole, ep.mcmc.run(system(), "metropolis", 2, 200, 1, checkpoint=place, **options)
    )
    with pytest.raises(DatasetError, match="belongs to a run with observables"):
        ep.mcmc.run(system(), "metropolis", 2, 200, 1, checkpoint=place, n_warmup=20)


def test_values_do_not_depend_on_the_batches(monkeypatch):
    whole = ep.mcmc.run(system(), "metropolis", 2, 100, 1, observables=AGAIN)
    monkeypatch.setattr(driver, "_OWN_BUFFER", 9 * 7)
    xr.testing.assert_equal(whole, ep.mcmc.run(system(), "metropolis", 2, 100, 1, observables=AGAIN))


def test_a_file_tells_name_unit_and_definition_and_two_of_these_do_not_mix(tmp_path):
    def runs(definition, unit, seed):
        own = ep.observable("bond_sum", bonds, definition=definition, unit=unit)
        return ep.mcmc.run(system(), "metropolis", 2, 100, seed, observables=own)

    one = dataset.read(dataset.write(runs("sum", "J", 1), tmp_path / "a.nc"))
    assert one.attrs["units"] == '{"bond_sum": "J"}' and '"bond_sum": "sum"' in one.attrs["definitions"]
    merged = dataset.merge([one, runs("sum", "J", 2)])
    assert merged.sizes["chain"] == 4
    for definition, unit, word in (("another", "J", "definitions"), ("sum", "K", "units")):
        with pytest.raises(DatasetError, match=f"attr {word} must agree"):
            dataset.merge([one, runs(definition, unit, 2)])
        other = runs(definition, unit, 2)
        with pytest.raises(DatasetError, match=f"two {word} of bond_sum"):
            dataset.merge([ep.estimate(one), ep.estimate(other).assign_attrs(method="heat_bath")])
    without = ep.estimate(ep.mcmc.run(system(), "heat_bath", 2, 100, 3))
    table = dataset.merge([without, ep.estimate(one)])
    assert table.attrs["observables"] == '["bond_sum"]' and table.attrs["units"] == one.attrs["units"]


def give(value):
    return ep.observable("mine", lambda s: value(s), definition="mine")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (give(lambda s: s.mean(1)), r"'mine' must give one real number .* got shape \(3, 3\) of float64"),
        (give(lambda s: s.mean()), r"got shape \(\) of float64"),
        (give(lambda s: s[:, 0, 0] * 1j), "of complex128"),
        (give(lambda s: np.full(len(s), np.nan)), "must be finite, got 3 of 3"),
        (give(lambda s: s.sum((1, 2)) - s.mean()), "must depend on one configuration each, got"),
        (give(lambda s: s[:, 9, 0]), "got IndexError: index 9 is out of bounds"),
        ([AGAIN, AGAIN], "must have each name once, got 'energy_again' twice"),
        (lambda s: s[:, 0, 0], "must have names, got a lambda"),
        (ep.observable("x", bonds, definition="x"), "names that ising does not use, got 'x'"),
        (ep.observable("temperature", bonds, definition="x"), "does not use, got 'temperature'"),
    ],
)
def test_what_is_no_observable_is_refused_in_a_line(own, message):
    with pytest.raises(ArgumentValueError, match=message) as raised:
        ep.mcmc.run(system(), "metropolis", 2, 20, 1, observables=own)
    assert "\n" not in str(raised.value)


def test_a_value_that_is_not_finite_is_refused_where_it_comes():
    late = ep.observable("late", lambda s: np.where(s.sum((1, 2)) < 9, 1.0, np.inf), definition="late")
    with pytest.raises(ArgumentValueError, match="'late' must be finite, got"):
        ep.mcmc.run(system(1.0), "metropolis", 2, 200, 1, observables=late)


@pytest.mark.parametrize(
    ("name", "definition", "error", "message"),
    [
        ("energy", "x", ArgumentValueError, "must be one that no result"),
        ("mine_err", "x", ArgumentValueError, "must be one that no result"),
        ("my own", "x", ArgumentValueError, "must be a word"),
        (3, "x", ArgumentTypeError, "name must be a str"),
        ("mine", " ", ArgumentValueError, "definition must say"),
    ],
)
def test_names_that_are_taken_or_none_are_refused(name, definition, error, message):
    with pytest.raises(error, match=message):
        ep.observable(name, bonds, definition=definition)


@pytest.mark.parametrize("own", ["mine", 3, [3]])
def test_what_is_no_function_is_refused(own):
    with pytest.raises(ArgumentTypeError, match=r"must be made by ep\.observable"):
        ep.mcmc.run(system(), "metropolis", 2, 20, 1, observables=own)


class _Client:
    """A cluster that cannot import what it is sent."""

    def submit(self, *task, pure):
        raise ModuleNotFoundError("No module named 'mine'")


def test_functions_that_workers_do_not_have_are_refused_before_the_first_cell(monkeypatch):
    monkeypatch.setattr("distributed.Client", _Client)
    with pytest.raises(ArgumentValueError, match=r"must be functions that reach the workers.*'mine'"):
        ep.scan(system, temperature=[T], methods=["wolff"], seed=0, scheduler=_Client(), observables=AGAIN)
