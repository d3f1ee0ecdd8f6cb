# SPDX-License-Identifier: MIT
"""Methods by name: which serve a system, their options, how they are shown, and scans that name them."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

import edgphys as ep
import lattices
from edgphys.errors import ArgumentTypeError, ArgumentValueError, NotExactError, UnknownNameError
from edgphys.methods import available, make
from edgphys.methods.chains import LOOKS, ChainOptions
from edgphys.methods.registry import look, looks_of
from edgphys.scans.arguments import make_methods


def ising(field=0.0):
    return ep.Ising(lattices.build("square", (3, 3)), temperature=2.0, field=field)


def test_methods_of_a_system_are_listed_and_made_by_name():
    names = available(ising(0.1))
    assert names[0] == "edg" and names[-4:] == ("mcmc", "mbar", "ti", "exact") and "wolff" not in names
    assert [make(name).name for name in names] == list(names)
    without_kernel = ep.Potential(lambda x: (x**2).sum(1), 1)
    assert not {"mbar", "ti"} & set(available(without_kernel))
    assert "kernel" in make("mbar").applies_to(without_kernel)


def test_every_algorithm_of_chains_has_a_look():
    systems = (ising(), ep.Phi4(lattices.build("square", (4, 4)), 0.2, 0.1), ep.DoubleWell())
    names = {name for system in systems for name in ep.mcmc.algorithms_for(system)}
    assert names <= set(LOOKS) and all(LOOKS[name].reference_rank == 1 for name in names)


def test_defaults_of_chains_are_those_of_a_run():
    defaults = {name: one.default for name, one in inspect.signature(ep.mcmc.run).parameters.items()}
    for field in dataclasses.fields(ChainOptions):
        assert field.default == defaults[field.name], field.name


def test_arguments_of_a_ladder_are_those_of_free_energy():
    from edgphys.methods.ladders import LadderOptions

    names = {field.name for field in dataclasses.fields(LadderOptions)}
    assert names <= set(inspect.signature(ep.free_energy).parameters)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("wolff", {"n_swaps": 1}, ArgumentTypeError, "mcmc: unknown option 'n_swaps'; there are .*n_sweeps"),
        ("wolff", {"n_sweeps": 15}, ArgumentValueError, "n_sweeps must be an integer >= 16, got 15"),
        ("mbar", {"n_rungs": 1}, ArgumentValueError, "n_rungs must be an integer >= 2, got 1"),
        ("ti", {"swap_rate": 1.0}, ArgumentValueError, r"swap_rate must be a number in \(0, 1\), got 1.0"),
        ("ti", {"algorithm": "wolff"}, ArgumentTypeError, "mcmc: unknown option 'algorithm'"),
        ("edg", {"n_samples": 1}, ArgumentValueError, "n_samples must be an integer >= 2, got 1"),
        ("edg", {"n_threads": 0}, ArgumentValueError, "n_threads must be an integer >= 1, got 0"),
        ("edg", {"n_stps": 1}, TypeError, "edg: unknown option 'n_stps'; there are .*n_steps"),
        ("edg", {"weights": "ode", "divergence": "hutchinson"}, NotExactError, "divergence must be 'exact'"),
    ],
)
def test_options_are_checked_when_a_method_is_made(name, options, error, message):
    with pytest.raises(error, match=message):
        make(name, options)


def test_what_is_recorded_is_what_was_given():
    assert make("edg", {"n_samples": 50, "n_steps": 3, "n_threads": 2}).settings() == {
        "n_samples": 50,
        "n_steps": 3,
        "n_threads": 2,
        "n_views": "auto",
    }
    assert make("wolff", {"n_sweeps": 20_000}).settings() == {"n_sweeps": 20_000}
    assert make("exact").settings() == {} and make("mbar").settings() == {}


def test_scans_from_one_side_are_told_apart_from_others_and_record_no_number():
    found = [make("edg", given).settings() for given in ({}, {"n_views": 4}, {"n_views": 1})]
    assert [one.get("n_views") for one in found] == ["auto", 4, None]


def test_beside_other_cells_one_thread_is_enough_unless_told():
    for name in ("wolff", "mbar"):
        assert make(name).beside_others().options.n_threads == 1
        assert make(name, {"n_threads": 3}).beside_others().options.n_threads == 3
    assert make("edg", {"n_threads": 2, "device": "cpu"}).cells_at_once(8) == 4
    assert make("wolff").cells_at_once(8) == 8


def test_models_are_checked_for_all_systems_before_training():
    with pytest.raises(UnknownNameError, match="decoder must be one of"):
        make("edg", {"decoder": "nope"}).check([ising()])
    with pytest.raises(ValueError, match="n_anneal must be 0 for the system ising, got 5"):
        make("edg", {"n_anneal": 5}).check([ising()])


def test_a_name_that_nobody_knows_is_still_shown():
    looks = looks_of({}, ["exact", "my_chain"])
    assert look("my_chain") is None and looks["my_chain"].label == "my chain"
    assert looks["exact"].is_exact and looks["exact"].reference_rank == 0


@pytest.mark.parametrize(
    ("methods", "options", "message"),
    [
        (
            ["exact"],
            {"edg": {"n_steps": 5}},
            "n_steps must be left out where no method takes options of edg, got 5",
        ),
        (
            ["edg"],
            {"mcmc": {"thin": 2}},
            "thin must be left out where no method takes options of mcmc, got 2",
        ),
        ([make("wolff")], {"mcmc": {"thin": 2}}, "thin must be left out"),
    ],
)
def test_options_without_their_method_are_refused(methods, options, message):
    with pytest.raises(ArgumentValueError, match=message):
        make_methods(methods, 100, options.get("edg"), options.get("mcmc"))


def test_objects_and_names_may_be_mixed():
    chain = make("wolff", {"n_sweeps": 30})
    made = make_methods([chain, "mcmc", "exact"], 100, None, {"n_sweeps": 40})
    assert made[0] is chain and made[1].options.n_sweeps == 40
